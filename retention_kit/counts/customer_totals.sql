-- customer_totals: each customer's whole history before as_of, and its last twelve months; shared, never collected.
-- In:  order_days, markets.
-- Out: one row per market and customer: first_day, last_day: of his kept orders; n_orders, n_order_days;
--      gross_minor, refunded_minor; later_minor, net, of his order days after the first; year_…: the same of the twelve months
--      before as_of.
WITH entries AS (
    SELECT
        o.market, o.customer, o.covered_day, o.n_orders, o.new_day, o.gross_minor, o.refunded_minor,
        CASE WHEN o.nth_day > 1 THEN o.gross_minor - o.refunded_minor ELSE 0 END AS later_minor,
        CASE WHEN o.n_orders = 1 THEN o.day END AS order_day,
        CASE WHEN o.day >= m.year_ago_day THEN 1 ELSE 0 END AS in_year
    FROM order_days AS o
    JOIN markets AS m ON m.market = o.market
)
SELECT
    market, customer,
    MIN(order_day) AS first_day,
    MAX(order_day) AS last_day,
    MAX(covered_day) AS covered_day,
    CAST(SUM(n_orders) AS INTEGER) AS n_orders,
    CAST(SUM(new_day) AS INTEGER) AS n_order_days,
    CAST(SUM(gross_minor) AS BIGINT) AS gross_minor,
    CAST(SUM(refunded_minor) AS BIGINT) AS refunded_minor,
    CAST(SUM(later_minor) AS BIGINT) AS later_minor,
    CAST(SUM(in_year * n_orders) AS INTEGER) AS year_n_orders,
    CAST(SUM(in_year * new_day) AS INTEGER) AS year_n_order_days,
    CAST(SUM(in_year * gross_minor) AS BIGINT) AS year_gross_minor,
    CAST(SUM(in_year * refunded_minor) AS BIGINT) AS year_refunded_minor
FROM entries
GROUP BY market, customer

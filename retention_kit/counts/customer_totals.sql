-- customer_totals: each customer's whole history before as_of, and its last twelve months; shared, never collected.
-- In:  order_days, markets.
-- Out: one row per market and customer: first_day, last_day: of his kept orders; n_orders, n_order_days;
--      gross_minor, refunded_minor; year_…: the same of the twelve months before as_of.
SELECT
    o.market, o.customer,
    MIN(CASE WHEN o.n_orders = 1 THEN o.day END) AS first_day,
    MAX(CASE WHEN o.n_orders = 1 THEN o.day END) AS last_day,
    MAX(CASE WHEN o.n_orders = 1 THEN o.covered_day END) AS covered_day,
    CAST(SUM(o.n_orders) AS INTEGER) AS n_orders,
    CAST(SUM(o.new_day) AS INTEGER) AS n_order_days,
    CAST(SUM(o.gross_minor) AS BIGINT) AS gross_minor,
    CAST(SUM(o.refunded_minor) AS BIGINT) AS refunded_minor,
    CAST(SUM(CASE WHEN o.day >= m.year_ago_day THEN o.n_orders ELSE 0 END) AS INTEGER) AS year_n_orders,
    CAST(SUM(CASE WHEN o.day >= m.year_ago_day THEN o.new_day ELSE 0 END) AS INTEGER) AS year_n_order_days,
    CAST(SUM(CASE WHEN o.day >= m.year_ago_day THEN o.gross_minor ELSE 0 END) AS BIGINT) AS year_gross_minor,
    CAST(SUM(CASE WHEN o.day >= m.year_ago_day THEN o.refunded_minor ELSE 0 END) AS BIGINT) AS year_refunded_minor
FROM order_days AS o
JOIN markets AS m ON m.market = o.market
GROUP BY o.market, o.customer

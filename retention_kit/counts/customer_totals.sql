-- customer_totals: each customer's whole history before as_of, and its last twelve months; shared, never collected.
-- In:  order_days, markets.
-- Out: one row per market and customer: first_day, last_day: of his kept orders; n_orders, n_order_days, revenue_minor, net;
--      gross_minor, refunded_minor; year_…: the same of the twelve months before as_of.
SELECT
    o.market, o.customer_id,
    MIN(CASE WHEN o.n_orders = 1 THEN o.day END) AS first_day,
    MAX(CASE WHEN o.n_orders = 1 THEN o.day END) AS last_day,
    MAX(CASE WHEN o.n_orders = 1 THEN o.covered_day END) AS covered_day,
    SUM(o.n_orders) AS n_orders,
    SUM(o.new_day) AS n_order_days,
    SUM(o.gross_minor) AS gross_minor,
    SUM(o.refunded_minor) AS refunded_minor,
    SUM(CASE WHEN o.day >= m.year_ago_day THEN o.n_orders ELSE 0 END) AS year_n_orders,
    SUM(CASE WHEN o.day >= m.year_ago_day THEN o.new_day ELSE 0 END) AS year_n_order_days,
    SUM(CASE WHEN o.day >= m.year_ago_day THEN o.gross_minor ELSE 0 END) AS year_gross_minor,
    SUM(CASE WHEN o.day >= m.year_ago_day THEN o.refunded_minor ELSE 0 END) AS year_refunded_minor
FROM order_days AS o
JOIN markets AS m ON m.market = o.market
GROUP BY o.market, o.customer_id

-- customer_periods: what each customer did in each period; shared, never collected.
-- In:  order_days, period_days.
-- Out: one row per market, grain, customer and period with an entry: n_orders, n_order_days; gross_minor, refunded_minor;
--      covered_day: the last day on which the orders of the period still make the customer active.
SELECT
    o.market, d.grain, o.customer_id, d.period,
    SUM(o.n_orders) AS n_orders,
    SUM(o.new_day) AS n_order_days,
    SUM(o.gross_minor) AS gross_minor,
    SUM(o.refunded_minor) AS refunded_minor,
    MAX(CASE WHEN o.n_orders = 1 THEN o.covered_day END) AS covered_day
FROM order_days AS o
JOIN period_days AS d ON d.day = o.day
GROUP BY o.market, d.grain, o.customer_id, d.period

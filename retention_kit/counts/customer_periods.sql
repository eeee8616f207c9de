-- customer_periods: what each customer did in each period; shared, never collected.
-- In:  order_days, period_days.
-- Out: one row per market, grain, customer and period with an entry: n_orders, n_order_days; gross_minor, refunded_minor;
--      covered_day: the last day on which the orders of the period still make the customer active.
SELECT
    o.market, d.grain, o.customer, d.period,
    CAST(SUM(o.n_orders) AS INTEGER) AS n_orders,
    CAST(SUM(o.new_day) AS INTEGER) AS n_order_days,
    CAST(SUM(o.gross_minor) AS BIGINT) AS gross_minor,
    CAST(SUM(o.refunded_minor) AS BIGINT) AS refunded_minor,
    MAX(o.covered_day) AS covered_day
FROM order_days AS o
JOIN period_days AS d ON d.day = o.day
GROUP BY o.market, d.grain, o.customer, d.period

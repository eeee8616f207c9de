-- customer_steps: each customer's active periods one after the other; shared, never collected.
-- In:  customer_periods, period_days.
-- Out: one row per market, grain, customer and period with a kept order: its sums; first_period, of his first kept order
--      ever; period_before, period_after: his active periods around it, or NULL; revenue_before: net, of period_before;
--      covered_until: the last boundary at which the orders of the period make him active, as the period it opens
--      (the period itself: at none); covered_before: that of period_before.
WITH active AS (
    SELECT p.*, p.gross_minor - p.refunded_minor AS revenue_minor, d.period AS covered_until
    FROM customer_periods AS p
    JOIN period_days AS d ON d.grain = p.grain AND d.day = p.covered_day
    WHERE p.n_orders > 0
)
SELECT
    market, grain, customer_id, period, n_orders, n_order_days, gross_minor, refunded_minor, revenue_minor, covered_until,
    MIN(period) OVER (PARTITION BY market, grain, customer_id ORDER BY period) AS first_period,
    LAG(period) OVER (PARTITION BY market, grain, customer_id ORDER BY period) AS period_before,
    LEAD(period) OVER (PARTITION BY market, grain, customer_id ORDER BY period) AS period_after,
    LAG(revenue_minor) OVER (PARTITION BY market, grain, customer_id ORDER BY period) AS revenue_before,
    LAG(covered_until) OVER (PARTITION BY market, grain, customer_id ORDER BY period) AS covered_before
FROM active

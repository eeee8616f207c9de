-- step_cells: customers who took the same step, from one active period of theirs to the next, added up; shared.
-- In:  customer_periods, period_days.
-- Out: one row per market, grain, cohort (the period of the first kept order ever), active period, and
--      came: 0 for the first time, 1 from the period before, 2 from an earlier one;
--      goes: 0 to no period any more, 1 to the next one, 2 to a later one;
--      last_boundary: the last boundary at which the orders of the period make active, named by the period it opens, or that of the
--      next active period, which takes over (the period itself: none); held: 1 where the orders of the active period before
--      still make active at the boundary that opens the period; goes_on: 1 where active again in the period that last_boundary opens:
--      n_active, customers; n_first_return, of them active for the first time after their cohort's period; n_repeat, with two or more kept orders; n_repeat_by_days, on two or more days;
--      n_orders, n_order_days; gross_minor, refunded_minor; before_minor: net, of the active period before; least_minor: the lesser
--      of that and of this period, summed.
WITH active AS (
    SELECT p.*, p.gross_minor - p.refunded_minor AS revenue_minor, d.period AS covered_until
    FROM customer_periods AS p
    JOIN period_days AS d ON d.grain = p.grain AND d.day = p.covered_day
    WHERE p.n_orders > 0
),
steps AS (
    SELECT
        market, grain, period, n_orders, n_order_days, gross_minor, refunded_minor, revenue_minor, covered_until,
        FIRST_VALUE(period) OVER w AS first_period,
        LAG(period) OVER w AS period_before,
        LEAD(period) OVER w AS period_after,
        LAG(revenue_minor) OVER w AS revenue_before,
        LAG(covered_until) OVER w AS covered_before
    FROM active
    WINDOW w AS (PARTITION BY market, grain, customer ORDER BY period)
),
classed AS (
    SELECT
        market, grain, first_period AS cohort, period,
        CASE WHEN period_before = period - 1 THEN 1 WHEN period_before < period THEN 2 ELSE 0 END AS came,
        CASE WHEN period_after = period + 1 THEN 1 WHEN period_after > period THEN 2 ELSE 0 END AS goes,
        CASE WHEN period_after < covered_until THEN period_after ELSE covered_until END AS last_boundary,
        CASE WHEN covered_before >= period THEN 1 ELSE 0 END AS held,
        CASE WHEN period_after <= covered_until THEN 1 ELSE 0 END AS goes_on,
        CASE WHEN period_before = first_period THEN 1 ELSE 0 END AS is_first_return,
        n_orders, n_order_days, gross_minor, refunded_minor, revenue_minor, revenue_before
    FROM steps
)
SELECT
    market, grain, cohort, period, came, goes, last_boundary, held, goes_on,
    COUNT(*) AS n_active,
    SUM(is_first_return) AS n_first_return,
    SUM(CASE WHEN n_orders > 1 THEN 1 ELSE 0 END) AS n_repeat,
    SUM(CASE WHEN n_order_days > 1 THEN 1 ELSE 0 END) AS n_repeat_by_days,
    SUM(n_orders) AS n_orders,
    SUM(n_order_days) AS n_order_days,
    SUM(gross_minor) AS gross_minor,
    SUM(refunded_minor) AS refunded_minor,
    SUM(revenue_before) AS before_minor,
    SUM(LEAST(revenue_before, revenue_minor)) AS least_minor
FROM classed
GROUP BY market, grain, cohort, period, came, goes, last_boundary, held, goes_on

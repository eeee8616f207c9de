-- cohort_cells: everything that is summed over customers of one cohort in one period; shared by four counts tables.
-- In:  step_cells, customer_periods, customer_totals, period_days.
-- Out: one row per market, grain, cohort and period: n_active; n_first_return, of them for the first time after the
--      cohort's period; n_repeat, with two or more kept orders; n_repeat_by_days, on two
--      or more days; n_orders, n_order_days; gross_minor, refunded_minor; n_retained, active in the period before too;
--      n_reactivated, active before, not in the period before; n_last, never active again; n_pausing, not active in the next
--      period; and in minor units of net revenue: then_minor and now_minor of the retained, least_minor, the lesser of both,
--      summed; reactivated_minor; pausing_minor; active_minor.
SELECT
    market, grain, cohort, period,
    SUM(n_active) AS n_active,
    SUM(n_first_return) AS n_first_return,
    SUM(n_repeat) AS n_repeat,
    SUM(n_repeat_by_days) AS n_repeat_by_days,
    SUM(n_orders) AS n_orders,
    SUM(n_order_days) AS n_order_days,
    SUM(gross_minor) AS gross_minor,
    SUM(refunded_minor) AS refunded_minor,
    SUM(CASE WHEN came = 1 THEN n_active ELSE 0 END) AS n_retained,
    SUM(CASE WHEN came = 2 THEN n_active ELSE 0 END) AS n_reactivated,
    SUM(CASE WHEN goes = 0 THEN n_active ELSE 0 END) AS n_last,
    SUM(CASE WHEN goes <> 1 THEN n_active ELSE 0 END) AS n_pausing,
    SUM(CASE WHEN came = 1 THEN before_minor ELSE 0 END) AS then_minor,
    SUM(CASE WHEN came = 1 THEN gross_minor - refunded_minor ELSE 0 END) AS now_minor,
    SUM(CASE WHEN came = 1 THEN least_minor ELSE 0 END) AS least_minor,
    SUM(CASE WHEN came = 2 THEN gross_minor - refunded_minor ELSE 0 END) AS reactivated_minor,
    SUM(CASE WHEN goes <> 1 THEN gross_minor - refunded_minor ELSE 0 END) AS pausing_minor,
    SUM(gross_minor - refunded_minor) AS active_minor
FROM step_cells
GROUP BY market, grain, cohort, period
UNION ALL
-- money of customers in a period without a kept order of theirs; cohort is NULL where they never had one
SELECT
    p.market, p.grain, d.period AS cohort, p.period,
    0, 0, 0, 0, 0, 0, SUM(p.gross_minor), SUM(p.refunded_minor), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
FROM customer_periods AS p
JOIN customer_totals AS t ON t.market = p.market AND t.customer = p.customer
LEFT JOIN period_days AS d ON d.grain = p.grain AND d.day = t.first_day
WHERE p.n_orders = 0
GROUP BY p.market, p.grain, d.period, p.period

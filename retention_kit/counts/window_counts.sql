-- window_counts: the active base of the last closed period by activity windows of several lengths: how much the window decides.
-- Of the last period that is over in every market. A customer is active at a boundary who ordered in the window of days before it.
-- In:  order_days, last_periods, windows.
-- Out: one row per market, grain, period and window_days: n_start, customers active at the start of the period; n_retained, of them,
--      those active at its end too; n_end, active at its end.
-- Keys: market, grain, period, window_days
-- Sums: n_start, n_retained, n_end
WITH longest AS (
    SELECT MAX(window_days) AS window_days FROM windows
),
spans AS (
    SELECT
        o.market, l.grain, l.period, o.customer,
        l.first_day - MAX(CASE WHEN o.day < l.first_day THEN o.day END) AS days_at_start,
        l.next_day - MAX(o.day) AS days_at_end
    FROM order_days AS o
    CROSS JOIN longest AS w
    JOIN last_periods AS l ON o.day >= l.first_day - w.window_days AND o.day < l.next_day
    WHERE o.n_orders = 1
    GROUP BY o.market, l.grain, l.period, l.first_day, l.next_day, o.customer
)
SELECT
    s.market, s.grain, s.period, w.window_days,
    SUM(CASE WHEN s.days_at_start <= w.window_days THEN 1 ELSE 0 END) AS n_start,
    SUM(CASE WHEN s.days_at_start <= w.window_days AND s.days_at_end <= w.window_days THEN 1 ELSE 0 END) AS n_retained,
    SUM(CASE WHEN s.days_at_end <= w.window_days THEN 1 ELSE 0 END) AS n_end
FROM spans AS s
JOIN windows AS w ON s.days_at_start <= w.window_days OR s.days_at_end <= w.window_days
GROUP BY s.market, s.grain, s.period, w.window_days
ORDER BY s.market, s.grain, s.period, w.window_days

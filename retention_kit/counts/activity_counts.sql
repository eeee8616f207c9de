-- activity_counts: where the active base of each period came from and where it went, in customers.
-- A customer is active at a boundary between two periods: by rule 'period' when he ordered in the period before it,
-- by rule 'window' when he ordered in the activity window of days before it.
-- In:  ledger, customer_periods, markets, periods.
-- Out: one row per market, grain, rule and period: n_start S, n_end E, n_new N, n_retained R, n_reactivated X, n_lapsed L;
--      each counted by itself, so that E = R + N + X and S = R + L can be checked;
--      complete: 1 when the period is over at as_of; left_truncated: 1 when S reaches back before history starts.
WITH first_periods AS (
    SELECT DISTINCT market, grain, customer_id, first_period
    FROM customer_periods
    WHERE grain NOT IN ('history', 'last_year')
),
order_days AS (
    SELECT
        market, customer_id, day,
        LEAD(day) OVER (PARTITION BY market, customer_id ORDER BY day) AS next_order_day
    FROM (SELECT DISTINCT market, customer_id, day FROM ledger WHERE n_orders = 1) AS d
),
active_at AS (
    -- each order day holds from the boundary after it to the end of its window or the next order day: once per boundary
    SELECT d.market, b.grain, 'window' AS rule, d.customer_id, b.period AS boundary
    FROM order_days AS d
    JOIN markets AS m ON m.market = d.market
    JOIN periods AS b
        ON b.first_day > d.day
        AND b.first_day <= d.day + m.activity_window_days
        AND (d.next_order_day IS NULL OR b.first_day <= d.next_order_day)
    UNION ALL
    SELECT market, grain, 'period' AS rule, customer_id, period + 1 AS boundary
    FROM customer_periods
    WHERE n_orders > 0 AND grain NOT IN ('history', 'last_year')
),
in_sequence AS (
    SELECT
        a.market, a.grain, a.rule, a.boundary, f.first_period,
        LAG(a.boundary) OVER w AS boundary_before,
        LEAD(a.boundary) OVER w AS boundary_after
    FROM active_at AS a
    JOIN first_periods AS f ON f.market = a.market AND f.grain = a.grain AND f.customer_id = a.customer_id
    WINDOW w AS (PARTITION BY a.market, a.grain, a.rule, a.customer_id ORDER BY a.boundary)
),
at_the_end AS (
    SELECT
        market, grain, rule, boundary - 1 AS period,
        COUNT(*) AS n_end,
        SUM(CASE WHEN first_period = boundary - 1 THEN 1 ELSE 0 END) AS n_new,
        SUM(CASE WHEN boundary_before = boundary - 1 THEN 1 ELSE 0 END) AS n_retained,
        SUM(CASE WHEN first_period < boundary - 1 AND (boundary_before IS NULL OR boundary_before < boundary - 1)
            THEN 1 ELSE 0 END) AS n_reactivated
    FROM in_sequence
    GROUP BY market, grain, rule, boundary
),
at_the_start AS (
    SELECT
        market, grain, rule, boundary AS period,
        COUNT(*) AS n_start,
        SUM(CASE WHEN boundary_after IS NULL OR boundary_after > boundary + 1 THEN 1 ELSE 0 END) AS n_lapsed
    FROM in_sequence
    GROUP BY market, grain, rule, boundary
),
asked AS (
    SELECT
        m.market, p.grain, r.rule, p.period,
        CASE WHEN p.next_day <= m.as_of_day THEN 1 ELSE 0 END AS complete,
        CASE
            WHEN m.history_is_truncated = 0 THEN 0
            WHEN r.rule = 'window' AND p.first_day - m.activity_window_days < m.history_day THEN 1
            WHEN r.rule = 'period' AND q.first_day < m.history_day THEN 1
            ELSE 0
        END AS left_truncated
    FROM markets AS m
    CROSS JOIN (SELECT 'window' AS rule UNION ALL SELECT 'period') AS r
    JOIN periods AS p ON p.first_day < m.observed_to_day AND p.next_day > m.first_order_day
    JOIN periods AS q ON q.grain = p.grain AND q.period = p.period - 1
)
SELECT
    k.market, k.grain, k.rule, k.period, k.complete, k.left_truncated,
    COALESCE(s.n_start, 0) AS n_start,
    COALESCE(e.n_end, 0) AS n_end,
    COALESCE(e.n_new, 0) AS n_new,
    COALESCE(e.n_retained, 0) AS n_retained,
    COALESCE(e.n_reactivated, 0) AS n_reactivated,
    COALESCE(s.n_lapsed, 0) AS n_lapsed
FROM asked AS k
LEFT JOIN at_the_end AS e ON e.market = k.market AND e.grain = k.grain AND e.rule = k.rule AND e.period = k.period
LEFT JOIN at_the_start AS s ON s.market = k.market AND s.grain = k.grain AND s.rule = k.rule AND s.period = k.period
ORDER BY k.market, k.grain, k.rule, k.period

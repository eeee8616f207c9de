-- activity_counts: where the active base of each period came from and where it went, in customers.
-- A customer is active at a boundary between two periods: by rule 'period' when he ordered in the period before it,
-- by rule 'window' when he ordered in the activity window of days before it, by rule 'contract' when a subscription of his runs.
-- In:  cohort_cells, coverage_cells, contract_cells, contract_days, markets, periods.
-- Out: one row per market, grain, rule and period: n_start S, n_end E, n_new N, n_retained R, n_reactivated X, n_lapsed L;
--      each counted by itself, so that E = R + N + X and S = R + L can be checked;
--      complete: 1 when the period is over at as_of; left_truncated: 1 when S reaches back before history starts. By rule 'contract' N are
--      those whose first subscription ever began in the period; where any market has subscriptions, all have its rows, since history starts.
-- Keys: market, grain, rule, period
-- Sums: n_start, n_end, n_new, n_retained, n_reactivated, n_lapsed
-- Flags: complete min, left_truncated max
WITH rules AS (
    SELECT 'window' AS rule
    UNION ALL
    SELECT 'period' AS rule
    UNION ALL
    SELECT DISTINCT 'contract' AS rule FROM contract_days
),
covered AS (
    SELECT 'window' AS rule, market, grain, period, last_boundary, is_new, held, goes_on, n_customers FROM coverage_cells
    UNION ALL
    SELECT 'contract' AS rule, market, grain, period, last_boundary, is_new, held, goes_on, n_customers FROM contract_cells
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
    CROSS JOIN rules AS r
    JOIN periods AS p ON p.first_day < m.observed_to_day
        AND p.next_day > CASE WHEN r.rule = 'contract' THEN m.history_day ELSE m.first_order_day END
    JOIN periods AS q ON q.grain = p.grain AND q.period = p.period - 1
),
by_period AS (
    SELECT
        market, grain, 'period' AS rule, period,
        0 AS n_start,
        SUM(n_active) AS n_end,
        SUM(CASE WHEN cohort = period THEN n_active ELSE 0 END) AS n_new,
        SUM(n_retained) AS n_retained,
        SUM(n_reactivated) AS n_reactivated,
        0 AS n_lapsed
    FROM cohort_cells
    GROUP BY market, grain, period
    UNION ALL
    SELECT
        market, grain, 'period' AS rule, period + 1 AS period,
        SUM(n_active) AS n_start, 0 AS n_end, 0 AS n_new, 0 AS n_retained, 0 AS n_reactivated, SUM(n_pausing) AS n_lapsed
    FROM cohort_cells
    GROUP BY market, grain, period
),
at_boundaries AS (
    -- a span from period to last_boundary is active at the boundaries period + 1, …, last_boundary
    SELECT
        c.market, c.grain, c.rule, b.period AS boundary,
        SUM(c.n_customers) AS n_active,
        SUM(CASE WHEN b.period < c.last_boundary THEN c.n_customers ELSE 0 END) AS n_active_at_next
    FROM covered AS c
    JOIN periods AS b ON b.grain = c.grain AND b.period > c.period AND b.period <= c.last_boundary
    GROUP BY c.market, c.grain, c.rule, b.period
),
by_boundary AS (
    SELECT
        market, grain, rule, boundary AS period,
        n_active AS n_start, 0 AS n_end, 0 AS n_new, n_active_at_next AS n_retained, 0 AS n_reactivated, 0 AS n_lapsed
    FROM at_boundaries
    UNION ALL
    SELECT
        market, grain, rule, boundary - 1 AS period,
        0 AS n_start, n_active AS n_end, 0 AS n_new, 0 AS n_retained, 0 AS n_reactivated, 0 AS n_lapsed
    FROM at_boundaries
    UNION ALL
    SELECT
        market, grain, rule, period,
        0 AS n_start, 0 AS n_end,
        SUM(CASE WHEN last_boundary > period AND is_new = 1 THEN n_customers ELSE 0 END) AS n_new,
        SUM(CASE WHEN last_boundary > period AND held = 1 THEN n_customers ELSE 0 END) AS n_retained,
        SUM(CASE WHEN last_boundary > period AND held = 0 AND is_new = 0 THEN n_customers ELSE 0 END) AS n_reactivated,
        SUM(CASE WHEN last_boundary = period AND held = 1 THEN n_customers ELSE 0 END) AS n_lapsed
    FROM covered
    GROUP BY market, grain, rule, period
    UNION ALL
    SELECT
        market, grain, rule, last_boundary AS period,
        0 AS n_start, 0 AS n_end, 0 AS n_new, 0 AS n_retained, 0 AS n_reactivated, SUM(n_customers) AS n_lapsed
    FROM covered
    WHERE last_boundary > period AND goes_on = 0
    GROUP BY market, grain, rule, last_boundary
),
summed AS (
    SELECT
        market, grain, rule, period,
        SUM(n_start) AS n_start, SUM(n_end) AS n_end, SUM(n_new) AS n_new,
        SUM(n_retained) AS n_retained, SUM(n_reactivated) AS n_reactivated, SUM(n_lapsed) AS n_lapsed
    FROM (SELECT * FROM by_period UNION ALL SELECT * FROM by_boundary) AS counted
    GROUP BY market, grain, rule, period
)
SELECT
    k.market, k.grain, k.rule, k.period, k.complete, k.left_truncated,
    COALESCE(s.n_start, 0) AS n_start,
    COALESCE(s.n_end, 0) AS n_end,
    COALESCE(s.n_new, 0) AS n_new,
    COALESCE(s.n_retained, 0) AS n_retained,
    COALESCE(s.n_reactivated, 0) AS n_reactivated,
    COALESCE(s.n_lapsed, 0) AS n_lapsed
FROM asked AS k
LEFT JOIN summed AS s ON s.market = k.market AND s.grain = k.grain AND s.rule = k.rule AND s.period = k.period
ORDER BY k.market, k.grain, k.rule, k.period

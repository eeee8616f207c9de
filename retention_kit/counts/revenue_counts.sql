-- revenue_counts: where the net revenue of each period came from, compared with the period before.
-- By rule 'period': S ordered in the period before, E in this one.
-- In:  cohort_cells, markets, periods.
-- Out: one row per market, grain and period, in minor units: opening_minor: revenue of S in the period before; expansion_minor,
--      contraction_minor: what the retained spent more, and less, than then; lapsed_minor: what the lapsed had spent;
--      reactivated_minor, new_minor: revenue of those who came back, and of the new; closing_minor: revenue of E;
--      other_minor: net revenue, mostly refunds, of customers without a kept order in the period;
--      opening + expansion − contraction − lapsed + reactivated + new = closing; complete: 1 when the period is over at as_of.
-- Keys: market, grain, period
-- Sums: opening_minor, expansion_minor, contraction_minor, lapsed_minor, reactivated_minor, new_minor, closing_minor,
--       other_minor
-- Flags: complete min
WITH moved AS (
    SELECT
        market, grain, period,
        0 AS opening_minor,
        SUM(now_minor) - SUM(least_minor) AS expansion_minor,
        SUM(then_minor) - SUM(least_minor) AS contraction_minor,
        0 AS lapsed_minor,
        SUM(reactivated_minor) AS reactivated_minor,
        SUM(CASE WHEN cohort = period THEN active_minor ELSE 0 END) AS new_minor,
        SUM(active_minor) AS closing_minor,
        SUM(CASE WHEN n_active = 0 THEN gross_minor - refunded_minor ELSE 0 END) AS other_minor
    FROM cohort_cells
    GROUP BY market, grain, period
    UNION ALL
    SELECT
        market, grain, period + 1 AS period,
        SUM(active_minor) AS opening_minor, 0, 0, SUM(pausing_minor) AS lapsed_minor, 0, 0, 0, 0
    FROM cohort_cells
    GROUP BY market, grain, period
),
summed AS (
    SELECT
        market, grain, period,
        SUM(opening_minor) AS opening_minor, SUM(expansion_minor) AS expansion_minor,
        SUM(contraction_minor) AS contraction_minor, SUM(lapsed_minor) AS lapsed_minor,
        SUM(reactivated_minor) AS reactivated_minor, SUM(new_minor) AS new_minor,
        SUM(closing_minor) AS closing_minor, SUM(other_minor) AS other_minor
    FROM moved
    GROUP BY market, grain, period
)
SELECT
    m.market, p.grain, p.period, CASE WHEN p.next_day <= m.as_of_day THEN 1 ELSE 0 END AS complete,
    COALESCE(s.opening_minor, 0) AS opening_minor,
    COALESCE(s.expansion_minor, 0) AS expansion_minor,
    COALESCE(s.contraction_minor, 0) AS contraction_minor,
    COALESCE(s.lapsed_minor, 0) AS lapsed_minor,
    COALESCE(s.reactivated_minor, 0) AS reactivated_minor,
    COALESCE(s.new_minor, 0) AS new_minor,
    COALESCE(s.closing_minor, 0) AS closing_minor,
    COALESCE(s.other_minor, 0) AS other_minor
FROM markets AS m
JOIN periods AS p ON p.first_day < m.observed_to_day AND p.next_day > m.first_order_day
LEFT JOIN summed AS s ON s.market = m.market AND s.grain = p.grain AND s.period = p.period
ORDER BY m.market, p.grain, p.period

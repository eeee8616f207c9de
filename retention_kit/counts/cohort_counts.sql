-- cohort_counts: how many of each cohort ordered at each age.
-- In:  cohort_cells, markets, periods.
-- Out: one row per market, grain, cohort and age, up to the period that as_of falls in; a cell nobody was active in is 0.
--      complete: 1 when the cell's period is over at as_of; left_truncated: 1 when the cohort may hold older customers,
--      because history starts with it; n_active: customers; n_first_return: of them, those active
--      for the first time since their cohort's period; n_orders: kept orders; revenue_minor: net, minor units.
-- Keys: market, grain, cohort, age
-- Sums: n_active, n_first_return, n_orders, revenue_minor
-- Flags: complete min, left_truncated max
WITH cohorts AS (
    SELECT
        p.market, p.grain, p.cohort,
        CASE WHEN c.first_day <= m.history_day AND m.history_is_truncated = 1 THEN 1 ELSE 0 END AS left_truncated
    FROM (SELECT DISTINCT market, grain, cohort FROM cohort_cells WHERE cohort IS NOT NULL) AS p
    JOIN markets AS m ON m.market = p.market
    JOIN periods AS c ON c.grain = p.grain AND c.period = p.cohort
),
cells AS (
    SELECT
        c.market, c.grain, c.cohort, c.left_truncated, q.period,
        CASE WHEN q.next_day <= m.as_of_day THEN 1 ELSE 0 END AS complete
    FROM cohorts AS c
    JOIN markets AS m ON m.market = c.market
    JOIN periods AS q ON q.grain = c.grain AND q.period >= c.cohort AND q.first_day < m.observed_to_day
),
active AS (
    SELECT
        market, grain, cohort, period,
        SUM(n_active) AS n_active, SUM(n_first_return) AS n_first_return, SUM(n_orders) AS n_orders, SUM(gross_minor) - SUM(refunded_minor) AS revenue_minor
    FROM cohort_cells
    GROUP BY market, grain, cohort, period
)
SELECT
    c.market, c.grain, c.cohort, c.period - c.cohort AS age, c.complete, c.left_truncated,
    COALESCE(a.n_active, 0) AS n_active,
    COALESCE(a.n_first_return, 0) AS n_first_return,
    COALESCE(a.n_orders, 0) AS n_orders,
    COALESCE(a.revenue_minor, 0) AS revenue_minor
FROM cells AS c
LEFT JOIN active AS a ON a.market = c.market AND a.grain = c.grain AND a.cohort = c.cohort AND a.period = c.period
ORDER BY c.market, c.grain, c.cohort, age

-- coverage_cells: from which boundary to which the orders of a period keep their customers active; shared.
-- A boundary is named by the period it opens. The next active period takes over at its own first boundary.
-- In:  step_cells.
-- Out: one row per market, grain, period, last_boundary (the period itself: none), is_new (first order ever), held (active at
--      the boundary that opens the period), goes_on (active again in the period that last_boundary opens): n_customers.
WITH spans AS (
    SELECT
        market, grain, period, last_boundary, CASE WHEN came = 0 THEN 1 ELSE 0 END AS is_new, held, goes_on, n_active
    FROM step_cells
)
SELECT market, grain, period, last_boundary, is_new, held, goes_on, SUM(n_active) AS n_customers
FROM spans
GROUP BY market, grain, period, last_boundary, is_new, held, goes_on

-- last_seen_counts: at which age each cohort's customers were last active.
-- In:  cohort_cells.
-- Out: one row per market, grain, cohort and last_age, the age of the last period with a kept order: n_customers.
-- Keys: market, grain, cohort, last_age
-- Sums: n_customers
SELECT market, grain, cohort, period - cohort AS last_age, SUM(n_last) AS n_customers
FROM cohort_cells
WHERE n_last > 0
GROUP BY market, grain, cohort, period
ORDER BY market, grain, cohort, last_age

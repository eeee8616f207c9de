-- watch_counts: how many active customers are at which risk, for which reasons, and what is at stake.
-- In:  watched_customers.
-- Out: one row per market, risk_tenth (0 for a chance of no order below 10 %, …, 9 for 90 % and more) and the reasons silent, smaller,
--      quieter, unhappy, trouble, 1 or 0: n_customers; lapse, summed, in millionths; value_minor, the margin they would bring if
--      they stayed.
SELECT
    market, CASE WHEN lapse >= 1000000 THEN 9 ELSE lapse // 100000 END AS risk_tenth,
    silent, smaller, quieter, unhappy, trouble,
    COUNT(*) AS n_customers, SUM(lapse) AS lapse, SUM(value_minor) AS value_minor
FROM watched_customers
GROUP BY market, CASE WHEN lapse >= 1000000 THEN 9 ELSE lapse // 100000 END, silent, smaller, quieter, unhappy, trouble
ORDER BY market, risk_tenth, silent, smaller, quieter, unhappy, trouble

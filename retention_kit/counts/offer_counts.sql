-- offer_counts: who gets an offer under a budget, by purchase pattern: what is not known of a pattern's risk is worked out for it once.
-- In:  offered_customers, policy.
-- Out: one row per market, unit_days, frequency, recency, age, as in rfm_counts, chosen (1 for those who get an offer) and riskiest (1 for
--      as many with the highest risk): n_customers; stake_minor: summed, the margin of each one's mean order day, minor units.
SELECT
    c.market, p.unit_days, c.frequency, c.recency, c.age, c.chosen, c.riskiest,
    COUNT(*) AS n_customers, SUM(c.stake_minor) AS stake_minor
FROM offered_customers AS c
CROSS JOIN policy AS p
GROUP BY c.market, p.unit_days, c.frequency, c.recency, c.age, c.chosen, c.riskiest
ORDER BY c.market, c.frequency, c.recency, c.age, c.chosen, c.riskiest

-- acquisition_counts: what the customers of each market cost to win, where the data say.
-- In:  customers (from ingest), markets.
-- Out: one row per market: n_customers acquired before as_of; n_with_cost; cost_minor, minor units of the market's currency.
-- Keys: market
-- Sums: n_customers, n_with_cost, cost_minor
SELECT
    c.market,
    COUNT(*) AS n_customers,
    COUNT(c.acquisition_cost_minor) AS n_with_cost,
    COALESCE(SUM(c.acquisition_cost_minor), 0) AS cost_minor
FROM customers AS c
JOIN markets AS m ON m.market = c.market
WHERE c.acquired_us IS NULL OR c.acquired_us < m.as_of_us
GROUP BY c.market
ORDER BY c.market

-- rfm_counts: the patterns that purchase models are fitted on; customers with the same pattern have the same likelihood.
-- In:  customer_totals, markets, policy.
-- Out: one row per market, unit_days, frequency, recency and age: frequency: order days after the first; recency: whole units of
--      unit_days days from the first to the last order day; age: from the first order day to as_of; n_customers; n_orders;
--      revenue_minor, net, minor units.
-- Keys: market, unit_days, frequency, recency, age
-- Sums: n_customers, n_orders, revenue_minor
WITH patterns AS (
    SELECT
        t.market, p.unit_days, t.n_order_days - 1 AS frequency,
        CAST((t.last_day - t.first_day) // p.unit_days AS BIGINT) AS recency,
        CAST((m.latest_day - t.first_day) // p.unit_days AS BIGINT) AS age,
        t.n_orders, t.gross_minor - t.refunded_minor AS revenue_minor
    FROM customer_totals AS t
    JOIN markets AS m ON m.market = t.market
    CROSS JOIN policy AS p
    WHERE t.n_orders > 0
)
SELECT
    market, unit_days, frequency, recency, age,
    COUNT(*) AS n_customers, SUM(n_orders) AS n_orders, SUM(revenue_minor) AS revenue_minor
FROM patterns
GROUP BY market, unit_days, frequency, recency, age
ORDER BY market, frequency, recency, age

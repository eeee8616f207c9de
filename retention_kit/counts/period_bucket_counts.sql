-- period_bucket_counts: what the customers of each bucket ordered in each of the last sixteen periods that are over everywhere.
-- Buckets of customers, drawn again at random, say how sure a change of revenue is, and what moved it: customers stay whole.
-- In:  customer_periods, customer_buckets, last_periods.
-- Out: one row per market, grain, period and bucket: n_customers, with a kept order in the period; n_orders; revenue_minor, net.
-- Keys: market, grain, period, bucket
-- Sums: n_customers, n_orders, revenue_minor
SELECT
    c.market, c.grain, c.period, k.bucket,
    SUM(CASE WHEN c.n_orders > 0 THEN 1 ELSE 0 END) AS n_customers,
    SUM(c.n_orders) AS n_orders,
    SUM(c.gross_minor) - SUM(c.refunded_minor) AS revenue_minor
FROM customer_periods AS c
JOIN last_periods AS l ON l.grain = c.grain AND c.period <= l.period AND c.period > l.period - 16
JOIN customer_buckets AS k ON k.customer = c.customer
GROUP BY c.market, c.grain, c.period, k.bucket
ORDER BY c.market, c.grain, c.period, k.bucket

-- bucket_counts: the customers of each market thrown into 200 buckets by chance, and what each bucket ordered.
-- Buckets of customers, drawn again at random, say how sure a mean of money or orders is: customers stay whole.
-- In:  customer_totals, customer_buckets.
-- Out: one row per market, grain ('history', 'last_year') and bucket: n_customers, n_orders, revenue_minor, net.
-- Keys: market, grain, bucket
-- Sums: n_customers, n_orders, revenue_minor
SELECT
    t.market, 'history' AS grain, b.bucket,
    SUM(CASE WHEN t.n_orders > 0 THEN 1 ELSE 0 END) AS n_customers, SUM(t.n_orders) AS n_orders, SUM(t.gross_minor) - SUM(t.refunded_minor) AS revenue_minor
FROM customer_totals AS t
JOIN customer_buckets AS b ON b.customer = t.customer
GROUP BY t.market, b.bucket
UNION ALL
SELECT
    t.market, 'last_year' AS grain, b.bucket,
    SUM(CASE WHEN t.year_n_orders > 0 THEN 1 ELSE 0 END) AS n_customers,
    SUM(t.year_n_orders) AS n_orders,
    SUM(t.year_gross_minor) - SUM(t.year_refunded_minor) AS revenue_minor
FROM customer_totals AS t
JOIN customer_buckets AS b ON b.customer = t.customer
GROUP BY t.market, b.bucket
ORDER BY market, grain, bucket

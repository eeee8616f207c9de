-- retained_revenue_counts: what the customers of a period spend in the next one, in buckets of customers thrown by chance.
-- Of the last period that is over in every market, and the customers who ordered in the period before it. Buckets, drawn again
-- at random, say how sure net revenue retention is: customers stay whole.
-- In:  customer_periods, customer_buckets, last_periods.
-- Out: one row per market, grain, period and bucket: n_start, customers with a kept order in the period before; n_retained, of
--      them, with one in the period too; and in minor units of net revenue: then_minor, of n_start in the period before; now_minor,
--      of the retained in the period; least_minor, the lesser of both, customer by customer, summed.
-- Keys: market, grain, period, bucket
-- Sums: n_start, n_retained, then_minor, now_minor, least_minor
WITH pairs AS (
    SELECT
        a.market, a.grain, l.period, a.customer, a.gross_minor - a.refunded_minor AS then_minor,
        CASE WHEN b.n_orders > 0 THEN 1 ELSE 0 END AS is_retained,
        CASE WHEN b.n_orders > 0 THEN b.gross_minor - b.refunded_minor ELSE 0 END AS now_minor
    FROM last_periods AS l
    JOIN customer_periods AS a ON a.grain = l.grain AND a.period = l.period - 1
    LEFT JOIN customer_periods AS b
        ON b.market = a.market AND b.grain = a.grain AND b.customer = a.customer AND b.period = l.period
    WHERE a.n_orders > 0
)
SELECT
    p.market, p.grain, p.period, k.bucket, COUNT(*) AS n_start, SUM(p.is_retained) AS n_retained,
    SUM(p.then_minor) AS then_minor, SUM(p.now_minor) AS now_minor,
    SUM(CASE WHEN p.is_retained = 1 THEN LEAST(p.then_minor, p.now_minor) ELSE 0 END) AS least_minor
FROM pairs AS p
JOIN customer_buckets AS k ON k.customer = p.customer
GROUP BY p.market, p.grain, p.period, k.bucket
ORDER BY p.market, p.grain, p.period, k.bucket

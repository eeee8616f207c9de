-- age_bucket_counts: what the customers of each bucket spend at each age up to 24, over all cohorts that have reached it.
-- Buckets of customers, drawn again at random, say how sure the revenue retention of cohorts is: customers stay whole.
-- In:  customer_periods, customer_totals, customer_buckets, period_days, markets, periods.
-- Out: one row per market, grain, age and bucket: n, customers of the cohorts whose period at this age is over, without those
--      that are left-truncated; in minor units of net revenue: start_minor, of them at age 0; revenue_minor, at the age.
-- Keys: market, grain, age, bucket
-- Sums: n, start_minor, revenue_minor
WITH cohorts AS (
    SELECT t.market, d.grain, d.period AS cohort, t.customer, k.bucket
    FROM customer_totals AS t
    JOIN period_days AS d ON d.day = t.first_day
    JOIN customer_buckets AS k ON k.customer = t.customer
),
sizes AS (
    SELECT market, grain, cohort, bucket, COUNT(*) AS n
    FROM cohorts
    GROUP BY market, grain, cohort, bucket
),
earned AS (
    SELECT c.market, c.grain, c.cohort, c.bucket, p.period, SUM(p.gross_minor) - SUM(p.refunded_minor) AS revenue_minor
    FROM cohorts AS c
    JOIN customer_periods AS p ON p.market = c.market AND p.grain = c.grain AND p.customer = c.customer
    WHERE p.period <= c.cohort + 24
    GROUP BY c.market, c.grain, c.cohort, c.bucket, p.period
),
cells AS (
    SELECT s.market, s.grain, s.cohort, s.bucket, s.n, q.period
    FROM sizes AS s
    JOIN markets AS m ON m.market = s.market
    JOIN periods AS c ON c.grain = s.grain AND c.period = s.cohort
    JOIN periods AS q ON q.grain = s.grain AND q.period >= s.cohort AND q.period <= s.cohort + 24 AND q.next_day <= m.as_of_day
    WHERE NOT (c.first_day <= m.history_day AND m.history_is_truncated = 1)
)
SELECT
    c.market, c.grain, c.period - c.cohort AS age, c.bucket,
    SUM(c.n) AS n, SUM(COALESCE(a.revenue_minor, 0)) AS start_minor, SUM(COALESCE(e.revenue_minor, 0)) AS revenue_minor
FROM cells AS c
LEFT JOIN earned AS a
    ON a.market = c.market AND a.grain = c.grain AND a.cohort = c.cohort AND a.bucket = c.bucket AND a.period = c.cohort
LEFT JOIN earned AS e
    ON e.market = c.market AND e.grain = c.grain AND e.cohort = c.cohort AND e.bucket = c.bucket AND e.period = c.period
GROUP BY c.market, c.grain, c.period - c.cohort, c.bucket
ORDER BY c.market, c.grain, age, c.bucket

-- bootstrap_counts: the orders and money of each market, with its customers drawn again at random, many times.
-- A customer's weight in a replicate is Poisson with mean 1 (0, 1, 2, …), read off a hash of the customer: the same in every run.
-- The steps are 2147483647 times the Poisson distribution function: 0.367879…, 0.735758…, 0.919698…, …
-- In:  customer_periods, customer_seeds, replicates.
-- Out: one row per market, grain ('history', 'last_year') and replicate: n_customers, n_orders, revenue_minor, each weighted.
WITH totals AS (
    SELECT
        p.market, p.grain, s.seed, p.n_orders, p.gross_minor - p.refunded_minor AS revenue_minor,
        CASE WHEN p.n_orders > 0 THEN 1 ELSE 0 END AS is_customer
    FROM customer_periods AS p
    JOIN customer_seeds AS s ON s.customer_id = p.customer_id
    WHERE p.grain IN ('history', 'last_year')
),
drawn AS (
    SELECT t.*, r.replicate, (t.seed * r.multiplier + r.addend) % 2147483647 AS draw
    FROM totals AS t
    CROSS JOIN replicates AS r
),
weighted AS (
    SELECT d.*, CASE
        WHEN draw < 790015084 THEN 0
        WHEN draw < 1580030169 THEN 1
        WHEN draw < 1975037711 THEN 2
        WHEN draw < 2106706892 THEN 3
        WHEN draw < 2139624187 THEN 4
        WHEN draw < 2146207646 THEN 5
        WHEN draw < 2147304889 THEN 6
        ELSE 7 END AS weight
    FROM drawn AS d
)
SELECT
    market, grain, replicate,
    SUM(weight * is_customer) AS n_customers,
    SUM(weight * n_orders) AS n_orders,
    SUM(weight * revenue_minor) AS revenue_minor
FROM weighted
GROUP BY market, grain, replicate
ORDER BY market, grain, replicate

-- worth_counts: what customers are expected to bring, predicted for each purchase pattern and joined back to each customer here.
-- In:  customer_totals, customer_keys, customer_facts, markets, policy, period_days, bins, predictions (market, frequency, recency,
--      age, and numbers in millionths: expected_orders, value_base_minor, own_weight: a later order day of his is
--      worth base + weight × the mean of his own after the first).
-- Out: one row per market, acquisition_channel ('unknown' where the data do not say), cohort (quarter of the first order) and
--      worth_bin: the least worth of the bin, in minor units, two digits long; n_customers; worth_minor, expected; revenue_minor, so
--      far; both in minor units, summed over the customers.
WITH patterns AS (
    SELECT
        t.market, t.customer, t.first_day, t.n_order_days - 1 AS frequency,
        (t.last_day - t.first_day) // p.unit_days AS recency,
        (m.latest_day - t.first_day) // p.unit_days AS age,
        t.gross_minor - t.refunded_minor AS revenue_minor,
        CASE WHEN t.n_order_days > 1 THEN CAST(t.later_minor AS DOUBLE) / (t.n_order_days - 1) ELSE 0 END AS mean_minor
    FROM customer_totals AS t
    JOIN markets AS m ON m.market = t.market
    CROSS JOIN policy AS p
    WHERE t.n_order_days > 0
),
predicted AS (
    SELECT
        s.market, s.customer, s.first_day, s.revenue_minor,
        CAST(FLOOR(
            CAST(e.expected_orders AS DOUBLE) / 1000000
            * (CAST(e.value_base_minor AS DOUBLE) / 1000000 + CAST(e.own_weight AS DOUBLE) / 1000000 * s.mean_minor) + 0.5
        ) AS BIGINT) AS worth_minor
    FROM patterns AS s
    JOIN predictions AS e
        ON e.market = s.market AND e.frequency = s.frequency AND e.recency = s.recency AND e.age = s.age
),
valued AS (
    SELECT market, customer, first_day, revenue_minor, CASE WHEN worth_minor < 0 THEN 0 ELSE worth_minor END AS worth_minor
    FROM predicted
)
SELECT
    v.market, COALESCE(f.acquisition_channel, 'unknown') AS acquisition_channel, q.period AS cohort,
    CAST(v.worth_minor // b.width * b.width AS BIGINT) AS worth_bin,
    COUNT(*) AS n_customers, SUM(v.worth_minor) AS worth_minor, SUM(v.revenue_minor) AS revenue_minor
FROM valued AS v
JOIN customer_keys AS i ON i.customer = v.customer
LEFT JOIN customer_facts AS f ON f.market = v.market AND f.customer_id = i.customer_id
JOIN period_days AS q ON q.grain = 'quarter' AND q.day = v.first_day
JOIN bins AS b ON v.worth_minor >= b.least AND v.worth_minor < b.beyond
GROUP BY v.market, COALESCE(f.acquisition_channel, 'unknown'), q.period, CAST(v.worth_minor // b.width * b.width AS BIGINT)
ORDER BY market, acquisition_channel, cohort, worth_bin

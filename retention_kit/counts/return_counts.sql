-- return_counts: in which stretches of days since the first order customers ordered again, by the age they have reached.
-- A day of age is 24 hours by the market's clock, from the first kept order on: day 0 is the first 24 hours.
-- In:  ledger, markets, age_days.
-- Out: one row per market, from_day and to_day, the first and last day of a stretch of age with a kept order, before_day, the
--      first day of the customer's stretch before it (-1: none), and observed_day, the first day of the stretch that as_of
--      falls in, so that the days before it are over: n_customers. Everybody has one row with from_day 0; who ordered on the
--      days a to b has one row with from_day in a to b and before_day < a.
-- Keys: market, from_day, to_day, before_day, observed_day
-- Sums: n_customers
WITH firsts AS (
    SELECT market, customer, MIN(local_us) AS first_us
    FROM ledger
    WHERE n_orders = 1
    GROUP BY market, customer
),
stretches AS (
    SELECT l.market, l.customer, f.first_us, a.from_day, a.to_day
    FROM ledger AS l
    JOIN firsts AS f ON f.market = l.market AND f.customer = l.customer
    JOIN age_days AS a ON a.age_day = CAST((l.local_us - f.first_us) // 86400000000 AS INTEGER)
    WHERE l.n_orders = 1
    GROUP BY l.market, l.customer, f.first_us, a.from_day, a.to_day
),
placed AS (
    SELECT
        s.market, s.from_day, s.to_day,
        COALESCE(LAG(s.from_day) OVER (PARTITION BY s.market, s.customer ORDER BY s.from_day), -1) AS before_day,
        CASE WHEN m.as_of_local_us > s.first_us THEN m.as_of_local_us - s.first_us ELSE 0 END AS observed_us
    FROM stretches AS s
    JOIN markets AS m ON m.market = s.market
)
SELECT p.market, p.from_day, p.to_day, p.before_day, o.from_day AS observed_day, COUNT(*) AS n_customers
FROM placed AS p
JOIN age_days AS o ON o.age_day = CAST(p.observed_us // 86400000000 AS INTEGER)
GROUP BY p.market, p.from_day, p.to_day, p.before_day, o.from_day
ORDER BY p.market, p.from_day, p.before_day, observed_day

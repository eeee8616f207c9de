-- holdout_counts: purchase patterns as they stood some days before as_of, and what the same customers ordered since: a forecast
-- made then can be held against it.
-- In:  order_days, markets, holdout (holdout_days), policy.
-- Out: one row per market, unit_days, frequency, recency and age, as in rfm_counts, but of the day holdout_days before as_of;
--      n_customers, who had ordered before it; repeat_minor: what for on their order days after the first, net; of the holdout_days
--      before it n_before: their repeat order days, n_active_before: how many of them ordered, first orders too, before_minor: what
--      for, net, before_repeat_minor: of it, on days after their first; of the holdout_days after it n_later: their order days,
--      n_active: how many of them ordered, later_minor: what for, net; minor units.
-- Keys: market, unit_days, frequency, recency, age
-- Sums: n_customers, repeat_minor, n_before, n_active_before, before_minor, before_repeat_minor, n_later, n_active,
--       later_minor
WITH days AS (
    SELECT
        o.market, o.customer, o.day, o.nth_day, o.day_before, o.new_day, o.gross_minor - o.refunded_minor AS revenue_minor,
        m.latest_day - h.holdout_days AS split_day, h.holdout_days
    FROM order_days AS o
    JOIN markets AS m ON m.market = o.market
    CROSS JOIN holdout AS h
    WHERE o.n_orders = 1
),
histories AS (
    SELECT
        market, customer,
        MIN(split_day) AS split_day,
        MIN(day) AS first_day,
        MAX(CASE WHEN day < split_day THEN day END) AS last_day,
        SUM(CASE WHEN day < split_day AND nth_day > 1 THEN revenue_minor ELSE 0 END) AS repeat_minor,
        SUM(CASE WHEN day < split_day THEN new_day ELSE 0 END) - 1 AS frequency,
        SUM(CASE WHEN day < split_day AND day >= split_day - holdout_days AND day_before IS NOT NULL THEN new_day ELSE 0 END) AS n_before,
        MAX(CASE WHEN day < split_day AND day >= split_day - holdout_days THEN 1 ELSE 0 END) AS n_active_before,
        SUM(CASE WHEN day < split_day AND day >= split_day - holdout_days THEN revenue_minor ELSE 0 END) AS before_minor,
        SUM(CASE WHEN day < split_day AND day >= split_day - holdout_days AND nth_day > 1 THEN revenue_minor ELSE 0 END) AS before_repeat_minor,
        SUM(CASE WHEN day >= split_day THEN new_day ELSE 0 END) AS n_later,
        MAX(CASE WHEN day >= split_day THEN 1 ELSE 0 END) AS n_active,
        SUM(CASE WHEN day >= split_day THEN revenue_minor ELSE 0 END) AS later_minor
    FROM days
    GROUP BY market, customer
),
patterns AS (
    SELECT
        s.market, p.unit_days, s.frequency, s.repeat_minor, s.n_before, s.n_active_before, s.before_minor, s.before_repeat_minor,
        s.n_later, s.n_active, s.later_minor,
        CAST((s.last_day - s.first_day) // p.unit_days AS BIGINT) AS recency,
        CAST((s.split_day - s.first_day) // p.unit_days AS BIGINT) AS age
    FROM histories AS s
    CROSS JOIN policy AS p
    WHERE s.first_day < s.split_day
)
SELECT
    market, unit_days, frequency, recency, age,
    COUNT(*) AS n_customers, SUM(repeat_minor) AS repeat_minor,
    SUM(n_before) AS n_before, SUM(n_active_before) AS n_active_before, SUM(before_minor) AS before_minor,
    SUM(before_repeat_minor) AS before_repeat_minor,
    SUM(n_later) AS n_later, SUM(n_active) AS n_active, SUM(later_minor) AS later_minor
FROM patterns
GROUP BY market, unit_days, frequency, recency, age
ORDER BY market, frequency, recency, age

-- past_list_counts: what became of those whom a list of some days ago would have named, beside the longest silence and everybody.
-- In:  order_days, customer_keys, markets, policy, holdout (holdout_days), predictions_then (market, frequency, recency, age, as in holdout_counts; lapse,
--      orders_if_here in millionths), watch_terms, list_terms (capacity).
-- Out: one row per market and rule: 'list', the customers with the most expected saved value, as many as the capacity, of those active
--      then; 'silence', as many who had been silent longest; 'all', who were active: n_customers; n_lapsed, without a kept order since.
WITH histories AS (
    SELECT
        o.market, o.customer, MIN(m.latest_day - h.holdout_days) AS split_day, MIN(o.day) AS first_day,
        MAX(CASE WHEN o.day < m.latest_day - h.holdout_days THEN o.day END) AS last_day,
        MAX(CASE WHEN o.day < m.latest_day - h.holdout_days THEN o.covered_day END) AS covered_day,
        SUM(CASE WHEN o.day < m.latest_day - h.holdout_days THEN o.new_day ELSE 0 END) AS n_days,
        SUM(CASE WHEN o.day < m.latest_day - h.holdout_days THEN o.gross_minor - o.refunded_minor ELSE 0 END) AS spent_minor,
        MAX(CASE WHEN o.day >= m.latest_day - h.holdout_days THEN 1 ELSE 0 END) AS ordered
    FROM order_days AS o
    JOIN markets AS m ON m.market = o.market
    CROSS JOIN holdout AS h
    WHERE o.n_orders = 1
    GROUP BY o.market, o.customer
),
active AS (
    SELECT
        s.market, i.customer_id, s.last_day, s.ordered, s.n_days - 1 AS frequency,
        (s.last_day - s.first_day) // p.unit_days AS recency,
        (s.split_day - s.first_day) // p.unit_days AS age,
        CAST(s.spent_minor AS DOUBLE) / s.n_days AS mean_minor
    FROM histories AS s
    JOIN customer_keys AS i ON i.customer = s.customer
    CROSS JOIN policy AS p
    WHERE s.first_day < s.split_day AND s.covered_day >= s.split_day
),
ranked AS (
    SELECT
        a.market, a.ordered,
        a.mean_minor * (CAST(e.orders_if_here AS DOUBLE) / 1000000) * (CAST(w.margin AS DOUBLE) / 1000000)
        * (CAST(e.lapse AS DOUBLE) / 1000000) * (CAST(w.effect AS DOUBLE) / 1000000) > w.cost_minor AS is_worth,
        ROW_NUMBER() OVER (
            PARTITION BY a.market ORDER BY CAST(e.lapse AS DOUBLE) / 1000000 * e.orders_if_here * a.mean_minor DESC, a.customer_id
        ) AS nth_saved,
        ROW_NUMBER() OVER (PARTITION BY a.market ORDER BY a.last_day, a.customer_id) AS nth_silent
    FROM active AS a
    JOIN predictions_then AS e
        ON e.market = a.market AND e.frequency = a.frequency AND e.recency = a.recency AND e.age = a.age
    JOIN watch_terms AS w ON w.market = a.market
),
n_listed AS (
    SELECT r.market, SUM(CASE WHEN r.is_worth AND r.nth_saved <= t.capacity THEN 1 ELSE 0 END) AS n
    FROM ranked AS r
    CROSS JOIN list_terms AS t
    GROUP BY r.market
),
chosen AS (
    SELECT 'list' AS rule, r.market, r.ordered FROM ranked AS r JOIN n_listed AS n ON n.market = r.market WHERE r.nth_saved <= n.n
    UNION ALL
    SELECT 'silence' AS rule, r.market, r.ordered FROM ranked AS r JOIN n_listed AS n ON n.market = r.market WHERE r.nth_silent <= n.n
    UNION ALL
    SELECT 'all' AS rule, r.market, r.ordered FROM ranked AS r
)
SELECT market, rule, COUNT(*) AS n_customers, SUM(1 - ordered) AS n_lapsed
FROM chosen
GROUP BY market, rule
ORDER BY market, rule

-- watched_customers: active customers with their risk, what is at stake, and what has changed; stays in the engine: one row a customer.
-- In:  customer_totals, customer_keys, order_days, markets, policy; engagement, tickets, surveys (from ingest); predictions (market,
--      frequency, recency, age; lapse and orders_if_here in millionths); watch_terms (market; margin, effect in millionths; cost_minor).
-- Out: one row per market and customer who ordered within the activity window: customer_id; frequency, recency, age, as in rfm_counts;
--      silence_days, since his last order day; lapse, the chance of no order within the horizon, in millionths; stake_minor, the
--      margin of his mean order day; value_minor, the margin he would bring in the horizon if he stayed; saved_minor,
--      lapse × value × effect − cost;
--      and as 1 or 0: silent, longer than twice his own mean gap (3 order days or more); smaller, his last order day below half his
--      own mean; quieter, in 30 days less than half the engagement of his own 90 days before (6 events or more); unhappy, in 90 days a
--      complaint or a low score; trouble, in 90 days two contacts, or one not answered in a day or not resolved in three.
WITH patterns AS (
    SELECT
        t.market, t.customer, i.customer_id, t.first_day, t.last_day, t.n_order_days, m.latest_day, m.as_of_us,
        t.n_order_days - 1 AS frequency,
        (t.last_day - t.first_day) // p.unit_days AS recency,
        (m.latest_day - t.first_day) // p.unit_days AS age,
        CAST(t.gross_minor - t.refunded_minor AS DOUBLE) / t.n_order_days AS mean_minor
    FROM customer_totals AS t
    JOIN customer_keys AS i ON i.customer = t.customer
    JOIN markets AS m ON m.market = t.market
    CROSS JOIN policy AS p
    WHERE t.n_order_days > 0 AND t.covered_day >= m.latest_day
),
last_days AS (
    SELECT p.market, p.customer, SUM(o.gross_minor - o.refunded_minor) AS last_minor
    FROM patterns AS p
    JOIN order_days AS o ON o.market = p.market AND o.customer = p.customer AND o.day = p.last_day
    GROUP BY p.market, p.customer
),
engaged AS (
    SELECT
        p.market, p.customer,
        SUM(CASE WHEN e.occurred_us >= p.as_of_us - 2592000000000 THEN 1 ELSE 0 END) AS n_now,
        SUM(CASE WHEN e.occurred_us < p.as_of_us - 2592000000000 THEN 1 ELSE 0 END) AS n_before
    FROM patterns AS p
    JOIN engagement AS e
        ON e.customer_id = p.customer_id AND e.occurred_us >= p.as_of_us - 10368000000000 AND e.occurred_us < p.as_of_us
    GROUP BY p.market, p.customer
),
contacts AS (
    SELECT
        p.market, p.customer, COUNT(*) AS n_contacts,
        MAX(CASE WHEN t.kind = 'complaint' OR t.csat <= 2 THEN 1 ELSE 0 END) AS unhappy,
        MAX(CASE WHEN COALESCE(t.first_response_us, p.as_of_us) - t.opened_us > 86400000000
            OR COALESCE(t.resolved_us, p.as_of_us) - t.opened_us > 259200000000 THEN 1 ELSE 0 END) AS slow
    FROM patterns AS p
    JOIN tickets AS t
        ON t.customer_id = p.customer_id AND t.opened_us >= p.as_of_us - 7776000000000 AND t.opened_us < p.as_of_us
    WHERE t.kind IS NULL OR t.kind <> 'onboarding'
    GROUP BY p.market, p.customer
),
low_scores AS (
    SELECT DISTINCT p.market, p.customer
    FROM patterns AS p
    JOIN surveys AS s
        ON s.customer_id = p.customer_id AND s.answered_us >= p.as_of_us - 7776000000000 AND s.answered_us < p.as_of_us
    WHERE (s.question = 'nps' AND s.score <= 6) OR (s.question = 'csat' AND s.score <= 2)
),
predicted AS (
    SELECT
        p.*, e.lapse, w.effect, w.cost_minor,
        CAST(FLOOR(p.mean_minor * (CAST(w.margin AS DOUBLE) / 1000000) + 0.5) AS BIGINT) AS stake_minor,
        CAST(FLOOR(
            CAST(e.orders_if_here AS DOUBLE) / 1000000 * p.mean_minor * (CAST(w.margin AS DOUBLE) / 1000000) + 0.5
        ) AS BIGINT) AS value_minor
    FROM patterns AS p
    JOIN predictions AS e
        ON e.market = p.market AND e.frequency = p.frequency AND e.recency = p.recency AND e.age = p.age
    JOIN watch_terms AS w ON w.market = p.market
)
SELECT
    p.market, p.customer_id, p.frequency, p.recency, p.age, p.latest_day - p.last_day AS silence_days,
    p.lapse, p.stake_minor, p.value_minor,
    CAST(FLOOR(
        CAST(p.lapse AS DOUBLE) / 1000000 * p.value_minor * (CAST(p.effect AS DOUBLE) / 1000000) + 0.5
    ) AS BIGINT) - p.cost_minor AS saved_minor,
    CASE WHEN p.n_order_days >= 3
        AND (p.latest_day - p.last_day) * (p.n_order_days - 1) > 2 * (p.last_day - p.first_day) THEN 1 ELSE 0 END AS silent,
    CASE WHEN p.n_order_days >= 3 AND d.last_minor * 2 < p.mean_minor THEN 1 ELSE 0 END AS smaller,
    CASE WHEN g.n_before >= 6 AND g.n_now * 6 < g.n_before THEN 1 ELSE 0 END AS quieter,
    CASE WHEN c.unhappy = 1 OR s.customer IS NOT NULL THEN 1 ELSE 0 END AS unhappy,
    CASE WHEN c.n_contacts >= 2 OR c.slow = 1 THEN 1 ELSE 0 END AS trouble
FROM predicted AS p
JOIN last_days AS d ON d.market = p.market AND d.customer = p.customer
LEFT JOIN engaged AS g ON g.market = p.market AND g.customer = p.customer
LEFT JOIN contacts AS c ON c.market = p.market AND c.customer = p.customer
LEFT JOIN low_scores AS s ON s.market = p.market AND s.customer = p.customer

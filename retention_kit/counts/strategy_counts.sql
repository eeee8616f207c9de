-- strategy_counts: who came back within 90 days, by what the company did for him, among customers who can be compared.
-- In:  customer_facts, customer_keys, orders, engagement, surveys (from ingest), ledger.
-- Out: one row per strategy, market, cohort (whole 30 days from 1970-01-01 to the first order), acquisition_channel ('any' for
--      referral, which is a channel itself), language ('unknown' where the data do not say), landmark_days (the day by which value is known; who had come back by then is left out) and value:
--      n_observed, first order at least 90 days before as_of; n_returned: of those, with a second order day at the most 90 days after
--      the first. Of what engagement says, only customers of since it is recorded.
WITH recorded AS (
    SELECT
        (SELECT MIN(occurred_us) FROM engagement) AS engaged_us,
        (SELECT COUNT(campaign) FROM orders) AS n_campaigns
),
firsts AS (
    SELECT market, customer, MIN(us) AS first_us FROM ledger WHERE n_orders = 1 GROUP BY market, customer
),
events AS (
    SELECT
        f.market, i.customer_id,
        MAX(CASE WHEN e.kind LIKE 'email%' AND e.occurred_us < f.first_us + 604800000000 THEN 1 ELSE 0 END) AS wrote,
        MAX(CASE WHEN e.kind = 'content_view' THEN 1 ELSE 0 END) AS taught
    FROM firsts AS f
    JOIN customer_keys AS i ON i.customer = f.customer
    JOIN engagement AS e
        ON e.customer_id = i.customer_id AND e.occurred_us >= f.first_us AND e.occurred_us < f.first_us + 2592000000000
    GROUP BY f.market, i.customer_id
),
voices AS (
    SELECT
        f.market, i.customer_id,
        MAX(CASE WHEN s.question = 'nps' AND s.score <= 6
            THEN CASE WHEN s.followed_up_us < f.first_us + 2592000000000 THEN 1 ELSE 0 END END) AS followed,
        MAX(CASE WHEN s.question = 'values' THEN CASE WHEN s.score >= 4 THEN 1 ELSE 0 END END) AS agrees
    FROM firsts AS f
    JOIN customer_keys AS i ON i.customer = f.customer
    JOIN surveys AS s
        ON s.customer_id = i.customer_id AND s.answered_us >= f.first_us AND s.answered_us < f.first_us + 2592000000000
    GROUP BY f.market, i.customer_id
),
campaigns AS (
    SELECT f.market, i.customer_id, MAX(CASE WHEN o.campaign IS NULL THEN 0 ELSE 1 END) AS personal
    FROM firsts AS f
    JOIN customer_keys AS i ON i.customer = f.customer
    JOIN orders AS o ON o.market = f.market AND o.customer_id = i.customer_id AND o.ordered_us = f.first_us
    GROUP BY f.market, i.customer_id
),
known AS (
    SELECT
        c.*, f.first_us, r.engaged_us, r.n_campaigns,
        COALESCE(e.wrote, 0) AS wrote, COALESCE(e.taught, 0) AS taught, p.personal, v.followed, v.agrees
    FROM customer_facts AS c
    JOIN customer_keys AS i ON i.customer_id = c.customer_id
    JOIN firsts AS f ON f.market = c.market AND f.customer = i.customer
    CROSS JOIN recorded AS r
    LEFT JOIN events AS e ON e.market = c.market AND e.customer_id = c.customer_id
    LEFT JOIN campaigns AS p ON p.market = c.market AND p.customer_id = c.customer_id
    LEFT JOIN voices AS v ON v.market = c.market AND v.customer_id = c.customer_id
    WHERE c.observed_days >= 90
),
valued AS (
    SELECT 'onboarding' AS strategy, 0 AS landmark_days, first_contact AS value, k.* FROM known AS k
    UNION ALL
    SELECT
        'communication' AS strategy, 7 AS landmark_days,
        CASE WHEN first_us >= engaged_us THEN CASE WHEN wrote = 1 THEN 'reached in a week' ELSE 'not reached' END END AS value, k.*
    FROM known AS k
    UNION ALL
    SELECT 'support' AS strategy, 30 AS landmark_days, support AS value, k.* FROM known AS k
    UNION ALL
    SELECT 'loyalty' AS strategy, 30 AS landmark_days, loyalty AS value, k.* FROM known AS k
    UNION ALL
    SELECT
        'personalisation' AS strategy, 0 AS landmark_days,
        CASE WHEN n_campaigns > 0 THEN CASE WHEN personal = 1 THEN 'campaign' ELSE 'no campaign' END END AS value, k.*
    FROM known AS k
    UNION ALL
    SELECT
        'feedback' AS strategy, 30 AS landmark_days,
        CASE followed WHEN 1 THEN 'followed up' WHEN 0 THEN 'not followed up' END AS value, k.*
    FROM known AS k
    UNION ALL
    SELECT
        'values' AS strategy, 30 AS landmark_days,
        CASE agrees WHEN 1 THEN 'agrees' WHEN 0 THEN 'does not agree' END AS value, k.*
    FROM known AS k
    UNION ALL
    SELECT 'referral' AS strategy, 0 AS landmark_days, referred AS value, k.* FROM known AS k
    UNION ALL
    SELECT 'payment' AS strategy, 0 AS landmark_days, payment_method AS value, k.* FROM known AS k
    UNION ALL
    SELECT
        'education' AS strategy, 30 AS landmark_days,
        CASE WHEN first_us >= engaged_us THEN CASE WHEN taught = 1 THEN 'viewed content' ELSE 'viewed nothing' END END AS value, k.*
    FROM known AS k
    UNION ALL
    SELECT 'delivery' AS strategy, 0 AS landmark_days, first_delivery AS value, k.* FROM known AS k
    UNION ALL
    SELECT 'coupon' AS strategy, 0 AS landmark_days, coupon AS value, k.* FROM known AS k
)
SELECT
    strategy, market, CAST(first_day // 30 AS INTEGER) AS cohort,
    CASE WHEN strategy = 'referral' THEN 'any' ELSE COALESCE(acquisition_channel, 'unknown') END AS acquisition_channel,
    COALESCE(language, 'unknown') AS language, landmark_days, value,
    COUNT(*) AS n_observed,
    SUM(CASE WHEN second_day - first_day <= 90 THEN 1 ELSE 0 END) AS n_returned
FROM valued
WHERE value IS NOT NULL AND (landmark_days = 0 OR second_day IS NULL OR second_day - first_day > landmark_days)
GROUP BY
    strategy, market, CAST(first_day // 30 AS INTEGER),
    CASE WHEN strategy = 'referral' THEN 'any' ELSE COALESCE(acquisition_channel, 'unknown') END,
    COALESCE(language, 'unknown'), landmark_days, value
ORDER BY strategy, market, cohort, acquisition_channel, language, value

-- strategy_counts: who came back within 90 days, by what the company did for him, among customers who can be compared.
-- In:  customer_facts, customer_keys, customers, orders, engagement, tickets, surveys (from ingest), ledger, order_days, baskets, markets.
-- Out: one row per strategy, market, cohort (whole 30 days from 1970-01-01 to the first order), acquisition_channel ('any' for
--      referral, which is a channel itself), language ('unknown' where the data do not say), basket (bracket of what the first day's
--      orders were of: from so many minor units on, in steps of 1, 2, 5, 10, 20, 50, …), landmark_days (the day by which value is known; who had
--      come back by then is left out) and value: n_observed, first order at least 90 days before as_of; n_returned: of those, with a
--      second order day at the most 90 days after the first; later_minor: what they ordered on the days after the first, at the most
--      90 days later, net, minor units. For second_coupon all is told of the second order day and what followed it.
--      Of what engagement says, only customers of since it is recorded.
-- Keys: strategy, market, cohort, acquisition_channel, language, basket, landmark_days, value
-- Sums: n_observed, n_returned, later_minor
WITH recorded AS (
    SELECT
        (SELECT MIN(occurred_us) FROM engagement) AS engaged_us,
        (SELECT COUNT(campaign) FROM orders) AS n_campaigns,
        (SELECT COUNT(coupon) FROM orders) AS n_coupons,
        (SELECT COUNT(discount_minor) FROM orders) AS n_discounts
),
days AS (
    SELECT market, customer, day, MIN(us) AS us, SUM(gross_minor) AS basket_minor
    FROM ledger
    WHERE n_orders = 1
    GROUP BY market, customer, day
),
nth_days AS (
    SELECT market, customer, day, us, basket_minor, ROW_NUMBER() OVER (PARTITION BY market, customer ORDER BY day) AS nth
    FROM days
),
of_days AS (
    SELECT
        d.market, d.customer, d.nth, d.day, d.basket_minor,
        MAX(CASE WHEN o.discount_minor > 0 OR o.coupon <> '' THEN 1 ELSE 0 END) AS discounted,
        MAX(CASE WHEN o.coupon <> '' THEN 1 ELSE 0 END) AS with_coupon,
        MAX(CASE WHEN o.campaign <> '' THEN 1 ELSE 0 END) AS personal
    FROM nth_days AS d
    JOIN customer_keys AS i ON i.customer = d.customer
    JOIN orders AS o ON o.market = d.market AND o.customer_id = i.customer_id AND o.ordered_us = d.us
    WHERE d.nth <= 2 AND NOT COALESCE(o.cancelled, FALSE) AND o.amount_minor >= 0
    GROUP BY d.market, d.customer, d.nth, d.day, d.basket_minor
),
firsts AS (
    -- not the first of nth_days, of whose number PostgreSQL has no idea
    SELECT market, customer, MIN(us) AS first_us
    FROM ledger
    WHERE n_orders = 1
    GROUP BY market, customer
),
later AS (
    SELECT
        d.market, d.customer, d.nth, MIN(CASE WHEN o.n_orders = 1 THEN o.day END) AS next_day,
        SUM(CASE WHEN o.day <= d.day + 90 THEN o.gross_minor - o.refunded_minor ELSE 0 END) AS later_minor
    FROM nth_days AS d
    JOIN order_days AS o ON o.market = d.market AND o.customer = d.customer AND o.day > d.day
    WHERE d.nth <= 2
    GROUP BY d.market, d.customer, d.nth
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
contacts AS (
    SELECT
        f.market, i.customer_id,
        MAX(CASE WHEN t.language = c.language THEN 0 WHEN t.language <> c.language THEN 1 END) AS foreign_contact,
        MAX(CASE WHEN t.first_response_us - t.opened_us <= 86400000000 AND t.first_response_us < m.as_of_us THEN 0
            WHEN t.opened_us + 86400000000 <= m.as_of_us THEN 1 END) AS slow_contact
    FROM firsts AS f
    JOIN markets AS m ON m.market = f.market
    JOIN customer_keys AS i ON i.customer = f.customer
    JOIN tickets AS t
        ON t.customer_id = i.customer_id AND t.opened_us >= f.first_us AND t.opened_us < f.first_us + 2592000000000
        AND t.opened_us < m.as_of_us
    LEFT JOIN customers AS c ON c.market = f.market AND c.customer_id = i.customer_id
    WHERE t.kind IS NULL OR t.kind <> 'onboarding'
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
known AS (
    SELECT
        c.*, f.first_us, i.customer, r.*,
        COALESCE(e.wrote, 0) AS wrote, COALESCE(e.taught, 0) AS taught, v.followed, v.agrees, t.foreign_contact, t.slow_contact
    FROM customer_facts AS c
    JOIN customer_keys AS i ON i.customer_id = c.customer_id
    JOIN firsts AS f ON f.market = c.market AND f.customer = i.customer
    CROSS JOIN recorded AS r
    LEFT JOIN events AS e ON e.market = c.market AND e.customer_id = c.customer_id
    LEFT JOIN contacts AS t ON t.market = c.market AND t.customer_id = c.customer_id
    LEFT JOIN voices AS v ON v.market = c.market AND v.customer_id = c.customer_id
),
begun AS (
    SELECT
        k.*, d.nth, d.day AS start_day, d.discounted, d.with_coupon, d.personal, b.least_minor AS basket,
        l.next_day, COALESCE(l.later_minor, 0) AS later_minor
    FROM known AS k
    JOIN of_days AS d ON d.market = k.market AND d.customer = k.customer
    JOIN markets AS m ON m.market = k.market AND m.as_of_day - d.day >= 90
    JOIN baskets AS b ON d.basket_minor >= b.least_minor AND d.basket_minor < b.beyond_minor
    LEFT JOIN later AS l ON l.market = d.market AND l.customer = d.customer AND l.nth = d.nth
),
valued AS MATERIALIZED (
    -- narrow, and worked out once: each strategy reads it
    SELECT
        nth, market, CAST(start_day // 30 AS INTEGER) AS cohort, COALESCE(acquisition_channel, 'unknown') AS channel,
        COALESCE(language, 'unknown') AS language, basket, next_day - start_day AS gap_days, later_minor,
        first_contact AS of_onboarding,
        CASE WHEN first_us >= engaged_us THEN CASE WHEN wrote = 1 THEN 'reached in a week' ELSE 'not reached' END END AS of_communication,
        CASE foreign_contact WHEN 0 THEN 'own language' WHEN 1 THEN 'another language' END AS of_translation,
        support AS of_support,
        loyalty AS of_loyalty,
        CASE WHEN n_campaigns > 0 THEN CASE WHEN personal = 1 THEN 'campaign' ELSE 'no campaign' END END AS of_personalisation,
        CASE followed WHEN 1 THEN 'followed up' WHEN 0 THEN 'not followed up' END AS of_feedback,
        CASE agrees WHEN 1 THEN 'agrees' WHEN 0 THEN 'does not agree' END AS of_values,
        referred AS of_referral,
        payment_method AS of_payment,
        CASE WHEN first_us >= engaged_us THEN CASE WHEN taught = 1 THEN 'viewed content' ELSE 'viewed nothing' END END AS of_education,
        first_delivery AS of_delivery,
        CASE WHEN n_discounts + n_coupons > 0 THEN CASE WHEN discounted = 1 THEN 'discount' ELSE 'full price' END END AS of_discount,
        CASE WHEN n_coupons > 0 THEN CASE WHEN with_coupon = 1 THEN 'coupon' ELSE 'no coupon' END END AS of_second_coupon,
        CASE WHEN first_delivery = 'late' OR slow_contact = 1 THEN 'a promise broken'
            WHEN first_delivery = 'on time' OR slow_contact = 0 THEN 'every promise kept' END AS of_consistency
    FROM begun
),
told AS (
    SELECT 'onboarding' AS strategy, 0 AS landmark_days, of_onboarding AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_onboarding IS NOT NULL
    UNION ALL
    SELECT 'communication' AS strategy, 7 AS landmark_days, of_communication AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_communication IS NOT NULL
    UNION ALL
    SELECT 'translation' AS strategy, 30 AS landmark_days, of_translation AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_translation IS NOT NULL
    UNION ALL
    SELECT 'support' AS strategy, 30 AS landmark_days, of_support AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_support IS NOT NULL
    UNION ALL
    SELECT 'loyalty' AS strategy, 30 AS landmark_days, of_loyalty AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_loyalty IS NOT NULL
    UNION ALL
    SELECT 'personalisation' AS strategy, 0 AS landmark_days, of_personalisation AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_personalisation IS NOT NULL
    UNION ALL
    SELECT 'feedback' AS strategy, 30 AS landmark_days, of_feedback AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_feedback IS NOT NULL
    UNION ALL
    SELECT 'values' AS strategy, 30 AS landmark_days, of_values AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_values IS NOT NULL
    UNION ALL
    SELECT 'referral' AS strategy, 0 AS landmark_days, of_referral AS value, market, cohort, 'any' AS channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_referral IS NOT NULL
    UNION ALL
    SELECT 'payment' AS strategy, 0 AS landmark_days, of_payment AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_payment IS NOT NULL
    UNION ALL
    SELECT 'education' AS strategy, 30 AS landmark_days, of_education AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_education IS NOT NULL
    UNION ALL
    SELECT 'delivery' AS strategy, 0 AS landmark_days, of_delivery AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_delivery IS NOT NULL
    UNION ALL
    SELECT 'discount' AS strategy, 0 AS landmark_days, of_discount AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_discount IS NOT NULL
    UNION ALL
    SELECT 'second_coupon' AS strategy, 0 AS landmark_days, of_second_coupon AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 2 AND of_second_coupon IS NOT NULL
    UNION ALL
    SELECT 'consistency' AS strategy, 30 AS landmark_days, of_consistency AS value, market, cohort, channel, language, basket, gap_days, later_minor
    FROM valued WHERE nth = 1 AND of_consistency IS NOT NULL
)
SELECT
    strategy, market, cohort, channel AS acquisition_channel, language, basket, landmark_days, value,
    COUNT(*) AS n_observed,
    SUM(CASE WHEN gap_days <= 90 THEN 1 ELSE 0 END) AS n_returned,
    SUM(later_minor) AS later_minor
FROM told
WHERE landmark_days = 0 OR gap_days IS NULL OR gap_days > landmark_days
GROUP BY strategy, market, cohort, channel, language, basket, landmark_days, value
ORDER BY strategy, market, cohort, acquisition_channel, language, basket, value

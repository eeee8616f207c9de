-- customer_facts: what is known of each customer and his first kept order; stays in the engine, never collected.
-- In:  ledger, customer_keys, orders, customers, tickets (from ingest), markets, day_seasons.
-- Out: one row per market and customer: first_day, second_day (second day with a kept order, or NULL),
--      observed_days from the first order to as_of; and, as text, NULL where the data do not say:
--      payment_method, channel, coupon, first_delivery, season of the first order; acquisition_channel, language, referred of the customer;
--      first_contact: was the first contact, up to a day after the first order, in his own language; support: was his first
--      question of the 30 days after the first order answered within 24 hours; loyalty: had he joined by day 30.
--      Nothing is told that as_of does not know; support and loyalty are to be read from day 30 on.
WITH known AS (
    -- a column that no row fills says nothing of anybody
    SELECT
        (SELECT COUNT(coupon) FROM orders) AS n_coupons,
        (SELECT COUNT(referred_by) FROM customers) AS n_referred,
        (SELECT COUNT(loyalty_joined_us) FROM customers) AS n_joined
),
days_of_orders AS (
    SELECT
        market, customer, day, MIN(us) AS first_us,
        ROW_NUMBER() OVER (PARTITION BY market, customer ORDER BY day) AS nth
    FROM ledger
    WHERE n_orders = 1
    GROUP BY market, customer, day
),
firsts AS (
    SELECT
        f.market, i.customer_id, f.day AS first_day, f.first_us, s.day AS second_day, m.as_of_us,
        m.as_of_day - f.day AS observed_days
    FROM days_of_orders AS f
    JOIN customer_keys AS i ON i.customer = f.customer
    JOIN markets AS m ON m.market = f.market
    LEFT JOIN days_of_orders AS s ON s.market = f.market AND s.customer = f.customer AND s.nth = 2
    WHERE f.nth = 1
),
first_orders AS (
    SELECT
        f.market, f.customer_id, o.payment_method, o.channel, o.coupon, o.promised_us, o.delivered_us,
        ROW_NUMBER() OVER (PARTITION BY f.market, f.customer_id ORDER BY o.order_id) AS nth
    FROM firsts AS f
    JOIN orders AS o ON o.market = f.market AND o.customer_id = f.customer_id AND o.ordered_us = f.first_us
    WHERE NOT COALESCE(o.cancelled, FALSE) AND o.amount_minor >= 0
),
contacts AS (
    SELECT
        f.market, f.customer_id, t.language,
        ROW_NUMBER() OVER (PARTITION BY f.market, f.customer_id ORDER BY t.opened_us) AS nth
    FROM firsts AS f
    JOIN tickets AS t
        ON t.customer_id = f.customer_id
        AND t.opened_us < f.first_us + 86400000000
        AND t.opened_us < f.as_of_us
    WHERE t.language IS NOT NULL
),
questions AS (
    SELECT
        f.market, f.customer_id, t.opened_us, t.first_response_us,
        ROW_NUMBER() OVER (PARTITION BY f.market, f.customer_id ORDER BY t.opened_us) AS nth
    FROM firsts AS f
    JOIN tickets AS t
        ON t.customer_id = f.customer_id
        AND t.opened_us >= f.first_us
        AND t.opened_us < f.first_us + 2592000000000
        AND t.opened_us < f.as_of_us
    WHERE t.kind IS NULL OR t.kind <> 'onboarding'
)
SELECT
    f.market, f.customer_id, f.first_day, f.second_day, f.observed_days,
    o.payment_method,
    o.channel,
    CASE WHEN k.n_coupons = 0 THEN NULL WHEN o.coupon IS NULL OR o.coupon = '' THEN 'no coupon' ELSE 'coupon' END AS coupon,
    CASE WHEN o.delivered_us >= f.as_of_us OR o.promised_us IS NULL THEN NULL
        WHEN o.delivered_us > o.promised_us THEN 'late'
        WHEN o.delivered_us IS NOT NULL THEN 'on time' END AS first_delivery,
    s.season,
    c.acquisition_channel,
    c.language,
    CASE WHEN k.n_referred = 0 OR c.customer_id IS NULL THEN NULL
        WHEN c.referred_by IS NULL THEN 'not referred' ELSE 'referred' END AS referred,
    CASE WHEN t.language IS NULL OR c.language IS NULL THEN NULL
        WHEN t.language = c.language THEN 'own language' ELSE 'other language' END AS first_contact,
    CASE WHEN q.first_response_us - q.opened_us <= 86400000000 AND q.first_response_us < f.as_of_us THEN 'within 24 hours'
        WHEN q.opened_us + 86400000000 <= f.as_of_us THEN 'slow' END AS support,
    CASE WHEN k.n_joined = 0 OR c.customer_id IS NULL THEN NULL
        WHEN c.loyalty_joined_us < f.first_us + 2592000000000 THEN 'joined within 30 days' ELSE 'not joined' END AS loyalty
FROM firsts AS f
CROSS JOIN known AS k
LEFT JOIN day_seasons AS s ON s.day = f.first_day
LEFT JOIN first_orders AS o ON o.market = f.market AND o.customer_id = f.customer_id AND o.nth = 1
LEFT JOIN customers AS c ON c.market = f.market AND c.customer_id = f.customer_id
LEFT JOIN contacts AS t ON t.market = f.market AND t.customer_id = f.customer_id AND t.nth = 1
LEFT JOIN questions AS q ON q.market = f.market AND q.customer_id = f.customer_id AND q.nth = 1

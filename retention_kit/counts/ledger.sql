-- ledger: one row per kept order before as_of, and, where refunds count when processed, one per refund of a kept order.
-- A kept order was not cancelled, not fully refunded by as_of, and has a positive amount (or none, where free orders are kept).
-- In:  orders (from ingest), markets, currencies, daily_rates, utc_offsets, calendar, policy.
-- Out: market; customer_id; us, the instant; day, week, month, quarter, year, local to the market, as integers;
--      n_orders, 1 for an order and 0 for a refund; gross_minor, refunded_minor, integer minor units of the market's currency.
WITH known_orders AS (
    SELECT
        o.market,
        o.customer_id,
        o.ordered_us,
        o.currency,
        o.amount_minor AS gross_minor,
        CASE WHEN o.refunded_us IS NULL OR o.refunded_us < m.as_of_us THEN COALESCE(o.refunded_minor, 0) ELSE 0 END AS refunded_minor,
        o.refunded_us
    FROM orders AS o
    JOIN markets AS m ON m.market = o.market
    WHERE o.ordered_us < m.as_of_us AND NOT COALESCE(o.cancelled, FALSE) AND o.amount_minor >= 0
),
kept_orders AS (
    SELECT k.*
    FROM known_orders AS k
    CROSS JOIN policy AS p
    WHERE k.gross_minor > k.refunded_minor OR (p.free_orders = 'kept' AND k.gross_minor = 0)
),
entries AS (
    SELECT
        k.market, k.customer_id, k.currency, k.ordered_us AS us, k.ordered_us,
        1 AS n_orders,
        k.gross_minor,
        CASE WHEN p.refund_policy = 'order' THEN k.refunded_minor ELSE 0 END AS refunded_minor
    FROM kept_orders AS k
    CROSS JOIN policy AS p
    UNION ALL
    SELECT
        k.market, k.customer_id, k.currency, COALESCE(k.refunded_us, k.ordered_us) AS us, k.ordered_us,
        0 AS n_orders,
        0 AS gross_minor,
        k.refunded_minor
    FROM kept_orders AS k
    CROSS JOIN policy AS p
    WHERE p.refund_policy = 'processed' AND k.refunded_minor > 0
),
local_entries AS (
    SELECT
        e.*,
        -- 100,000 days are added and taken away, so that the division never meets a negative number
        (e.us + z.offset_us + 8640000000000000) // 86400000000 - 100000 AS day,
        (e.ordered_us + y.offset_us + 8640000000000000) // 86400000000 - 100000 AS order_day
    FROM entries AS e
    JOIN utc_offsets AS z ON z.market = e.market AND e.us >= z.from_us AND e.us < z.to_us
    JOIN utc_offsets AS y ON y.market = e.market AND e.ordered_us >= y.from_us AND e.ordered_us < y.to_us
),
in_market_currency AS (
    -- at the rate of the day of the order; NULL where there is none, which fails the run
    SELECT
        l.market, l.customer_id, l.us, l.day, l.n_orders,
        CASE WHEN l.currency = m.currency THEN 1.0
            ELSE into_rate.rate / from_rate.rate * m.minor_per_unit / c.minor_per_unit END AS factor,
        l.gross_minor, l.refunded_minor
    FROM local_entries AS l
    JOIN markets AS m ON m.market = l.market
    JOIN currencies AS c ON c.currency = l.currency
    LEFT JOIN daily_rates AS from_rate ON from_rate.currency = l.currency AND from_rate.day = l.order_day
    LEFT JOIN daily_rates AS into_rate ON into_rate.currency = m.currency AND into_rate.day = l.order_day
)
SELECT
    i.market, i.customer_id, i.us, c.day, c.week, c.month, c.quarter, c.year, i.n_orders,
    CASE WHEN i.factor = 1.0 THEN i.gross_minor ELSE CAST(ROUND(i.gross_minor * i.factor) AS BIGINT) END AS gross_minor,
    CASE WHEN i.factor = 1.0 THEN i.refunded_minor ELSE CAST(ROUND(i.refunded_minor * i.factor) AS BIGINT) END AS refunded_minor
FROM in_market_currency AS i
JOIN calendar AS c ON c.day = i.day

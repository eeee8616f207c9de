-- refunds: one row per refund, on its own day; part of the ledger where refunds count when they are processed.
-- In:  keyed_orders, markets_asked, conversions, policy, utc_offsets.
-- Out: the ledger's columns, at the rate of the order's day: n_orders and gross_minor are 0.
WITH refunded_orders AS (
    SELECT
        m.market, o.customer, o.currency, m.currency AS market_currency, o.refunded_minor,
        CAST((o.local_us + 8640000000000000) // 86400000000 - 100000 AS INTEGER) AS order_day,
        CASE WHEN o.refunded_us > o.ordered_us THEN o.refunded_us ELSE o.ordered_us END AS us
    FROM keyed_orders AS o
    JOIN markets_asked AS m ON m.market = o.market
    CROSS JOIN policy AS p
    WHERE o.refunded_minor > 0
        AND o.ordered_us < m.as_of_us AND (o.refunded_us IS NULL OR o.refunded_us < m.as_of_us)
        AND NOT COALESCE(o.cancelled, FALSE)
        AND (o.amount_minor > 0 OR (p.free_orders = 'kept' AND o.amount_minor = 0))
),
dated AS (
    SELECT
        r.*, r.us + z.offset_us AS local_us, CAST((r.us + z.offset_us + 8640000000000000) // 86400000000 - 100000 AS INTEGER) AS day
    FROM refunded_orders AS r
    JOIN utc_offsets AS z ON z.market = r.market AND r.us >= z.from_us AND r.us < z.to_us
)
SELECT
    r.market, r.customer, r.us, r.local_us, r.day, r.day AS covered_day, 0 AS n_orders, CAST(0 AS BIGINT) AS gross_minor,
    CASE WHEN r.currency = r.market_currency THEN r.refunded_minor
        ELSE CAST(FLOOR(r.refunded_minor * c.factor + 0.5) AS BIGINT) END AS refunded_minor
FROM dated AS r
LEFT JOIN conversions AS c ON c.market = r.market AND c.currency = r.currency AND c.day = r.order_day

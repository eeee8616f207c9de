-- ledger: one row per kept order before as_of. Where refunds count when they are processed, `refunds` adds a row for each of them,
-- and an order that was refunded wholly keeps its money on its day, but is no order.
-- A kept order was not cancelled, not fully refunded by as_of, and has a positive amount (or none, where free orders are kept).
-- In:  keyed_orders, markets_asked, conversions, policy.
-- Out: market; customer, whose id customer_keys has; us, the instant; local_us, the same by the market's clock; day, local to the
--      market; covered_day, the last day on which the order still makes its customer active; n_orders, 1 for a kept order, else 0; gross_minor, refunded_minor, integer
--      minor units of the market's currency, at the rate of the order's day (NULL where there is none, which fails the run).
WITH known_orders AS (
    SELECT
        m.market, o.customer, o.ordered_us, o.local_us, o.currency, o.amount_minor AS gross_minor,
        m.activity_window_days, m.currency AS market_currency,
        CASE WHEN o.refunded_us >= m.as_of_us THEN 0 ELSE COALESCE(o.refunded_minor, 0) END AS refunded_minor
    FROM keyed_orders AS o
    JOIN markets_asked AS m ON m.market = o.market
    WHERE o.ordered_us < m.as_of_us AND NOT COALESCE(o.cancelled, FALSE) AND o.amount_minor >= 0
),
kept_orders AS (
    SELECT
        k.*, p.refund_policy,
        -- 100,000 days are added and taken away, so that the division never meets a negative number
        CAST((k.local_us + 8640000000000000) // 86400000000 - 100000 AS INTEGER) AS day
    FROM known_orders AS k
    CROSS JOIN policy AS p
    WHERE k.gross_minor > k.refunded_minor
        OR (p.free_orders = 'kept' AND k.gross_minor = 0)
        OR (p.refund_policy = 'processed' AND k.gross_minor > 0)
)
SELECT
    k.market, k.customer, k.ordered_us AS us, k.local_us, k.day, CAST(k.day + k.activity_window_days AS INTEGER) AS covered_day,
    CASE WHEN k.gross_minor > 0 AND k.gross_minor <= k.refunded_minor THEN 0 ELSE 1 END AS n_orders,
    CASE WHEN k.currency = k.market_currency THEN k.gross_minor
        ELSE CAST(FLOOR(k.gross_minor * c.factor + 0.5) AS BIGINT) END AS gross_minor,
    CASE WHEN k.refund_policy = 'processed' THEN 0
        WHEN k.currency = k.market_currency THEN k.refunded_minor
        ELSE CAST(FLOOR(k.refunded_minor * c.factor + 0.5) AS BIGINT) END AS refunded_minor
FROM kept_orders AS k
LEFT JOIN conversions AS c ON c.market = k.market AND c.currency = k.currency AND c.day = k.day

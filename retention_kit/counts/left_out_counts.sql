-- left_out_counts: the orders that are in the data and count as nothing, by reason.
-- In:  orders (from ingest), markets_asked, policy.
-- Out: one row per market and reason: n_orders.
-- Keys: market, reason
-- Sums: n_orders
SELECT market, reason, COUNT(*) AS n_orders
FROM (
    SELECT
        o.market,
        CASE
            WHEN o.ordered_us >= m.as_of_us THEN 'at or after as_of'
            WHEN o.cancelled THEN 'cancelled'
            WHEN o.amount_minor < 0 OR (o.amount_minor = 0 AND p.free_orders = 'left_out') THEN 'no positive amount'
            WHEN o.amount_minor > 0 AND o.refunded_minor >= o.amount_minor
                AND (o.refunded_us IS NULL OR o.refunded_us < m.as_of_us)
                THEN 'fully refunded'
        END AS reason
    FROM orders AS o
    JOIN markets_asked AS m ON m.market = o.market
    CROSS JOIN policy AS p
) AS reasons
WHERE reason IS NOT NULL
GROUP BY market, reason
ORDER BY market, reason

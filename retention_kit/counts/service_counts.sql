-- service_counts: how long customers waited for a parcel, or for an answer, and how often what was promised was kept.
-- In:  orders, tickets (from ingest), customer_homes, markets.
-- Out: one row per market (of the order; of the customer who asked), kind ('delivery', from the order to the parcel; 'response', from
--      a question or complaint to the first answer) and hours, whole ones, 1000 and more being 1000: n, parcels delivered or questions
--      answered before as_of; n_promised: of those, with a promise: a parcel's own, an answer's 24 hours; n_kept: of those, in time.
-- Keys: market, kind, hours
-- Sums: n, n_promised, n_kept
WITH waits AS (
    SELECT
        o.market, 'delivery' AS kind, o.delivered_us - o.ordered_us AS waited_us,
        CASE WHEN o.promised_us IS NULL THEN 0 ELSE 1 END AS promised,
        CASE WHEN o.delivered_us <= o.promised_us THEN 1 ELSE 0 END AS kept
    FROM orders AS o
    JOIN markets AS m ON m.market = o.market
    WHERE NOT COALESCE(o.cancelled, FALSE) AND o.delivered_us >= o.ordered_us AND o.delivered_us < m.as_of_us
    UNION ALL
    SELECT
        h.market, 'response' AS kind, t.first_response_us - t.opened_us AS waited_us, 1 AS promised,
        CASE WHEN t.first_response_us - t.opened_us <= 86400000000 THEN 1 ELSE 0 END AS kept
    FROM tickets AS t
    JOIN customer_homes AS h ON h.customer_id = t.customer_id
    JOIN markets AS m ON m.market = h.market
    WHERE t.first_response_us >= t.opened_us AND t.first_response_us < m.as_of_us
        AND (t.kind IS NULL OR t.kind <> 'onboarding')
),
in_hours AS (
    SELECT
        market, kind, promised, kept,
        CASE WHEN waited_us >= 3600000000000 THEN 1000 ELSE CAST(waited_us // 3600000000 AS INTEGER) END AS hours
    FROM waits
)
SELECT market, kind, hours, COUNT(*) AS n, SUM(promised) AS n_promised, SUM(kept) AS n_kept
FROM in_hours
GROUP BY market, kind, hours
ORDER BY market, kind, hours

-- lifetime_counts: how long customers stayed, ended or still running.
-- In:  customer_totals, contracts (the subscriptions of ingest), markets.
-- Out: one row per market, kind and duration_days: n_ended, n_running, which add up (a number at risk would not).
--      kind 'orders': customers, from the first order to the end of the activity window after the last one, or running at as_of;
--      kind 'contract': subscriptions, from start to end, or running at as_of.
-- Keys: market, kind, duration_days
-- Sums: n_ended, n_running
WITH lives AS (
    SELECT
        t.market, 'orders' AS kind,
        CASE WHEN t.covered_day < m.latest_day THEN t.covered_day ELSE m.latest_day END - t.first_day AS duration_days,
        CASE WHEN t.covered_day < m.latest_day THEN 1 ELSE 0 END AS has_ended
    FROM customer_totals AS t
    JOIN markets AS m ON m.market = t.market
    WHERE t.n_orders > 0
    UNION ALL
    SELECT
        s.market, 'contract' AS kind,
        CAST((CASE WHEN s.ended_us < m.as_of_us THEN s.ended_us ELSE m.as_of_us END - s.started_us) // 86400000000 AS BIGINT)
            AS duration_days,
        CASE WHEN s.ended_us < m.as_of_us THEN 1 ELSE 0 END AS has_ended
    FROM contracts AS s
    JOIN markets AS m ON m.market = s.market
    WHERE s.started_us < m.as_of_us
)
SELECT market, kind, duration_days, SUM(has_ended) AS n_ended, SUM(1 - has_ended) AS n_running
FROM lives
GROUP BY market, kind, duration_days
ORDER BY market, kind, duration_days

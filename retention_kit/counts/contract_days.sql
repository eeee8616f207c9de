-- contract_days: on which days of their market's calendar subscriptions began and ended; shared, never collected.
-- In:  subscriptions (of ingest), markets, utc_offsets.
-- Out: one row per subscription that began before as_of: market, customer_id, start_day, end_day (NULL where it runs at as_of).
SELECT
    s.market, s.customer_id,
    -- 100,000 days are added and taken away, so that the division never meets a negative number
    CAST((s.started_us + b.offset_us + 8640000000000000) // 86400000000 - 100000 AS INTEGER) AS start_day,
    CAST(CASE WHEN s.ended_us < m.as_of_us THEN (s.ended_us + e.offset_us + 8640000000000000) // 86400000000 - 100000 END AS INTEGER)
        AS end_day
FROM subscriptions AS s
JOIN markets AS m ON m.market = s.market
JOIN utc_offsets AS b ON b.market = s.market AND s.started_us >= b.from_us AND s.started_us < b.to_us
LEFT JOIN utc_offsets AS e ON e.market = s.market AND s.ended_us >= e.from_us AND s.ended_us < e.to_us
WHERE s.started_us < m.as_of_us

-- renewal_counts: how often subscriptions were renewed, as known now, one and two hold-outs ago, and what became of them then.
-- A renewal is due each week, month, quarter or year after the start, and known of a tenth of that later. Who ends before it, and
-- after the one before was known of, has not made it.
-- In:  contracts (the subscriptions of ingest), markets, holdout (holdout_days), looks (holdouts_ago 0, 1, 2), renewal_lengths.
-- Out: one row per market, period ('week', 'month', 'quarter', 'year'; 'other' for any other word or none, whose renewals are not
--      known), holdouts_ago, renewals and ahead; of the subscriptions that began before then: n_ended, at that renewal; n_running,
--      renewed so often and not ended; n_leaving, renewed so often and ended since, before the next renewal is known of; ahead:
--      renewals of these that came due in the hold-out after; n_kept: of n_running, who renewed all of those. In the look of now
--      nothing is ahead, and n_kept is n_running.
-- Keys: market, period, holdouts_ago, renewals, ahead
-- Sums: n_ended, n_running, n_leaving, n_kept
WITH lives AS (
    SELECT
        s.market, COALESCE(l.period, 'other') AS period, k.holdouts_ago, s.started_us, s.ended_us, l.length_us,
        m.as_of_us - k.holdouts_ago * h.holdout_days * 86400000000 AS then_us,
        m.as_of_us - (k.holdouts_ago - CASE WHEN k.holdouts_ago > 0 THEN 1 ELSE 0 END) * h.holdout_days * 86400000000 AS later_us
    FROM contracts AS s
    JOIN markets AS m ON m.market = s.market
    CROSS JOIN holdout AS h
    CROSS JOIN looks AS k
    LEFT JOIN renewal_lengths AS l ON l.period = s.period
),
begun AS (
    SELECT
        market, period, holdouts_ago, ended_us, then_us, later_us,
        CASE WHEN length_us IS NULL OR then_us - started_us < length_us THEN 0
            ELSE (then_us - started_us - length_us // 10) // length_us END AS due,
        CASE WHEN length_us IS NULL OR later_us - started_us < length_us THEN 0
            ELSE (later_us - started_us - length_us // 10) // length_us END AS due_later,
        CASE WHEN ended_us - started_us < length_us THEN 1
            ELSE (ended_us - started_us - length_us // 10 + length_us - 1) // length_us END AS life
    FROM lives
    WHERE started_us < then_us
),
known AS (
    SELECT
        market, period, holdouts_ago, due, due_later, life,
        CASE WHEN life <= due THEN 1 ELSE 0 END AS has_ended,
        CASE WHEN life <= due_later THEN 1 ELSE 0 END AS has_ended_later,
        CASE WHEN ended_us < then_us THEN 1 ELSE 0 END AS is_over
    FROM begun
)
SELECT
    market, period, holdouts_ago,
    CAST(CASE WHEN has_ended = 1 THEN life ELSE due END AS BIGINT) AS renewals,
    CAST(CASE WHEN has_ended = 1 THEN 0 ELSE due_later - due END AS BIGINT) AS ahead,
    SUM(has_ended) AS n_ended,
    SUM(CASE WHEN has_ended = 0 AND is_over = 0 THEN 1 ELSE 0 END) AS n_running,
    SUM(CASE WHEN has_ended = 0 AND is_over = 1 THEN 1 ELSE 0 END) AS n_leaving,
    SUM(CASE WHEN has_ended = 0 AND is_over = 0 AND has_ended_later = 0 THEN 1 ELSE 0 END) AS n_kept
FROM known
GROUP BY market, period, holdouts_ago, CASE WHEN has_ended = 1 THEN life ELSE due END, CASE WHEN has_ended = 1 THEN 0 ELSE due_later - due END
ORDER BY market, period, holdouts_ago, renewals, ahead

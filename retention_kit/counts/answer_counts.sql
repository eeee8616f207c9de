-- answer_counts: what customers answered to each question, and who ordered within 30, 60, 90, 180 days of answering.
-- In:  surveys (from ingest), customer_homes, customer_keys, ledger, markets, horizons.
-- Out: one row per market of the customer, question, language of the answer ('unknown' where the data do not say), horizon_days and
--      score, rounded to a whole number: n_customers, whose last answer before as_of it is; n_observed: whose last answer of at least
--      horizon_days before as_of it is; n_returned: of those, with a kept order after it and at the most horizon_days later.
-- Keys: market, language, horizon_days, question, score
-- Sums: n_customers, n_observed, n_returned
WITH answers AS (
    SELECT
        h.market, s.question, s.customer_id, COALESCE(s.language, 'unknown') AS language, s.answered_us,
        CAST(FLOOR(s.score + 0.5) AS INTEGER) AS score, m.as_of_us, k.horizon_days,
        CASE WHEN s.answered_us + k.horizon_days * 86400000000 <= m.as_of_us THEN 1 ELSE 0 END AS observed
    FROM surveys AS s
    JOIN customer_homes AS h ON h.customer_id = s.customer_id
    JOIN markets AS m ON m.market = h.market
    CROSS JOIN horizons AS k
    WHERE s.answered_us < m.as_of_us AND s.score IS NOT NULL
),
ordered AS (
    SELECT
        a.*,
        ROW_NUMBER() OVER (PARTITION BY question, customer_id, horizon_days ORDER BY answered_us DESC, score) AS nth,
        ROW_NUMBER() OVER (PARTITION BY question, customer_id, horizon_days, observed ORDER BY answered_us DESC, score) AS nth_alike
    FROM answers AS a
),
watched AS (
    SELECT * FROM ordered WHERE observed = 1 AND nth_alike = 1
),
returned AS (
    SELECT DISTINCT w.question, w.customer_id, w.horizon_days
    FROM watched AS w
    JOIN customer_keys AS i ON i.customer_id = w.customer_id
    JOIN ledger AS l ON l.customer = i.customer AND l.n_orders = 1
    WHERE l.us > w.answered_us AND l.us <= w.answered_us + w.horizon_days * 86400000000
),
told AS (
    SELECT market, question, language, horizon_days, score, 1 AS n_customers, 0 AS n_observed, 0 AS n_returned
    FROM ordered
    WHERE nth = 1
    UNION ALL
    SELECT
        w.market, w.question, w.language, w.horizon_days, w.score, 0 AS n_customers, 1 AS n_observed,
        CASE WHEN r.customer_id IS NULL THEN 0 ELSE 1 END AS n_returned
    FROM watched AS w
    LEFT JOIN returned AS r ON r.question = w.question AND r.customer_id = w.customer_id AND r.horizon_days = w.horizon_days
)
SELECT
    market, question, language, horizon_days, score,
    SUM(n_customers) AS n_customers, SUM(n_observed) AS n_observed, SUM(n_returned) AS n_returned
FROM told
GROUP BY market, question, language, horizon_days, score
ORDER BY market, question, language, horizon_days, score

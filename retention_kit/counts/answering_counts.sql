-- answering_counts: who answers surveys: the customers of the last half year, by whether they had answered, and who ordered since.
-- In:  surveys (from ingest), customer_homes, customer_keys, ledger, markets.
-- Out: one row per market and answered (1 or 0: had answered any question by 90 days before as_of): n_customers, with a kept order
--      181 to 90 days before as_of; n_returned: of those, with a kept order in the 90 days since.
-- Keys: market, answered
-- Sums: n_customers, n_returned
WITH entries AS (
    SELECT
        l.market, l.customer,
        CASE WHEN l.us < m.as_of_us - 7776000000000 THEN 1 ELSE 0 END AS before,
        CASE WHEN l.us >= m.as_of_us - 7776000000000 THEN 1 ELSE 0 END AS later
    FROM ledger AS l
    JOIN markets AS m ON m.market = l.market
    WHERE l.n_orders = 1 AND l.us >= m.as_of_us - 15638400000000
),
recent AS (
    SELECT market, customer, MAX(later) AS later FROM entries GROUP BY market, customer HAVING MAX(before) = 1
),
answerers AS (
    SELECT DISTINCT i.customer, h.market
    FROM surveys AS s
    JOIN customer_keys AS i ON i.customer_id = s.customer_id
    JOIN customer_homes AS h ON h.customer_id = s.customer_id
    JOIN markets AS m ON m.market = h.market
    WHERE s.answered_us < m.as_of_us - 7776000000000
)
SELECT
    r.market, CASE WHEN a.customer IS NULL THEN 0 ELSE 1 END AS answered,
    COUNT(*) AS n_customers, SUM(r.later) AS n_returned
FROM recent AS r
LEFT JOIN answerers AS a ON a.customer = r.customer AND a.market = r.market
GROUP BY r.market, CASE WHEN a.customer IS NULL THEN 0 ELSE 1 END
ORDER BY market, answered

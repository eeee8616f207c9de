-- customer_homes: the market of each customer: that of his record, else of his orders; stays in the engine, never collected.
-- In:  customers (from ingest), customer_keys, ledger.
-- Out: one row per customer: customer_id; market.
SELECT customer_id, COALESCE(MIN(home), MIN(market)) AS market
FROM (
    SELECT customer_id, market AS home, CAST(NULL AS VARCHAR) AS market FROM customers
    UNION ALL
    SELECT i.customer_id, NULL AS home, l.market FROM ledger AS l JOIN customer_keys AS i ON i.customer = l.customer
) AS records
GROUP BY customer_id

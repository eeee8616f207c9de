-- mover_counts: customers who ordered in more than one market: from the market of their first kept order to that of their last.
-- In:  ledger.
-- Out: one row per market, where the first kept order was, and to_market, where the last one was: n_customers. Who went back to
--      where he began has both the same.
-- Keys: market, to_market
-- Sums: n_customers
WITH stays AS (
    SELECT market, customer, MIN(us) AS first_us, MAX(us) AS last_us
    FROM ledger
    WHERE n_orders = 1
    GROUP BY market, customer
),
placed AS (
    SELECT
        market, customer,
        ROW_NUMBER() OVER (PARTITION BY customer ORDER BY first_us, market) AS nth,
        ROW_NUMBER() OVER (PARTITION BY customer ORDER BY last_us DESC, market) AS nth_last,
        COUNT(*) OVER (PARTITION BY customer) AS n_markets
    FROM stays
)
SELECT f.market, l.market AS to_market, COUNT(*) AS n_customers
FROM placed AS f
JOIN placed AS l ON l.customer = f.customer AND l.nth_last = 1
WHERE f.nth = 1 AND f.n_markets > 1
GROUP BY f.market, l.market
ORDER BY f.market, l.market

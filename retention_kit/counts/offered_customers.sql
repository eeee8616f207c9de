-- offered_customers: watched customers, and who of them gets an offer under a budget; stays in the engine: one row a customer.
-- In:  watched_customers, offer_terms (market; n_offers, the most that the budget pays).
-- Out: the rows of watched_customers; and as 1 or 0: chosen, among the n_offers with the most expected saved value, if that is above 0;
--      riskiest, among as many as are chosen with the highest risk.
WITH ranked AS (
    SELECT
        w.*, t.n_offers,
        ROW_NUMBER() OVER (PARTITION BY w.market ORDER BY w.saved_minor DESC, w.customer_id) AS nth_saved,
        ROW_NUMBER() OVER (PARTITION BY w.market ORDER BY w.lapse DESC, w.customer_id) AS nth_risk
    FROM watched_customers AS w
    JOIN offer_terms AS t ON t.market = w.market
),
chosen AS (
    SELECT r.*, CASE WHEN nth_saved <= n_offers AND saved_minor > 0 THEN 1 ELSE 0 END AS chosen FROM ranked AS r
),
n_chosen AS (
    SELECT market, SUM(chosen) AS n FROM chosen GROUP BY market
)
SELECT c.*, CASE WHEN c.nth_risk <= n.n THEN 1 ELSE 0 END AS riskiest
FROM chosen AS c
JOIN n_chosen AS n ON n.market = c.market

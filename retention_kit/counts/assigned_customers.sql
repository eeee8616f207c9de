-- assigned_customers: each customer of each experiment, in the arm he was first put in; stays in the engine, never collected.
-- In:  assignments (from ingest), customer_homes, markets.
-- Out: one row per experiment and customer assigned before as_of: market, of the customer's record, else of his orders; arm and
--      assigned_us, of his first assignment; n_arms, how many arms he was put in before as_of; as_of_us.
WITH known AS (
    SELECT
        a.experiment, h.market, a.customer_id, a.arm, a.assigned_us, m.as_of_us,
        ROW_NUMBER() OVER (PARTITION BY a.experiment, a.customer_id ORDER BY a.assigned_us, a.arm) AS nth
    FROM assignments AS a
    JOIN customer_homes AS h ON h.customer_id = a.customer_id
    JOIN markets AS m ON m.market = h.market
    WHERE a.assigned_us < m.as_of_us
),
arms AS (
    SELECT experiment, customer_id, COUNT(DISTINCT arm) AS n_arms FROM known GROUP BY experiment, customer_id
)
SELECT k.experiment, k.market, k.customer_id, k.arm, k.assigned_us, a.n_arms, k.as_of_us
FROM known AS k
JOIN arms AS a ON a.experiment = k.experiment AND a.customer_id = k.customer_id
WHERE k.nth = 1

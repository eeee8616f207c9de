-- experiment_counts: who of each arm of each experiment ordered within 60 days of being assigned.
-- In:  assignments, customers (from ingest), ledger, markets, outcome_horizon.
-- Out: one row per experiment, market of the customer and arm: horizon_days; n_assigned before as_of;
--      n_observed: of those, assigned at least horizon_days before as_of; n_returned: of those, with a kept order
--      after the assignment and at the most horizon_days later.
WITH homes AS (
    -- the market of the customer's record, else of his orders
    SELECT customer_id, COALESCE(MIN(home), MIN(market)) AS market
    FROM (
        SELECT customer_id, market AS home, CAST(NULL AS VARCHAR) AS market FROM customers
        UNION ALL
        SELECT i.customer_id, NULL AS home, l.market FROM ledger AS l JOIN customer_keys AS i ON i.customer = l.customer
    ) AS records
    GROUP BY customer_id
),
assigned AS (
    SELECT
        a.experiment, h.market, a.arm, a.customer_id, a.assigned_us, o.horizon_days,
        CASE WHEN a.assigned_us + o.horizon_days * 86400000000 <= m.as_of_us THEN 1 ELSE 0 END AS observed
    FROM assignments AS a
    JOIN homes AS h ON h.customer_id = a.customer_id
    JOIN markets AS m ON m.market = h.market
    CROSS JOIN outcome_horizon AS o
    WHERE a.assigned_us < m.as_of_us
),
returned AS (
    SELECT DISTINCT a.experiment, a.customer_id
    FROM assigned AS a
    JOIN customer_keys AS i ON i.customer_id = a.customer_id
    JOIN ledger AS l ON l.customer = i.customer AND l.n_orders = 1
    WHERE l.us > a.assigned_us AND l.us <= a.assigned_us + a.horizon_days * 86400000000
)
SELECT
    a.experiment, a.market, a.arm, a.horizon_days,
    COUNT(*) AS n_assigned,
    SUM(a.observed) AS n_observed,
    SUM(CASE WHEN a.observed = 1 AND r.customer_id IS NOT NULL THEN 1 ELSE 0 END) AS n_returned
FROM assigned AS a
LEFT JOIN returned AS r ON r.experiment = a.experiment AND r.customer_id = a.customer_id
GROUP BY a.experiment, a.market, a.arm, a.horizon_days
ORDER BY a.experiment, a.market, a.arm

-- experiment_counts: who of each arm of each experiment ordered within 30, 60, 90, 180 days of being assigned.
-- In:  assigned_customers, customer_keys, ledger, horizons.
-- Out: one row per experiment, market of the customer, arm of his first assignment and horizon_days. Of customers put in one arm
--      only: n_assigned before as_of; n_observed: of those, assigned at least horizon_days before as_of; n_returned: of those,
--      with a kept order after the assignment and at the most horizon_days later. n_in_two_arms: customers who were put in
--      another arm too, and are in none of the other numbers.
-- Keys: market, horizon_days, experiment, arm
-- Sums: n_assigned, n_observed, n_returned, n_in_two_arms
WITH assigned AS (
    SELECT
        a.experiment, a.market, a.arm, a.customer_id, a.assigned_us, a.n_arms, h.horizon_days,
        CASE WHEN a.n_arms = 1 AND a.assigned_us + h.horizon_days * 86400000000 <= a.as_of_us THEN 1 ELSE 0 END AS observed
    FROM assigned_customers AS a
    CROSS JOIN horizons AS h
),
returned AS (
    SELECT DISTINCT a.experiment, a.horizon_days, a.customer_id
    FROM assigned AS a
    JOIN customer_keys AS i ON i.customer_id = a.customer_id
    JOIN ledger AS l ON l.customer = i.customer AND l.n_orders = 1
    WHERE a.observed = 1 AND l.us > a.assigned_us AND l.us <= a.assigned_us + a.horizon_days * 86400000000
)
SELECT
    a.experiment, a.market, a.arm, a.horizon_days,
    SUM(CASE WHEN a.n_arms = 1 THEN 1 ELSE 0 END) AS n_assigned,
    SUM(a.observed) AS n_observed,
    COUNT(r.customer_id) AS n_returned,
    SUM(CASE WHEN a.n_arms > 1 THEN 1 ELSE 0 END) AS n_in_two_arms
FROM assigned AS a
LEFT JOIN returned AS r ON r.experiment = a.experiment AND r.horizon_days = a.horizon_days AND r.customer_id = a.customer_id
GROUP BY a.experiment, a.market, a.arm, a.horizon_days
ORDER BY a.experiment, a.market, a.arm, a.horizon_days

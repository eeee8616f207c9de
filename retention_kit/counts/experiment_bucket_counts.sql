-- experiment_bucket_counts: what the customers of each arm brought, in 200 buckets thrown by chance: a customer stays whole.
-- In:  assigned_customers, assigned_buckets, customer_keys, ledger, horizons.
-- Out: one row per experiment, market of the customer, arm, horizon_days and bucket, of customers put in one arm only and assigned at
--      least horizon_days before as_of: n_customers; n_orders, kept ones, and revenue_minor, net, after the assignment and at the
--      most horizon_days later; before_minor: the same revenue of the 365 days before the assignment. Money is that spent
--      in the customer's own market, minor units.
-- Keys: market, horizon_days, bucket, experiment, arm
-- Sums: n_customers, n_orders, revenue_minor, before_minor
WITH observed AS (
    SELECT a.experiment, a.market, a.arm, a.customer_id, a.assigned_us, h.horizon_days
    FROM assigned_customers AS a
    JOIN horizons AS h ON a.n_arms = 1 AND a.assigned_us + h.horizon_days * 86400000000 <= a.as_of_us
),
entries AS (
    SELECT
        o.experiment, o.customer_id, o.horizon_days, l.n_orders,
        CASE WHEN l.us > o.assigned_us THEN 1 ELSE 0 END AS later,
        CASE WHEN l.market = o.market THEN l.gross_minor - l.refunded_minor ELSE 0 END AS revenue_minor
    FROM observed AS o
    JOIN customer_keys AS i ON i.customer_id = o.customer_id
    JOIN ledger AS l ON l.customer = i.customer
    WHERE l.us > o.assigned_us - 31536000000000 AND l.us <= o.assigned_us + o.horizon_days * 86400000000
),
brought AS (
    SELECT
        experiment, customer_id, horizon_days,
        SUM(later * n_orders) AS n_orders,
        SUM(later * revenue_minor) AS revenue_minor,
        SUM((1 - later) * revenue_minor) AS before_minor
    FROM entries
    GROUP BY experiment, customer_id, horizon_days
)
SELECT
    o.experiment, o.market, o.arm, o.horizon_days, b.bucket,
    COUNT(*) AS n_customers,
    COALESCE(SUM(e.n_orders), 0) AS n_orders,
    COALESCE(SUM(e.revenue_minor), 0) AS revenue_minor,
    COALESCE(SUM(e.before_minor), 0) AS before_minor
FROM observed AS o
JOIN assigned_buckets AS b ON b.customer_id = o.customer_id
LEFT JOIN brought AS e ON e.experiment = o.experiment AND e.customer_id = o.customer_id AND e.horizon_days = o.horizon_days
GROUP BY o.experiment, o.market, o.arm, o.horizon_days, b.bucket
ORDER BY o.experiment, o.market, o.arm, o.horizon_days, b.bucket

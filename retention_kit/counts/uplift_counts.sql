-- uplift_counts: who of each arm of each experiment ordered, by what he had done before he was assigned.
-- In:  assigned_customers, customer_keys, ledger, horizons.
-- Out: one row per experiment, market of the customer, arm, horizon_days, order_days (days with a kept order of that market before the
--      assignment, 5 being 5 and more) and silent_days (whole 30 days, in days, from the last of these orders to the assignment, 180
--      being 180 and more; 0 without an order); of customers put in one arm only and assigned at least horizon_days before as_of:
--      n_observed; n_returned: of those, with a kept order in their market after the assignment and at the most horizon_days later;
--      revenue_minor: what these orders brought, net, minor units.
-- Keys: market, horizon_days, experiment, arm, order_days, silent_days
-- Sums: n_observed, n_returned, revenue_minor
WITH observed AS (
    SELECT a.experiment, a.market, a.arm, a.assigned_us, h.horizon_days, i.customer
    FROM assigned_customers AS a
    JOIN horizons AS h ON a.n_arms = 1 AND a.assigned_us + h.horizon_days * 86400000000 <= a.as_of_us
    JOIN customer_keys AS i ON i.customer_id = a.customer_id
),
entries AS (
    SELECT
        o.experiment, o.horizon_days, o.customer,
        CASE WHEN l.us <= o.assigned_us THEN l.day END AS day_before,
        CASE WHEN l.us <= o.assigned_us THEN l.us END AS us_before,
        CASE WHEN l.us > o.assigned_us THEN 1 ELSE 0 END AS later,
        l.gross_minor - l.refunded_minor AS revenue_minor
    FROM observed AS o
    JOIN ledger AS l ON l.customer = o.customer AND l.market = o.market AND l.n_orders = 1
    WHERE l.us <= o.assigned_us + o.horizon_days * 86400000000
),
histories AS (
    SELECT
        experiment, horizon_days, customer, COUNT(DISTINCT day_before) AS n_days, MAX(us_before) AS last_us,
        MAX(later) AS returned, SUM(later * revenue_minor) AS revenue_minor
    FROM entries
    GROUP BY experiment, horizon_days, customer
),
people AS (
    SELECT
        o.experiment, o.market, o.arm, o.horizon_days,
        CASE WHEN h.n_days >= 5 THEN 5 ELSE COALESCE(h.n_days, 0) END AS order_days,
        CASE WHEN h.last_us IS NULL THEN 0 WHEN o.assigned_us - h.last_us >= 15552000000000 THEN 180
            ELSE CAST((o.assigned_us - h.last_us) // 2592000000000 * 30 AS INTEGER) END AS silent_days,
        COALESCE(h.returned, 0) AS returned, COALESCE(h.revenue_minor, 0) AS revenue_minor
    FROM observed AS o
    LEFT JOIN histories AS h ON h.experiment = o.experiment AND h.horizon_days = o.horizon_days AND h.customer = o.customer
)
SELECT
    experiment, market, arm, horizon_days, order_days, silent_days,
    COUNT(*) AS n_observed, SUM(returned) AS n_returned, SUM(revenue_minor) AS revenue_minor
FROM people
GROUP BY experiment, market, arm, horizon_days, order_days, silent_days
ORDER BY experiment, market, arm, horizon_days, order_days, silent_days

-- spend_counts: what customers spend on an order day: a model of spend needs each one's mean, and no more of him than its bin.
-- In:  customer_totals, bins.
-- Out: one row per market, n_days (order days of a customer, the first one too) and spend_bin: the least mean value of the bin, in
--      minor units, two digits long (3,500 for 35.00 to 35.99); 0 for customers whose net revenue is 0 or below; n_customers;
--      revenue_minor, net, minor units, summed over them and their days.
-- Keys: market, n_days, spend_bin
-- Sums: n_customers, revenue_minor
WITH means AS (
    SELECT
        market, n_order_days AS n_days, gross_minor - refunded_minor AS revenue_minor,
        CASE WHEN gross_minor > refunded_minor THEN (gross_minor - refunded_minor) // n_order_days ELSE 0 END AS mean_minor
    FROM customer_totals
    WHERE n_order_days > 0
),
binned AS (
    SELECT m.market, m.n_days, m.revenue_minor, CAST(m.mean_minor // b.width * b.width AS BIGINT) AS spend_bin
    FROM means AS m
    JOIN bins AS b ON m.mean_minor >= b.least AND m.mean_minor < b.beyond
)
SELECT market, n_days, spend_bin, COUNT(*) AS n_customers, SUM(revenue_minor) AS revenue_minor
FROM binned
GROUP BY market, n_days, spend_bin
ORDER BY market, n_days, spend_bin

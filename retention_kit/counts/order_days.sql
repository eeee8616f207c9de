-- order_days: the ledger in the order of each customer's days; shared, never collected.
-- In:  ledger.
-- Out: the ledger's rows; of kept orders also nth_day: 1 on the first day with a kept order, 2 on the second, …; day_before: the
--      day of the customer's order before, NULL for his first; new_day: 1 for the first order of a day, else 0. Of other rows, no
--      covered_day.
WITH placed AS (
    SELECT
        market, customer, day, covered_day, n_orders, gross_minor, refunded_minor,
        CAST(DENSE_RANK() OVER w AS INTEGER) AS nth_day,
        LAG(day) OVER w AS day_before
    FROM ledger
    WHERE n_orders = 1
    WINDOW w AS (PARTITION BY market, customer ORDER BY day)
)
SELECT p.*, CASE WHEN day_before IS NULL OR day_before < day THEN 1 ELSE 0 END AS new_day
FROM placed AS p
UNION ALL
SELECT market, customer, day, NULL AS covered_day, n_orders, gross_minor, refunded_minor, NULL AS nth_day, NULL AS day_before, 0 AS new_day
FROM ledger
WHERE n_orders = 0

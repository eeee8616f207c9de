-- customer_periods: what each customer did in each period; shared by the counts tables, never collected.
-- In:  ledger, grains.
-- Out: one row per market, grain, customer and period with an entry:
--      n_orders, n_order_days: kept orders, and the days with one; gross_minor, refunded_minor;
--      first_period: the period of the customer's first kept order ever.
WITH by_period AS (
    SELECT
        l.market, g.grain, l.customer_id,
        CASE g.grain
            WHEN 'day' THEN l.day
            WHEN 'week' THEN l.week
            WHEN 'month' THEN l.month
            WHEN 'quarter' THEN l.quarter
            WHEN 'year' THEN l.year
            WHEN 'history' THEN 0
            WHEN 'last_year' THEN CASE WHEN l.day >= m.year_ago_day THEN 0 END
        END AS period,
        l.day, l.n_orders, l.gross_minor, l.refunded_minor
    FROM ledger AS l
    JOIN markets AS m ON m.market = l.market
    CROSS JOIN grains AS g
),
summed AS (
    SELECT
        market, grain, customer_id, period,
        SUM(n_orders) AS n_orders,
        COUNT(DISTINCT CASE WHEN n_orders = 1 THEN day END) AS n_order_days,
        SUM(gross_minor) AS gross_minor,
        SUM(refunded_minor) AS refunded_minor
    FROM by_period
    WHERE period IS NOT NULL
    GROUP BY market, grain, customer_id, period
)
SELECT
    s.*,
    MIN(CASE WHEN n_orders > 0 THEN period END) OVER (PARTITION BY market, grain, customer_id) AS first_period
FROM summed AS s

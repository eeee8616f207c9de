-- order_counts: customers, kept orders and money of each period.
-- In:  cohort_cells, customer_totals, markets, periods.
-- Out: one row per market, grain and period; grain 'history' is everything before as_of, 'last_year' the twelve months before it.
--      n_customers: with at least one kept order; n_repeat_customers: with two or more; n_repeat_customers_by_days: on two or more days;
--      n_orders; n_order_days: summed over customers; gross_minor, refunded_minor, and revenue_minor, their difference;
--      complete: 1 when the period is over at as_of; first_day, next_day: the period is [first_day, next_day), days since 1970-01-01.
-- Keys: market, grain, period
-- Sums: n_customers, n_repeat_customers, n_repeat_customers_by_days, n_orders, n_order_days, gross_minor,
--       refunded_minor, revenue_minor
-- Flags: complete min, first_day min, next_day max
WITH summed AS (
    SELECT
        market, grain, period,
        SUM(n_active) AS n_customers, SUM(n_repeat) AS n_repeat_customers, SUM(n_repeat_by_days) AS n_repeat_customers_by_days,
        SUM(n_orders) AS n_orders, SUM(n_order_days) AS n_order_days,
        SUM(gross_minor) AS gross_minor, SUM(refunded_minor) AS refunded_minor
    FROM cohort_cells
    GROUP BY market, grain, period
    UNION ALL
    SELECT
        market, 'history' AS grain, 0 AS period,
        SUM(CASE WHEN n_orders > 0 THEN 1 ELSE 0 END) AS n_customers,
        SUM(CASE WHEN n_orders > 1 THEN 1 ELSE 0 END) AS n_repeat_customers,
        SUM(CASE WHEN n_order_days > 1 THEN 1 ELSE 0 END) AS n_repeat_customers_by_days,
        SUM(n_orders) AS n_orders, SUM(n_order_days) AS n_order_days,
        SUM(gross_minor) AS gross_minor, SUM(refunded_minor) AS refunded_minor
    FROM customer_totals
    GROUP BY market
    UNION ALL
    SELECT
        market, 'last_year' AS grain, 0 AS period,
        SUM(CASE WHEN year_n_orders > 0 THEN 1 ELSE 0 END) AS n_customers,
        SUM(CASE WHEN year_n_orders > 1 THEN 1 ELSE 0 END) AS n_repeat_customers,
        SUM(CASE WHEN year_n_order_days > 1 THEN 1 ELSE 0 END) AS n_repeat_customers_by_days,
        SUM(year_n_orders) AS n_orders, SUM(year_n_order_days) AS n_order_days,
        SUM(year_gross_minor) AS gross_minor, SUM(year_refunded_minor) AS refunded_minor
    FROM customer_totals
    GROUP BY market
),
asked AS (
    SELECT
        m.market, p.grain, p.period, p.first_day, p.next_day,
        CASE WHEN p.next_day <= m.as_of_day THEN 1 ELSE 0 END AS complete
    FROM markets AS m
    JOIN periods AS p ON p.first_day < m.observed_to_day AND p.next_day > m.first_order_day
    UNION ALL
    SELECT
        m.market, g.grain, 0 AS period,
        CASE WHEN g.grain = 'last_year' THEN m.year_ago_day ELSE m.first_order_day END AS first_day,
        m.observed_to_day AS next_day,
        1 AS complete
    FROM markets AS m
    CROSS JOIN (SELECT 'history' AS grain UNION ALL SELECT 'last_year' AS grain) AS g
    WHERE m.first_order_day IS NOT NULL
)
SELECT
    k.market, k.grain, k.period, k.complete, k.first_day, k.next_day,
    COALESCE(s.n_customers, 0) AS n_customers,
    COALESCE(s.n_repeat_customers, 0) AS n_repeat_customers,
    COALESCE(s.n_repeat_customers_by_days, 0) AS n_repeat_customers_by_days,
    COALESCE(s.n_orders, 0) AS n_orders,
    COALESCE(s.n_order_days, 0) AS n_order_days,
    COALESCE(s.gross_minor, 0) AS gross_minor,
    COALESCE(s.refunded_minor, 0) AS refunded_minor,
    COALESCE(s.gross_minor, 0) - COALESCE(s.refunded_minor, 0) AS revenue_minor
FROM asked AS k
LEFT JOIN summed AS s ON s.market = k.market AND s.grain = k.grain AND s.period = k.period
ORDER BY k.market, k.grain, k.period

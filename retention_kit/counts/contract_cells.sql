-- contract_cells: from which boundary to which subscriptions keep their customers active, without a gap; shared.
-- A subscription runs at a boundary when it began on a day before it and did not end on one before it. A boundary is named by the
-- period it opens. Subscriptions of a customer that touch or overlap are one stretch.
-- In:  running_days (those of contract_days that are counted), markets, periods, period_days.
-- Out: as of coverage_cells: one row per market, grain, period (in which the stretch begins), last_boundary, is_new (the customer's
--      first subscription ever began in the period), held, goes_on (0: the stretch is whole): n_customers.
WITH calendar AS (
    -- what began before the first day that has a period is of the first period, or of those before it
    SELECT f.grain, f.first_period, p.first_day
    FROM (SELECT grain, MIN(period) AS first_period FROM period_days GROUP BY grain) AS f
    JOIN periods AS p ON p.grain = f.grain AND p.period = f.first_period
),
spans AS (
    SELECT
        r.market, c.grain, r.customer_id,
        COALESCE(b.period, CASE WHEN r.start_day < c.first_day THEN c.first_period - 1 ELSE c.first_period END) AS period,
        CASE WHEN r.end_day IS NULL THEN n.period + 1
            ELSE COALESCE(e.period, CASE WHEN r.end_day < c.first_day THEN c.first_period - 1 ELSE c.first_period END) END
            AS last_boundary
    FROM running_days AS r
    JOIN markets AS m ON m.market = r.market
    CROSS JOIN calendar AS c
    JOIN period_days AS n ON n.grain = c.grain AND n.day = m.latest_day
    LEFT JOIN period_days AS b ON b.grain = c.grain AND b.day = r.start_day
    LEFT JOIN period_days AS e ON e.grain = c.grain AND e.day = r.end_day
),
known AS (
    SELECT market, grain, customer_id, period, last_boundary, MIN(period) OVER (PARTITION BY market, grain, customer_id) AS first_period
    FROM spans
),
lasting AS (
    SELECT
        market, grain, customer_id, period, last_boundary, first_period,
        MAX(last_boundary) OVER (
            PARTITION BY market, grain, customer_id ORDER BY period, last_boundary ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS lasted_until
    FROM known
    WHERE last_boundary > period
),
numbered AS (
    SELECT
        market, grain, customer_id, period, last_boundary, first_period,
        SUM(CASE WHEN lasted_until >= period THEN 0 ELSE 1 END) OVER (
            PARTITION BY market, grain, customer_id ORDER BY period, last_boundary ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stretch
    FROM lasting
),
stretches AS (
    SELECT
        market, grain, customer_id, stretch, MIN(period) AS period, MAX(last_boundary) AS last_boundary, MIN(first_period) AS first_period
    FROM numbered
    GROUP BY market, grain, customer_id, stretch
)
SELECT
    market, grain, period, last_boundary, CASE WHEN period = first_period THEN 1 ELSE 0 END AS is_new, 0 AS held, 0 AS goes_on,
    COUNT(*) AS n_customers
FROM stretches
GROUP BY market, grain, period, last_boundary, CASE WHEN period = first_period THEN 1 ELSE 0 END

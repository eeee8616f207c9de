-- repeat_spend_counts: what customers spend on an order day after their first, now and one hold-out ago: a model of what later order
-- days bring is fitted to these, because first orders are often of another size. And what they spent on the first one.
-- In:  order_days, markets, holdout (holdout_days), looks (holdouts_ago 0, 1, 2), bins.
-- Out: one row per market, holdouts_ago (0 or 1), n_days (order days after the first, known then; 0: the first one, of everybody) and
--      spend_bin: the least mean value of the bin, in minor units, two digits long, 0 where revenue is 0 or below, as in spend_counts;
--      n_customers; revenue_minor, minor units, summed over them and these days: of the orders themselves, less refunds where a
--      refund lowers the order it belongs to, those known by now.
-- Keys: market, holdouts_ago, n_days, spend_bin
-- Sums: n_customers, revenue_minor
WITH totals AS (
    SELECT
        o.market, k.holdouts_ago, o.customer, CASE WHEN o.nth_day > 1 THEN 1 ELSE 0 END AS is_later,
        CAST(SUM(o.new_day) AS BIGINT) AS n_days, CAST(SUM(o.gross_minor - o.refunded_minor) AS BIGINT) AS revenue_minor
    FROM order_days AS o
    JOIN markets AS m ON m.market = o.market
    CROSS JOIN holdout AS h
    JOIN looks AS k ON k.holdouts_ago < 2
    WHERE o.n_orders = 1 AND o.day < m.latest_day - k.holdouts_ago * h.holdout_days
    GROUP BY o.market, k.holdouts_ago, o.customer, CASE WHEN o.nth_day > 1 THEN 1 ELSE 0 END
),
means AS (
    SELECT
        market, holdouts_ago, is_later * n_days AS n_days, revenue_minor,
        CASE WHEN revenue_minor > 0 THEN revenue_minor // n_days ELSE 0 END AS mean_minor
    FROM totals
),
binned AS (
    SELECT m.market, m.holdouts_ago, m.n_days, m.revenue_minor, CAST(m.mean_minor // b.width * b.width AS BIGINT) AS spend_bin
    FROM means AS m
    JOIN bins AS b ON m.mean_minor >= b.least AND m.mean_minor < b.beyond
)
SELECT market, holdouts_ago, n_days, spend_bin, COUNT(*) AS n_customers, SUM(revenue_minor) AS revenue_minor
FROM binned
GROUP BY market, holdouts_ago, n_days, spend_bin
ORDER BY market, holdouts_ago, n_days, spend_bin

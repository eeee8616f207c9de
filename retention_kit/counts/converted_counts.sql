-- converted_counts: the net revenue of each market in the group's currency: at the rate of each day, and at constant rates.
-- The constant rate of a market is that of the last day before as_of. The difference between the two is what rates did.
-- In:  ledger, period_days, group_conversions, constant_conversions.
-- Out: one row per market, grain and period: n_orders, kept orders; n_without_rate: entries on a day without a rate, whose money is
--      in no sum; order_date_minor, constant_minor: net, minor units of the group's currency, rounded entry by entry.
-- Keys: market, grain, period
-- Sums: n_orders, n_without_rate, order_date_minor, constant_minor
WITH priced AS (
    SELECT
        l.market, l.day,
        SUM(l.n_orders) AS n_orders,
        SUM(CASE WHEN f.factor IS NULL OR c.factor IS NULL THEN 1 ELSE 0 END) AS n_without_rate,
        COALESCE(SUM(CAST(FLOOR((l.gross_minor - l.refunded_minor) * f.factor + 0.5) AS BIGINT)), 0) AS order_date_minor,
        COALESCE(SUM(CAST(FLOOR((l.gross_minor - l.refunded_minor) * c.factor + 0.5) AS BIGINT)), 0) AS constant_minor
    FROM ledger AS l
    LEFT JOIN group_conversions AS f ON f.market = l.market AND f.day = l.day
    LEFT JOIN constant_conversions AS c ON c.market = l.market
    GROUP BY l.market, l.day
)
SELECT
    p.market, d.grain, d.period, SUM(p.n_orders) AS n_orders, SUM(p.n_without_rate) AS n_without_rate,
    SUM(p.order_date_minor) AS order_date_minor, SUM(p.constant_minor) AS constant_minor
FROM priced AS p
JOIN period_days AS d ON d.day = p.day
GROUP BY p.market, d.grain, d.period
ORDER BY p.market, d.grain, d.period

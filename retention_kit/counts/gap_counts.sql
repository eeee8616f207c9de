-- gap_counts: how many days lie between a customer's order days.
-- In:  order_days, customer_totals, markets.
-- Out: one row per market, nth and gap_days: nth: 1 from the first order day to the second, …, 5 for the fifth and all later;
--      n_closed: gaps that ended with an order after gap_days; n_open: customers whose last order day lies gap_days before as_of.
-- Keys: market, nth, gap_days
-- Sums: n_closed, n_open
WITH gaps AS (
    SELECT
        market, CASE WHEN nth_day > 5 THEN 5 ELSE nth_day - 1 END AS nth, day - day_before AS gap_days,
        COUNT(*) AS n_closed, 0 AS n_open
    FROM order_days
    WHERE new_day = 1 AND nth_day > 1
    GROUP BY market, CASE WHEN nth_day > 5 THEN 5 ELSE nth_day - 1 END, day - day_before
    UNION ALL
    SELECT
        t.market, CASE WHEN t.n_order_days > 5 THEN 5 ELSE t.n_order_days END AS nth, m.latest_day - t.last_day AS gap_days,
        0 AS n_closed, COUNT(*) AS n_open
    FROM customer_totals AS t
    JOIN markets AS m ON m.market = t.market
    WHERE t.n_orders > 0
    GROUP BY t.market, CASE WHEN t.n_order_days > 5 THEN 5 ELSE t.n_order_days END, m.latest_day - t.last_day
)
SELECT market, nth, gap_days, SUM(n_closed) AS n_closed, SUM(n_open) AS n_open
FROM gaps
GROUP BY market, nth, gap_days
ORDER BY market, nth, gap_days

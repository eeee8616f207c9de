-- segment_counts: customers by their scores of recency, frequency and money, 1 to 5, by cut points that all markets share.
-- In:  customer_totals, markets, policy, rfm_cuts (one row: r_1 … r_4, f_1 … f_4, m_1 … m_4, the least value of the scores 2 to 5; of
--      recency the greatest: few units of unit_days since the last order are a high score).
-- Out: one row per market and r_score, f_score, m_score; n_customers; n_order_days; revenue_minor, net, minor units. Money is scored
--      in thousandths of the market's mean net revenue of a customer, so that currencies do not matter.
WITH values_of AS (
    SELECT
        t.market, t.n_order_days, t.gross_minor - t.refunded_minor AS revenue_minor,
        (m.latest_day - t.last_day) // p.unit_days AS recency,
        SUM(t.gross_minor - t.refunded_minor) OVER (PARTITION BY t.market) AS all_minor,
        COUNT(*) OVER (PARTITION BY t.market) AS n_all
    FROM customer_totals AS t
    JOIN markets AS m ON m.market = t.market
    CROSS JOIN policy AS p
    WHERE t.n_order_days > 0
),
scaled AS (
    SELECT
        v.*,
        CASE WHEN revenue_minor <= 0 OR all_minor <= 0 THEN 0
            ELSE FLOOR(CAST(revenue_minor AS DOUBLE) * 1000 * n_all / all_minor) END AS money
    FROM values_of AS v
),
scored AS (
    SELECT
        s.market, s.n_order_days, s.revenue_minor,
        1 + CASE WHEN s.recency <= c.r_1 THEN 1 ELSE 0 END + CASE WHEN s.recency <= c.r_2 THEN 1 ELSE 0 END
            + CASE WHEN s.recency <= c.r_3 THEN 1 ELSE 0 END + CASE WHEN s.recency <= c.r_4 THEN 1 ELSE 0 END AS r_score,
        1 + CASE WHEN s.n_order_days >= c.f_1 THEN 1 ELSE 0 END + CASE WHEN s.n_order_days >= c.f_2 THEN 1 ELSE 0 END
            + CASE WHEN s.n_order_days >= c.f_3 THEN 1 ELSE 0 END + CASE WHEN s.n_order_days >= c.f_4 THEN 1 ELSE 0 END AS f_score,
        1 + CASE WHEN s.money >= c.m_1 THEN 1 ELSE 0 END + CASE WHEN s.money >= c.m_2 THEN 1 ELSE 0 END
            + CASE WHEN s.money >= c.m_3 THEN 1 ELSE 0 END + CASE WHEN s.money >= c.m_4 THEN 1 ELSE 0 END AS m_score
    FROM scaled AS s
    CROSS JOIN rfm_cuts AS c
)
SELECT
    market, r_score, f_score, m_score,
    COUNT(*) AS n_customers, SUM(n_order_days) AS n_order_days, SUM(revenue_minor) AS revenue_minor
FROM scored
GROUP BY market, r_score, f_score, m_score
ORDER BY market, r_score, f_score, m_score

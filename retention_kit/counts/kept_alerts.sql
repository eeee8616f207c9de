-- kept_alerts: the list of a team where it stays with the engine, because there is no key for pseudonyms: one row a customer.
-- In:  offered_customers, alerted (market, customer_id; alerted_day, lapse: when a customer was last alerted, and how likely he
--      was to leave then), list_terms (as_of_day, capacity, again_after_days; worse_by in millionths), list_markets (market).
-- Out: market, customer_id, lapse, value_minor, saved_minor, silent, smaller, quieter, unhappy, trouble, chosen, as in
--      offered_customers, of those worth an offer, most expected saved value first, at the most capacity; nobody within again_after_days
--      of having been alerted unless his risk has risen by worse_by; is_again, 1 for who was alerted on an earlier day. Of the others
--      n_spared is how many they are.
WITH worth AS (
    SELECT
        o.market, o.customer_id, o.lapse, o.value_minor, o.saved_minor, o.silent, o.smaller, o.quieter, o.unhappy, o.trouble, o.chosen,
        t.capacity,
        CASE WHEN a.alerted_day < t.as_of_day THEN 1 ELSE 0 END AS is_again,
        CASE WHEN a.alerted_day < t.as_of_day AND t.as_of_day - a.alerted_day < t.again_after_days
            AND o.lapse < a.lapse + t.worse_by THEN 1 ELSE 0 END AS spared
    FROM offered_customers AS o
    JOIN list_markets AS m ON m.market = o.market
    CROSS JOIN list_terms AS t
    LEFT JOIN alerted AS a ON a.market = o.market AND a.customer_id = o.customer_id
    WHERE o.saved_minor > 0
),
ranked AS (
    SELECT
        w.*,
        SUM(spared) OVER (PARTITION BY market) AS n_spared,
        ROW_NUMBER() OVER (PARTITION BY market, spared ORDER BY saved_minor DESC, customer_id) AS nth
    FROM worth AS w
)
SELECT
    market, customer_id, lapse, value_minor, saved_minor, silent, smaller, quieter, unhappy, trouble, chosen, is_again, n_spared
FROM ranked
WHERE spared = 0 AND nth <= capacity

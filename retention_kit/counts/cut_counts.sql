-- cut_counts: who came back, by what is known of the customer: the second order day within 30, 60, 90, 180 days of the first.
-- In:  customer_facts, cuts, horizons.
-- Out: one row per market, cut, landmark_days, value and horizon_days: n_observed: customers whose first order is at least
--      that many days before as_of (the last day of so short a follow-up is as_of's own) and who had not come back by
--      landmark_days, the day on which the value is known; n_returned: of those, with a second order day at the most
--      horizon_days after the first.
-- Keys: market, cut, landmark_days, value, horizon_days
-- Sums: n_observed, n_returned
WITH valued AS (
    SELECT
        f.market, k.cut, k.landmark_days, h.horizon_days,
        CASE k.cut
            WHEN 'everybody' THEN 'everybody'
            WHEN 'payment_method' THEN f.payment_method
            WHEN 'channel' THEN f.channel
            WHEN 'coupon' THEN f.coupon
            WHEN 'first_delivery' THEN f.first_delivery
            WHEN 'acquisition_channel' THEN f.acquisition_channel
            WHEN 'season' THEN f.season
            WHEN 'language' THEN f.language
            WHEN 'referred' THEN f.referred
            WHEN 'first_contact' THEN f.first_contact
            WHEN 'support' THEN f.support
            WHEN 'loyalty' THEN f.loyalty
        END AS value,
        CASE WHEN f.second_day - f.first_day <= h.horizon_days THEN 1 ELSE 0 END AS returned
    FROM customer_facts AS f
    CROSS JOIN cuts AS k
    JOIN horizons AS h ON f.observed_days >= h.horizon_days AND h.horizon_days > k.landmark_days
    WHERE k.landmark_days = 0 OR f.second_day IS NULL OR f.second_day - f.first_day > k.landmark_days
)
SELECT market, cut, landmark_days, value, horizon_days, COUNT(*) AS n_observed, SUM(returned) AS n_returned
FROM valued
WHERE value IS NOT NULL
GROUP BY market, cut, landmark_days, value, horizon_days
ORDER BY market, cut, value, horizon_days

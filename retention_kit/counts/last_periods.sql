-- last_periods: the last period of each length that is over in every market; shared, never collected.
-- In:  markets, periods.
-- Out: one row per grain: period, first_day, next_day.
SELECT p.grain, p.period, p.first_day, p.next_day
FROM periods AS p
JOIN (
    SELECT q.grain, MAX(q.period) AS period
    FROM periods AS q
    JOIN (SELECT MIN(as_of_day) AS as_of_day FROM markets) AS m ON q.next_day <= m.as_of_day
    GROUP BY q.grain
) AS l ON l.grain = p.grain AND l.period = p.period

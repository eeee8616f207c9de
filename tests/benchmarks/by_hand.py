"""One DuckDB query per counts table, as a good analyst would write it for the month: the benchmark's yardstick.

Each reads the Parquet files itself, without a check of anything. The small tables `market_dim` and `offset_dim` are
given: what is known of each market, and its offsets from UTC. Money is in units of the currency.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb

_KEPT = """
kept AS (
    SELECT
        o.market, o.customer_id, o.amount, coalesce(o.refunded_amount, 0) AS refunded,
        o.amount - coalesce(o.refunded_amount, 0) AS revenue,
        DATE '1970-01-01' + ((epoch_us(o.ordered_at) + z.offset_us) // 86400000000)::INTEGER AS day
    FROM read_parquet('{files}') AS o
    JOIN offset_dim AS z ON z.market = o.market AND o.ordered_at >= z.from_at AND o.ordered_at < z.to_at
    WHERE NOT o.cancelled AND o.amount > coalesce(o.refunded_amount, 0)
)
"""

_MONTHS = f"""
{_KEPT},
months AS (
    SELECT market, customer_id, year(day) * 12 + month(day) - 1 AS month, count(*) AS n_orders, sum(revenue) AS revenue
    FROM kept
    GROUP BY ALL
)
"""

QUERIES = {
    "cohort_counts": f"""
WITH {_MONTHS},
firsts AS (
    SELECT market, customer_id, min(month) AS cohort FROM months GROUP BY ALL
)
SELECT
    market, cohort, month - cohort AS age,
    count(*) AS n_active, sum(n_orders) AS n_orders, sum(revenue) AS revenue_minor
FROM months JOIN firsts USING (market, customer_id)
GROUP BY ALL
""",
    "last_seen_counts": f"""
WITH {_KEPT},
lives AS (
    SELECT market, customer_id, min(day) AS first_day, max(day) AS last_day FROM kept GROUP BY ALL
)
SELECT
    market, year(first_day) * 12 + month(first_day) - 1 AS cohort,
    datediff('month', first_day, last_day) AS last_age, count(*) AS n_customers
FROM lives
GROUP BY ALL
""",
    "activity_counts": f"""
WITH {_KEPT},
months AS (
    SELECT
        market, customer_id, year(day) * 12 + month(day) - 1 AS month, max(day) + any_value(window_days) AS covered_to
    FROM kept JOIN market_dim USING (market)
    GROUP BY ALL
),
steps AS (
    SELECT
        market, customer_id, month, year(covered_to) * 12 + month(covered_to) - 1 AS covered_month,
        lag(month) OVER w AS before, lead(month) OVER w AS after, first_value(month) OVER w AS cohort
    FROM months
    WINDOW w AS (PARTITION BY market, customer_id ORDER BY month)
),
by_period AS (
    SELECT
        market, 'period' AS rule, month, 0 AS n_start, count(*) AS n_end,
        count(*) FILTER (before IS NULL) AS n_new,
        count(*) FILTER (before = month - 1) AS n_retained,
        count(*) FILTER (before < month - 1) AS n_reactivated,
        0 AS n_lapsed
    FROM steps
    GROUP BY ALL
    UNION ALL
    SELECT
        market, 'period' AS rule, month + 1 AS month, count(*) AS n_start, 0, 0, 0, 0,
        count(*) FILTER (after IS NULL OR after > month + 1) AS n_lapsed
    FROM steps
    GROUP BY ALL
),
covered AS (
    -- months on whose first day the customer had ordered in the window before it
    SELECT
        market, customer_id, cohort,
        unnest(range(month + 1, least(coalesce(after, covered_month), covered_month) + 1)) AS month
    FROM steps
),
neighbours AS (
    SELECT
        market, month, cohort,
        lag(month) OVER w = month - 1 AS was_active, lead(month) OVER w = month + 1 AS stays_active
    FROM covered
    WINDOW w AS (PARTITION BY market, customer_id ORDER BY month)
),
by_window AS (
    SELECT
        market, 'window' AS rule, month, count(*) AS n_start, 0 AS n_end, 0 AS n_new, 0 AS n_retained,
        0 AS n_reactivated, count(*) FILTER (stays_active IS NOT TRUE) AS n_lapsed
    FROM neighbours
    GROUP BY ALL
    UNION ALL
    SELECT
        market, 'window' AS rule, month - 1, 0 AS n_start, count(*) AS n_end,
        count(*) FILTER (cohort = month - 1) AS n_new,
        count(*) FILTER (was_active) AS n_retained,
        count(*) FILTER (was_active IS NOT TRUE AND cohort < month - 1) AS n_reactivated, 0 AS n_lapsed
    FROM neighbours
    GROUP BY ALL
)
SELECT
    market, rule, month AS period, sum(n_start) AS n_start, sum(n_end) AS n_end,
    sum(n_new) AS n_new, sum(n_retained) AS n_retained, sum(n_reactivated) AS n_reactivated, sum(n_lapsed) AS n_lapsed
FROM (FROM by_period UNION ALL FROM by_window) AS counted
JOIN market_dim AS d USING (market)
WHERE month <= year(as_of_day - 1) * 12 + month(as_of_day - 1) - 1
GROUP BY ALL
""",
    "order_counts": f"""
WITH {_KEPT},
days AS (
    SELECT market, customer_id, day, count(*) AS n_orders, sum(amount) AS gross, sum(refunded) AS refunded
    FROM kept
    GROUP BY ALL
),
months AS (
    SELECT
        market, customer_id, year(day) * 12 + month(day) - 1 AS month,
        sum(n_orders) AS n_orders, count(*) AS n_order_days, sum(gross) AS gross, sum(refunded) AS refunded
    FROM days
    GROUP BY ALL
),
lives AS (
    SELECT
        market, customer_id,
        sum(n_orders) AS n_orders, count(*) AS n_order_days, sum(gross) AS gross, sum(refunded) AS refunded,
        sum(n_orders) FILTER (day >= year_ago_day) AS year_n_orders,
        count(*) FILTER (day >= year_ago_day) AS year_n_order_days,
        sum(gross) FILTER (day >= year_ago_day) AS year_gross,
        sum(refunded) FILTER (day >= year_ago_day) AS year_refunded
    FROM days JOIN market_dim USING (market)
    GROUP BY ALL
),
spans AS (
    SELECT market, 'month' AS grain, month AS period, n_orders, n_order_days, gross, refunded FROM months
    UNION ALL
    SELECT market, 'history', 0, n_orders, n_order_days, gross, refunded FROM lives
    UNION ALL
    SELECT market, 'last_year', 0, year_n_orders, year_n_order_days, year_gross, year_refunded
    FROM lives
    WHERE year_n_orders > 0
)
SELECT
    market, grain, period, count(*) AS n_customers, count(*) FILTER (n_orders > 1) AS n_repeat_customers,
    count(*) FILTER (n_order_days > 1) AS n_repeat_customers_by_days, sum(n_orders) AS n_orders,
    sum(n_order_days) AS n_order_days, sum(gross) AS gross_minor, sum(refunded) AS refunded_minor
FROM spans
GROUP BY ALL
""",
    "gap_counts": f"""
WITH {_KEPT},
days AS (
    SELECT DISTINCT market, customer_id, day FROM kept
),
placed AS (
    SELECT
        market, day, lead(day) OVER w AS next_day, row_number() OVER w AS nth
    FROM days
    WINDOW w AS (PARTITION BY market, customer_id ORDER BY day)
)
SELECT
    market, least(nth, 5) AS nth, coalesce(next_day, as_of_day) - day AS gap_days,
    count(next_day) AS n_closed, count(*) - count(next_day) AS n_open
FROM placed JOIN market_dim USING (market)
GROUP BY ALL
""",
    "lifetime_counts": f"""
WITH {_KEPT},
lives AS (
    SELECT market, customer_id, min(day) AS first_day, max(day) AS last_day FROM kept GROUP BY ALL
)
SELECT
    market, least(last_day + window_days, as_of_day) - first_day AS duration_days,
    count(*) FILTER (last_day + window_days < as_of_day) AS n_ended,
    count(*) FILTER (last_day + window_days >= as_of_day) AS n_running
FROM lives JOIN market_dim USING (market)
GROUP BY ALL
""",
    "rfm_counts": f"""
WITH {_KEPT},
customers AS (
    SELECT
        market, customer_id, min(day) AS first_day, max(day) AS last_day, count(DISTINCT day) AS n_days,
        count(*) AS n_orders, sum(revenue) AS revenue
    FROM kept
    GROUP BY ALL
)
SELECT
    market, n_days - 1 AS frequency, (last_day - first_day) // 7 AS recency, (as_of_day - first_day) // 7 AS age,
    count(*) AS n_customers, sum(n_orders) AS n_orders, sum(revenue) AS revenue_minor
FROM customers JOIN market_dim USING (market)
GROUP BY ALL
""",
    "revenue_counts": f"""
WITH {_MONTHS},
steps AS (
    SELECT
        market, month, revenue,
        lag(month) OVER w AS before, lag(revenue) OVER w AS revenue_before, lead(month) OVER w AS after
    FROM months
    WINDOW w AS (PARTITION BY market, customer_id ORDER BY month)
),
moves AS (
    SELECT
        market, month, 0 AS opening,
        sum(greatest(revenue - revenue_before, 0)) FILTER (before = month - 1) AS expansion,
        sum(greatest(revenue_before - revenue, 0)) FILTER (before = month - 1) AS contraction,
        0 AS lapsed,
        sum(revenue) FILTER (before < month - 1) AS reactivated,
        sum(revenue) FILTER (before IS NULL) AS new,
        sum(revenue) AS closing
    FROM steps
    GROUP BY ALL
    UNION ALL
    SELECT
        market, month + 1, sum(revenue), 0, 0, sum(revenue) FILTER (after IS NULL OR after > month + 1), 0, 0, 0
    FROM steps
    GROUP BY ALL
)
SELECT
    market, month AS period, sum(opening) AS opening_minor, sum(expansion) AS expansion_minor,
    sum(contraction) AS contraction_minor, sum(lapsed) AS lapsed_minor, sum(reactivated) AS reactivated_minor,
    sum(new) AS new_minor, sum(closing) AS closing_minor
FROM moves JOIN market_dim USING (market)
WHERE month <= year(as_of_day - 1) * 12 + month(as_of_day - 1) - 1
GROUP BY ALL
""",
}
"""SQL by counts table; `{files}` stands for the Parquet files."""


def tables(known: dict[str, Any], part: Callable[[str], None]) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Yield each table's name and how it is written, each a part of its own."""
    connection = duckdb.connect(config={"preserve_insertion_order": "false"})
    _dimensions(connection, known)
    for name, query in QUERIES.items():
        found = connection.sql(f"SELECT * FROM ({query.format(files=known['files'])})").to_arrow_table()
        part(name)
        connection.register("found", found)
        yield name, lambda path: connection.sql(f"SELECT {_integers(connection)} FROM found").write_parquet(str(path))
        part("written")


def _integers(connection: duckdb.DuckDBPyConnection) -> str:
    """Return SQL of the columns as integers; money is multiplied by 100, as each contender's is."""
    columns = [name for name, *_ in connection.execute("DESCRIBE found").fetchall()]
    how = {
        name: f"(coalesce({name}, 0) * 100)::BIGINT" if name.endswith("_minor") else f"{name}::BIGINT"
        for name in columns
    }
    how |= {name: name for name in ("market", "grain", "rule") if name in columns}
    return ", ".join(f"{sql} AS {name}" for name, sql in how.items())


def _dimensions(connection: duckdb.DuckDBPyConnection, known: dict[str, Any]) -> None:
    connection.execute(
        "CREATE TABLE market_dim (market VARCHAR, as_of_day DATE, year_ago_day DATE, window_days INTEGER)"
    )
    connection.execute(
        "CREATE TABLE offset_dim (market VARCHAR, from_at TIMESTAMPTZ, to_at TIMESTAMPTZ, offset_us BIGINT)"
    )
    for market in known["markets"]:
        row = [market["code"], market["as_of_day"], market["year_ago_day"], market["window_days"]]
        day = "DATE '1970-01-01' + ?::INTEGER"
        connection.execute(f"INSERT INTO market_dim VALUES (?, {day}, {day}, ?)", row)
        for offset in market["offsets"]:
            row = [market["code"], *offset]
            connection.execute("INSERT INTO offset_dim VALUES (?, make_timestamptz(?), make_timestamptz(?), ?)", row)

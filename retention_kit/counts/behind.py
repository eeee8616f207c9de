"""The road from a cell of a table back to its customers: rows leave the engine where the caller says so alone."""

import pandas as pd

from retention_kit.counts.counting import Counted
from retention_kit.ingest.expressions import literal


def customers_of_a_cell(counted: Counted, *, market: str, grain: str, cohort: int, age: int) -> pd.DataFrame:
    """Return the customers of a cohort with a kept order at an age: `customer_id`, sorted.

    Parameters
    ----------
    counted : counts by the grain, whose engine holds the customers.
    cohort, age : the cell, in periods of the grain.
    """
    engine = counted.session.opened(counted.asked, tables=())
    query = f"""
        WITH firsts AS (
            SELECT customer, MIN(day) AS first_day
            FROM ledger WHERE n_orders > 0 AND market = {literal(market)} GROUP BY customer
        )
        SELECT DISTINCT k.customer_id
        FROM firsts AS f
        JOIN period_days AS c ON c.grain = {literal(grain)} AND c.day = f.first_day AND c.period = {int(cohort)}
        JOIN ledger AS l ON l.customer = f.customer AND l.n_orders > 0 AND l.market = {literal(market)}
        JOIN period_days AS p ON p.grain = c.grain AND p.day = l.day AND p.period = {int(cohort) + int(age)}
        JOIN customer_keys AS k ON k.customer = f.customer
        ORDER BY k.customer_id
    """
    rows = engine.values(query)
    return pd.DataFrame({"customer_id": [row[0] for row in rows]}, dtype="str")

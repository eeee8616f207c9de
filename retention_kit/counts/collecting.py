"""The only door from the engine to pandas: it lets small tables through and stops large ones."""

import duckdb
import pandas as pd

from retention_kit.errors import KitError

MOST_ROWS = 1_000_000


def collect(connection: duckdb.DuckDBPyConnection, query: str, *, most_rows: int = MOST_ROWS) -> pd.DataFrame:
    """Return the rows of a query as a DataFrame.

    Raises
    ------
    KitError : the query returns more than `most_rows` rows.
    """
    table = connection.sql(query).limit(most_rows + 1).to_arrow_table()
    if table.num_rows > most_rows:
        raise KitError(
            f"The query returns more than {most_rows:,} rows.",
            to_try="count in the engine first (GROUP BY), or pass a larger most_rows",
        )
    return table.to_pandas()

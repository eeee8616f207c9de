"""Rows of a counts table whose columns have given values."""

import pandas as pd


def where(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Return the rows of a table in which each column has the value given.

    A counts table has a few hundred rows: reading a `DataFrame.query` takes longer than to look at them.

    >>> where(pd.DataFrame({"age": [0, 1, 1], "complete": [1, 1, 0]}), age=1, complete=1).index.tolist()
    [1]
    """
    found = pd.Series(True, index=table.index)
    for column, value in values.items():
        found &= table[column] == value
    return table[found]

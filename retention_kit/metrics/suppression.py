"""Small cells are hidden: the rate of a few people is about those people.

Where one row alone would be hidden, the smallest of the others goes with it, so that a total less what is
shown does not give it back.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def hide_small(table: pd.DataFrame, *, n: str, keys: Sequence[str], min_cell: int) -> pd.DataFrame:
    """Return the table with every value of its small rows absent, and a column `hidden` that says which.

    Parameters
    ----------
    table : any table with one row per group of customers.
    n : its column with the number of customers.
    keys : the columns that name the row and stay.
    min_cell : least number of customers that is shown; 0 customers is no small cell.

    Returns
    -------
    The same rows; numbers as float, NaN where hidden.
    """
    counted = table[n].fillna(0)
    small = (counted > 0) & (counted < min_cell)
    others = counted[~small & (counted > 0)]
    if small.sum() == 1 and len(others):
        small = small | (table.index == others.idxmin())
    values = [column for column in table if column not in keys]
    shown = table.astype(dict.fromkeys(values, "float64"))
    shown.loc[small, values] = np.nan
    return shown.assign(hidden=small)

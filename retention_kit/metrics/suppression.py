"""Small cells are hidden: the rate of a few people is about those people.

Where the hidden rows of a group are one alone, or few people together, the smallest of its others go with
them, so that a total less what is shown gives back nothing about a few.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def hide_small(
    table: pd.DataFrame, *, n: Sequence[str], keys: Sequence[str], min_cell: int, within: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the table with every value of its small rows absent, and a column `hidden` that says which.

    Parameters
    ----------
    table : any table with one row per group of customers.
    n : its columns with numbers of customers; a row is small if one of them is.
    keys : the columns that name the row and stay.
    min_cell : least number of customers that is shown; 0 customers is no small cell.
    within : the keys whose rows add up to a total that is shown elsewhere; all rows where not given.

    Returns
    -------
    The same rows; numbers as float, NaN where hidden.
    """
    counted = table[list(n)].fillna(0)
    hidden = ((counted > 0) & (counted < min_cell)).any(axis=1)
    customers = counted[n[0]]
    group = table.groupby(list(within)).ngroup() if within and hidden.any() else pd.Series(0, index=table.index)
    for _, members in customers[group.isin(group[hidden])].groupby(group):
        hidden.loc[_complement(members, hidden[members.index], min_cell=min_cell)] = True
    values = [column for column in table if column not in keys]
    shown = table.astype(dict.fromkeys(values, "float64"))
    shown.loc[hidden, values] = np.nan
    return shown.assign(hidden=hidden)


def hide_near(
    table: pd.DataFrame, *, n: str, keys: Sequence[str], min_cell: int, totals: Sequence[int] = ()
) -> pd.DataFrame:
    """Return the table with its small rows hidden, and those whose customers but a few are another row's too.

    For rows that hold each other: of who was observed for 30 days all but a few were observed for 31, and one number
    less the other would tell of these few.

    Parameters
    ----------
    table : a table whose rows are of nested groups of customers.
    n : its column with the number of customers.
    keys : the columns that name the row and stay.
    min_cell : least number of customers that is shown, and least difference of two that are.
    totals : numbers of customers that are shown elsewhere and hold those of the table.

    Returns
    -------
    The same rows; numbers as float, NaN where hidden; and `hidden`.
    """
    shown = set(totals)
    hidden = pd.Series(False, index=table.index)
    for row, size in table[n].fillna(0).sort_values(ascending=False, kind="stable").items():
        is_near = any(0 < abs(size - other) < min_cell for other in shown)
        if 0 < size < min_cell or is_near:
            hidden[row] = True
        else:
            shown.add(size)
    values = [column for column in table if column not in keys]
    found = table.astype(dict.fromkeys(values, "float64"))
    found.loc[hidden, values] = np.nan
    return found.assign(hidden=hidden)


def _complement(customers: pd.Series, hidden: pd.Series, *, min_cell: int) -> list:
    """Return the rows to hide besides the hidden ones, smallest first, until no difference tells of a few."""
    if not hidden.any():
        return []
    n_hidden, sum_hidden, others = int(hidden.sum()), customers[hidden].sum(), []
    for row, size in customers[~hidden & (customers > 0)].sort_values(kind="stable").items():
        if n_hidden + len(others) > 1 and sum_hidden >= min_cell:
            break
        others.append(row)
        sum_hidden += size
    return others

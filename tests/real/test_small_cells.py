"""Small cells of tables with all their totals: the reference tries all sets and lists all tables."""

import pandas as pd
import pytest

from retention_kit.protection import Publication

TABLES = [
    "s1 one row",
    "s2 one small cell",
    "s3 two in one row",
    "s4 shares: retained and lapsed",
    "s5 a zero beside it",
]


@pytest.fixture(scope="module")
def cells(shared) -> pd.DataFrame:
    return pd.read_csv(shared / "data" / "reference" / "next" / "J_tables.csv")


@pytest.fixture(scope="module")
def reference(shared) -> pd.DataFrame:
    found = pd.read_csv(shared / "data" / "reference" / "next" / "J_disclosure.csv")
    return found[found["rule"] == "reaches the threshold"].set_index("table")


@pytest.mark.parametrize("name", TABLES)
def test_the_cells_hidden_are_those_of_the_reference(cells, reference, name):
    table = cells[cells["table"] == name]
    publication = Publication()
    for cell in table.itertuples():
        publication.group(f"r{cell.row}c{cell.column}", cell.n)
    one_row = table["row"].nunique() == 1
    for by in ["row"] if one_row else ["row", "column"]:
        for place, line in table.groupby(by):
            publication.known((by, place), line["n"].sum())
            publication.total((by, place), [f"r{cell.row}c{cell.column}" for cell in line.itertuples()])
    expected = reference.loc[name]
    assert publication.hidden(min_cell=10) == {*expected["small"].split(), *expected["further"].split()}

import math
from collections.abc import Sequence

import pandas as pd
import pytest

from retention_kit.metrics.suppression import hide_small

KEYS = ["cut", "value"]


def cut(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["cut", "value", "n", "share"])


def hidden(table: pd.DataFrame, *, within: Sequence[str] = ("cut",), min_cell: int = 10) -> list[str]:
    found = hide_small(table, n=["n"], keys=KEYS, min_cell=min_cell, within=within)
    return found.loc[found["hidden"], "value"].tolist()


def test_a_small_row_is_hidden_with_all_its_numbers_and_its_names_stay():
    table = cut(("tier", "gold", 9, 0.5), ("tier", "silver", 8, 0.25), ("tier", "none", 100, 0.75))
    before = table.copy(deep=True)
    found = hide_small(table, n=["n"], keys=KEYS, min_cell=10)
    assert found["hidden"].tolist() == [True, True, False]
    assert found.loc[[0, 1], ["n", "share"]].isna().all(axis=None)
    assert found["value"].tolist() == ["gold", "silver", "none"]
    assert found.loc[2, ["n", "share"]].tolist() == [100, 0.75]
    pd.testing.assert_frame_equal(table, before)


def test_the_limit_itself_is_shown_and_nobody_is_no_small_cell():
    assert hidden(cut(("tier", "gold", 10, 0.5), ("tier", "silver", 0, math.nan), ("tier", "none", 99, 0.5))) == []


def test_one_small_row_takes_the_smallest_of_the_others_with_it():
    table = cut(("tier", "gold", 3, 0.5), ("tier", "silver", 40, 0.5), ("tier", "none", 100, 0.5), ("tier", "x", 0, 0))
    assert hidden(table) == ["gold", "silver"]


def test_two_small_rows_that_are_few_together_take_another_with_them():
    # a total less the others would tell of 3 + 4 = 7 customers
    assert hidden(cut(("tier", "a", 3, 0.5), ("tier", "b", 4, 0.5), ("tier", "c", 40, 0.5))) == ["a", "b", "c"]
    assert hidden(cut(("tier", "a", 6, 0.5), ("tier", "b", 4, 0.5), ("tier", "c", 40, 0.5))) == ["a", "b"]


def test_each_cut_keeps_its_own_secret():
    # one small row in each of two cuts: alone in its cut, each could be had from the total of that cut
    table = cut(
        ("tier", "gold", 3, 0.5), ("tier", "silver", 40, 0.5), ("tier", "none", 57, 0.5),
        ("channel", "web", 60, 0.5), ("channel", "shop", 35, 0.5), ("channel", "fair", 5, 0.5),
    )  # fmt: skip
    assert hidden(table) == ["gold", "silver", "shop", "fair"]


def test_a_row_that_is_alone_is_hidden_alone():
    assert hidden(cut(("everybody", "everybody", 5, 0.5), ("tier", "gold", 50, 0.5))) == ["everybody"]


def test_a_row_is_small_if_one_of_its_numbers_of_customers_is():
    table = cut(("q", "1", 50, 0.5), ("q", "2", 40, 0.5), ("q", "3", 30, 0.5)).assign(n_end=[40, 30, 4])
    found = hide_small(table, n=["n", "n_end"], keys=KEYS, min_cell=10)
    assert found["hidden"].tolist() == [False, True, True]


def test_an_empty_table_stays_empty():
    found = hide_small(cut(), n=["n"], keys=KEYS, min_cell=10, within=["cut"])
    assert found.empty
    assert "hidden" in found


@pytest.mark.parametrize(
    "sizes", [(1, 50, 60), (9, 9, 9), (2, 2, 2, 2, 2), (5, 10, 11), (3, 12), (9, 10), (1, 2, 3, 400)]
)
def test_no_single_subtraction_from_the_total_tells_of_fewer_than_the_limit(sizes):
    table = cut(*(("tier", str(i), size, 0.5) for i, size in enumerate(sizes)))
    found = hide_small(table, n=["n"], keys=KEYS, min_cell=10)
    rest = sum(sizes) - found["n"].sum()
    assert rest == 0 or rest >= min(10, sum(sizes))
    assert found["hidden"].sum() != 1 or len(sizes) == 1

"""What is hidden: small counts, and the fewest others that keep sums from giving them back."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention_kit.errors import MetricError
from retention_kit.protection import Publication, small_rows

KEYS = ["cut", "value"]


def cut(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["cut", "value", "n", "share"])


def hidden(table: pd.DataFrame, *, within: Sequence[str] = ("cut",), min_cell: int = 10) -> list[str]:
    found = small_rows(table, n=["n"], keys=KEYS, min_cell=min_cell, within=within)
    return found.loc[found["hidden"], "value"].tolist()


def test_a_small_row_is_hidden_with_all_its_numbers_and_its_names_stay():
    table = cut(("tier", "gold", 9, 0.5), ("tier", "silver", 8, 0.25), ("tier", "none", 100, 0.75))
    before = table.copy(deep=True)
    found = small_rows(table, n=["n"], keys=KEYS, min_cell=10)
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
    found = small_rows(table, n=["n", "n_end"], keys=KEYS, min_cell=10)
    assert found["hidden"].tolist() == [False, True, True]


def test_an_empty_table_stays_empty():
    found = small_rows(cut(), n=["n"], keys=KEYS, min_cell=10, within=["cut"])
    assert found.empty
    assert "hidden" in found


@pytest.mark.parametrize(
    "sizes", [(1, 50, 60), (9, 9, 9), (2, 2, 2, 2, 2), (5, 10, 11), (3, 12), (9, 10), (1, 2, 3, 400)]
)
def test_no_single_subtraction_from_the_total_tells_of_fewer_than_the_limit(sizes):
    table = cut(*(("tier", str(i), size, 0.5) for i, size in enumerate(sizes)))
    found = small_rows(table, n=["n"], keys=KEYS, min_cell=10)
    rest = sum(sizes) - found["n"].sum()
    assert rest == 0 or rest >= min(10, sum(sizes))
    assert found["hidden"].sum() != 1 or len(sizes) == 1


def base(s: int, r: int, n: int, x: int) -> Publication:
    """Return the counts of a period's base, as a report prints them; a base at the end is told in three places."""
    found = Publication()
    found.group("start", s)
    found.part("retained", r, of="start")
    found.part("lapsed", s - r, of="start")
    found.group("end", r + n + x, weight=3)
    found.group("new", n)
    found.group("reactivated", x)
    found.number("end less new", r + x, of=["start"])
    found.total("start", ["retained", "lapsed"])
    found.total("end", ["retained", "new", "reactivated"])
    found.total("end less new", ["retained", "reactivated"])
    return found


def test_few_newcomers_hide_with_those_who_came_back_and_the_rate_stays():
    # N + X = 63 - 40 = 23 is shown: N is anything from 0 to 23
    assert base(60, 40, 3, 20).hidden(min_cell=10) == {"new", "reactivated", "end less new"}


def test_few_who_stayed_or_left_of_a_large_base_are_told():
    assert base(344, 5, 40, 30).hidden(min_cell=10) == frozenset()
    assert base(344, 340, 40, 30).hidden(min_cell=10) == frozenset()


def test_of_a_small_base_nothing_is_told():
    # E = R + N + X would tell of R, so one of E, N, X goes with it
    assert base(6, 4, 40, 30).hidden(min_cell=10) == {"start", "retained", "lapsed", "end less new", "reactivated"}


def test_a_threshold_of_one_hides_nothing():
    assert base(6, 4, 1, 1).hidden(min_cell=1) == frozenset()


def test_two_groups_of_which_one_holds_the_other_do_not_differ_by_a_few():
    nested = Publication()
    nested.group("observed 30 days", 344, weight=2)
    nested.group("observed 31 days", 340)
    nested.difference("between", of="observed 30 days", less="observed 31 days")
    assert nested.hidden(min_cell=10) == {"observed 31 days"}


def test_one_number_in_two_places_is_hidden_in_both():
    shared = Publication()
    shared.group(("orders", "2024-03"), 25)
    shared.group("cohort of March", 4)
    shared.group("cohort of April", 21)
    shared.group("cohort of April", 21)
    shared.total(("orders", "2024-03"), ["cohort of March", "cohort of April"])
    # the month is told once, the cohort of April twice: the month goes
    assert shared.hidden(min_cell=10) == {("orders", "2024-03"), "cohort of March"}


def test_a_sum_that_is_none_is_refused():
    wrong = Publication()
    for name, n in (("all", 9), ("a", 4), ("b", 4)):
        wrong.group(name, n)
    with pytest.raises(MetricError) as refused:
        wrong.total("all", ["a", "b"])
    assert str(refused.value) == (
        "A published total is not the sum of its parts.\n"
        "  found: all: 9, its parts: 4, 4\n"
        "  try:   count again without the counts store; if it stays, report it: it is a fault of the kit"
    )
    with pytest.raises(MetricError, match="One number has two values"):
        wrong.group("a", 5)


def ranges(table: Sequence[Sequence[int]], hidden: set[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return the most that each hidden cell can be, by listing all tables that have the shown cells and the totals."""
    cells = sorted(hidden)
    rows, columns = ([sum(line) for line in lines] for lines in (table, zip(*table, strict=True)))
    most = dict.fromkeys(cells, -1)
    for values in product(*(range(min(rows[r], columns[c]) + 1) for r, c in cells)):
        other = [list(line) for line in table]
        for (r, c), value in zip(cells, values, strict=True):
            other[r][c] = value
        if [sum(line) for line in other] == rows and [sum(line) for line in zip(*other, strict=True)] == columns:
            most = {cell: max(most[cell], value) for cell, value in zip(cells, values, strict=True)}
    return most


def choices(table: Sequence[Sequence[int]], *, min_cell: int) -> Iterator[set[tuple[int, int]]]:
    """Yield all sets of cells that could be hidden, the least first."""
    cells = [(r, c) for r, line in enumerate(table) for c in range(len(line))]
    small = {(r, c) for r, c in cells if 0 < table[r][c] < min_cell}
    others = [cell for cell in cells if cell not in small]
    sets = [set(more) for n in range(len(others) + 1) for more in combinations(others, n)]
    for more in sorted(sets, key=lambda more: (len(more), sum(table[r][c] for r, c in more))):
        yield small | more


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 7), min_size=3, max_size=3), min_size=2, max_size=2))
def test_what_is_hidden_weighs_as_little_as_the_best_of_all_choices(table):
    publication = Publication()
    for r, line in enumerate(table):
        for c, n in enumerate(line):
            publication.group((r, c), n)
    for r, line in enumerate(table):
        publication.known(f"row {r}", sum(line))
        publication.total(f"row {r}", [(r, c) for c in range(3)])
    for c, line in enumerate(zip(*table, strict=True)):
        publication.known(f"column {c}", sum(line))
        publication.total(f"column {c}", [(r, c) for r in range(2)])
    hidden = publication.hidden(min_cell=3)
    small = [(r, c) for r, line in enumerate(table) for c, n in enumerate(line) if 0 < n < 3]

    def suffices(chosen: set[tuple[int, int]]) -> bool:
        most = ranges(table, chosen)
        return all(most[cell] >= 3 for cell in small)

    best = next((chosen for chosen in choices(table, min_cell=3) if suffices(chosen)), None)
    if best is None:  # the totals alone tell: nothing of the table is shown
        assert not small or hidden == {(r, c) for r in range(2) for c in range(3)}
        return
    assert suffices(set(hidden)) or not small
    weight = [(len(chosen), sum(table[r][c] for r, c in chosen)) for chosen in (best, hidden)]
    assert weight[0] == weight[1]

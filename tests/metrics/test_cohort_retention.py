import pandas as pd
import pytest

from retention_kit.metrics import classic_retention, pooled_retention

COLUMNS = ["cohort", "age", "complete", "n_active"]


def cohorts(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS).assign(market="DK", grain="month", left_truncated=0)


# three cohorts of 1000, 500 and 700: of the third, age 1 is not over at as_of, and ten have come back so far
THREE = cohorts((0, 0, 1, 1000), (0, 1, 1, 500), (1, 0, 1, 500), (1, 1, 1, 400), (2, 0, 1, 700), (2, 1, 0, 10))


def test_an_incomplete_cell_is_in_no_average_neither_above_nor_below_the_line():
    pooled = pooled_retention(THREE).set_index("age")
    # (500 + 400) / (1000 + 500) = 60.0 %; the mean of 50 % and 80 % is 65 %, weighting with 700 gives 41 %
    assert pooled["pooled_retention"].to_dict() == {0: 1.0, 1: 900 / 1500}
    assert pooled.loc[1, ["n_cohorts", "n", "n_active"]].tolist() == [2, 1500, 900]


def test_a_cell_that_is_not_over_is_absent_and_a_complete_cell_with_nobody_is_zero():
    counts = cohorts((0, 0, 1, 8), (0, 1, 1, 0), (0, 2, 1, 3), (1, 0, 1, 4), (1, 1, 0, 0))
    found = classic_retention(counts).set_index(["cohort", "age"])["classic_retention"]
    assert found.to_dict() == {(0, 0): 1.0, (0, 1): 0.0, (0, 2): 3 / 8, (1, 0): 1.0}


def test_large_cohorts_weigh_more():
    counts = cohorts((0, 0, 1, 98), (0, 1, 1, 49), (1, 0, 1, 2), (1, 1, 1, 2))
    assert pooled_retention(counts)["pooled_retention"].tolist() == [1, pytest.approx(51 / 100)]

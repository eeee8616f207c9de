import pandas as pd
import pytest

from retention_kit.errors import MetricError
from retention_kit.metrics import (
    bracket_retention,
    classic_retention,
    cohort_revenue_retention,
    cumulative_retention,
    pooled_cumulative_retention,
    pooled_retention,
    pooled_revenue_retention,
    pooled_unbounded_retention,
    retention_from_day,
    unbounded_retention,
)

COLUMNS = ["cohort", "age", "complete", "n_active"]


def cohorts(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS).assign(market="DK", grain="month", left_truncated=0)


# three cohorts of 1000, 500 and 700: of the third, age 1 is not over at as_of, and ten have come back so far
THREE = cohorts((0, 0, 1, 1000), (0, 1, 1, 500), (1, 0, 1, 500), (1, 1, 1, 400), (2, 0, 1, 700), (2, 1, 0, 10))


def test_an_incomplete_cell_is_in_no_average_neither_above_nor_below_the_line():
    pooled = pooled_retention.frame(THREE).set_index("age")
    # (500 + 400) / (1000 + 500) = 60.0 %; the mean of 50 % and 80 % is 65 %, weighting with 700 gives 41 %
    assert pooled["pooled_retention"].to_dict() == {0: 1.0, 1: 900 / 1500}
    assert pooled.loc[1, ["n_cohorts", "n", "n_active"]].tolist() == [2, 1500, 900]


def test_a_cell_that_is_not_over_is_absent_and_a_complete_cell_with_nobody_is_zero():
    counts = cohorts((0, 0, 1, 8), (0, 1, 1, 0), (0, 2, 1, 3), (1, 0, 1, 4), (1, 1, 0, 0))
    found = classic_retention.frame(counts).set_index(["cohort", "age"])["classic_retention"]
    assert found.to_dict() == {(0, 0): 1.0, (0, 1): 0.0, (0, 2): 3 / 8, (1, 0): 1.0}


def test_large_cohorts_weigh_more():
    counts = cohorts((0, 0, 1, 98), (0, 1, 1, 49), (1, 0, 1, 2), (1, 1, 1, 2))
    assert pooled_retention.frame(counts)["pooled_retention"].tolist() == [1, pytest.approx(51 / 100)]


# once: day 0 only. twin: 20 hours later. always: on days 3, 20, 40. late: on day 40 alone.
# Seven were observed into the stretch of days 61 to 89, one, once, into that of days 31 to 59
RETURNS = pd.DataFrame(
    [
        (0, 0, -1, 61, 7), (0, 0, -1, 31, 1),
        (1, 7, 0, 61, 2), (15, 29, 1, 61, 2), (31, 59, 15, 61, 2),
        (31, 59, 0, 61, 3),
    ],
    columns=["from_day", "to_day", "before_day", "observed_day", "n_customers"],
).assign(market="DK")  # fmt: skip


def test_a_customer_is_in_a_bracket_once_and_only_who_was_observed_to_its_end_is_in_it():
    found = bracket_retention.frame(RETURNS, brackets=[(1, 7), (15, 30), (1, 30), (31, 60), (1, 60)])
    found = found.set_index(["first_day", "last_day"])
    assert found["n_observed"].to_dict() == {(1, 7): 8, (15, 30): 8, (1, 30): 8, (31, 60): 7, (1, 60): 7}
    assert found["n_returned"].to_dict() == {(1, 7): 2, (15, 30): 2, (1, 30): 2, (31, 60): 5, (1, 60): 5}
    assert found["bracket_retention"].to_dict() == {
        (1, 7): 2 / 8, (15, 30): 2 / 8, (1, 30): 2 / 8, (31, 60): 5 / 7, (1, 60): 5 / 7,
    }  # fmt: skip


def test_on_or_after_a_day_is_of_all_whose_day_is_over():
    found = retention_from_day.frame(RETURNS, days=[15, 31, 61]).set_index("first_day")
    assert found["n_observed"].to_dict() == {15: 8, 31: 7, 61: 0}
    assert found["n_returned"].to_dict() == {15: 5, 31: 5, 61: 0}


def test_a_bracket_that_was_not_counted_is_refused_and_says_how_to_have_it():
    with pytest.raises(MetricError) as error:
        bracket_retention.frame(RETURNS, brackets=[(1, 20)])
    assert str(error.value) == (
        "The days 1 to 20 cut through a stretch of days that was counted as one.\n"
        "  found: days 15 to 29\n"
        "  try:   brackets = [[1, 20]] in the profile, and count again"
    )


# once 8, back at 1: 3, at 2 for the first time: 1 and again: 2; last seen at 0: 4, at 1: 1, at 2: 3
ONE = cohorts((0, 0, 1, 8), (0, 1, 1, 3), (0, 2, 1, 3), (0, 3, 0, 0)).assign(
    n_first_return=[0, 3, 1, 0], revenue_minor=[800, 150, 900, 0]
)
LAST_SEEN = pd.DataFrame({"cohort": 0, "last_age": [0, 1, 2], "n_customers": [4, 1, 3]}).assign(
    market="DK", grain="month"
)


def test_unbounded_is_at_this_age_or_later_and_cumulative_at_any_age_up_to_it():
    unbounded = unbounded_retention.frame(LAST_SEEN, cohort_counts=ONE).set_index("age")["unbounded_retention"]
    assert unbounded.to_dict() == {0: 1, 1: 4 / 8, 2: 3 / 8}
    cumulative = cumulative_retention.frame(ONE).set_index("age")["cumulative_retention"]
    assert cumulative.to_dict() == {0: 0, 1: 3 / 8, 2: 4 / 8}
    assert pooled_unbounded_retention.frame(LAST_SEEN, cohort_counts=ONE)["n_at_or_later"].tolist() == [8, 4, 3]
    assert pooled_cumulative_retention.frame(ONE)["n_returned"].tolist() == [0, 3, 4]


def test_revenue_of_a_cohort_can_pass_what_it_began_with():
    assert cohort_revenue_retention.frame(ONE)["cohort_revenue_retention"].tolist() == [1, 150 / 800, 900 / 800]
    two = pd.concat([ONE, cohorts((1, 0, 1, 2), (1, 1, 0, 1)).assign(n_first_return=0, revenue_minor=[200, 900])])
    pooled = pooled_revenue_retention.frame(two).set_index("age")["pooled_revenue_retention"]
    assert pooled.to_dict() == {0: 1, 1: 150 / 800, 2: 900 / 800}  # the second cohort's age 1 is not over


def test_no_kind_of_retention_contradicts_another(sample_counts):
    tables, keys = sample_counts.tables, ["market", "grain", "cohort", "age"]
    classic, cumulative = (
        rate.frame(tables["cohort_counts"]).set_index(keys) for rate in (classic_retention, cumulative_retention)
    )
    unbounded = unbounded_retention.frame(tables["last_seen_counts"], cohort_counts=tables["cohort_counts"]).set_index(
        keys
    )
    unbounded = unbounded.loc[classic.index, "unbounded_retention"]
    assert (unbounded >= classic["classic_retention"]).all()
    assert (unbounded.groupby(["market", "grain", "cohort"]).diff().dropna() <= 0).all()
    later = classic.query("age > 0").index
    assert (cumulative.loc[later, "cumulative_retention"] >= classic.loc[later, "classic_retention"]).all()
    # at age 1 or later, if ever: the last age's cumulative share of customers is unbounded retention at age 1,
    # but for orders of the period that is not over
    ever = cumulative.groupby(["market", "grain", "cohort"])["cumulative_retention"].max()
    at_one = unbounded.xs(1, level="age")
    assert (ever.loc[at_one.index] <= at_one + 1e-12).all()

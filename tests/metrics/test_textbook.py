import doctest
import math

import numpy as np
import pytest

from retention_kit.errors import MetricError
from retention_kit.metrics import textbook, value


@pytest.mark.parametrize(
    ("n_start", "n_end", "n_new", "expected"),
    [
        (1000, 1100, 300, 0.80),  # (1100 − 300) / 1000
        (10, 8, 0, 0.80),  # 2 of 10 lost
        (2000, 900, 0, 0.45),  # 900 of 2,000 current customers buy again; who came since is not counted
        (1000, 1000, 300, 0.70),
        (4, 6, 0, 1.5),  # customers who came back count as retained
    ],
)
def test_the_textbook_retention_rate_of_published_examples(n_start, n_end, n_new, expected):
    assert textbook.retention_rate(n_start=n_start, n_end=n_end, n_new=n_new) == expected


@pytest.mark.parametrize(("n_start", "n_end", "expected"), [(10, 8, 0.2), (1000, 1000, 0), (10, 12, -0.2)])
def test_the_textbook_churn_rate_is_negative_in_a_base_that_grows(n_start, n_end, expected):
    assert textbook.churn_rate(n_start=n_start, n_end=n_end) == expected


def test_counts_may_come_from_numpy():
    assert textbook.retention_rate(n_start=np.int64(10), n_end=np.float64(8), n_new=0) == 0.8


def test_more_new_customers_than_customers_are_impossible():
    with pytest.raises(MetricError) as error:
        textbook.retention_rate(n_start=1000, n_end=200, n_new=300)
    assert str(error.value) == (
        "There are more new customers than customers at the end: N > E.\n"
        "  found: N = 300, E = 200\n"
        "  try:   count as new only those who are still customers at the end"
    )


@pytest.mark.parametrize(
    ("count", "found"),
    [(-1, "-1"), (10.5, "10.5"), (True, "True"), (math.nan, "nan"), (math.inf, "inf"), ("10", "10"), (None, "None")],
)
@pytest.mark.parametrize("name", ["n_start", "n_end", "n_new"])
def test_what_is_no_count_is_an_error(name, count, found):
    letter = {"n_start": "S", "n_end": "E", "n_new": "N"}[name]
    with pytest.raises(MetricError) as error:
        textbook.retention_rate(**{"n_start": 10, "n_end": 10, "n_new": 0} | {name: count})
    assert str(error.value) == (
        f"{name} ({letter}) is not a count of customers.\n  found: {found}\n  try:   a whole number, 0 or more"
    )
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize("module", [textbook, value], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_hold(module):
    found = doctest.testmod(module)
    assert (found.failed, found.attempted > 1) == (0, True)


@pytest.mark.parametrize(
    "rate",
    [lambda: textbook.retention_rate(n_start=0, n_end=5, n_new=5), lambda: textbook.churn_rate(n_start=0, n_end=3)],
)
def test_of_nobody_there_is_no_rate(rate):
    with pytest.raises(MetricError) as error:
        rate()
    assert str(error.value) == (
        "There is no rate: nobody was a customer at the start.\n"
        "  found: S = 0\n"
        "  try:   a period that begins with customers"
    )

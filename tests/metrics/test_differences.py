import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from retention_kit.errors import MetricError
from retention_kit.metrics import difference_of_shares, equality_of_shares, returned_share, stratified_difference

HEADER = ["market", "value", "n_observed", "n_returned"]


def cut(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=HEADER).assign(cut="channel", horizon_days=90)


@pytest.mark.parametrize(
    ("counts", "lower", "upper"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_differences_have_the_intervals_of_newcombe_1998_table_ii(counts, lower, upper):
    count, n, count_other, n_other = counts
    found = difference_of_shares(*counts)
    assert found == pytest.approx((count / n - count_other / n_other, lower, upper), abs=5e-5)


def test_the_difference_turned_around_is_its_mirror_image():
    difference, lower, upper = difference_of_shares(61, 135, 40, 120)
    assert difference_of_shares(40, 120, 61, 135) == pytest.approx((-difference, -upper, -lower))


def test_a_share_of_nobody_is_compared_with_nothing():
    with pytest.raises(MetricError) as error:
        difference_of_shares(0, 0, 3, 10)
    assert str(error.value) == "A share of nobody has no difference.\n  found: n = 0, n_other = 10"


def test_shares_that_returned_are_of_those_observed_long_enough():
    found = returned_share.frame(cut(("DK", "web", 8, 2), ("DK", "shop", 0, 0)))
    assert found["returned_share"].tolist()[:1] == [2 / 8]
    assert found.loc[1, ["returned_share", "lower", "upper"]].isna().all()


def test_a_stratified_difference_compares_each_market_with_itself():
    # NL: 3/4 − 2/4 = 1/4, weight 4·4/8 = 2;  DK: 1/10 − 3/30 = 0, weight 10·30/40 = 7.5
    # difference (2 · 1/4 + 7.5 · 0) / 9.5 = 1/19, where the pooled 4/14 − 5/34 would say .139
    rows = cut(("NL", "web", 4, 3), ("NL", "shop", 4, 2), ("DK", "web", 10, 1), ("DK", "shop", 30, 3))
    difference, lower, upper = stratified_difference(rows, value="web", other="shop")
    assert difference == pytest.approx(1 / 19)
    # NL: 3/4·1/4/4 + 1/2·1/2/4 = 7/64;  DK: .09/10 + .09/30 = 3/250
    variance = (7 / 64 * 2**2 + 3 / 250 * 7.5**2) / 9.5**2
    assert (lower, upper) == pytest.approx(
        (1 / 19 - 1.959964 * math.sqrt(variance), 1 / 19 + 1.959964 * math.sqrt(variance))
    )


def test_a_market_without_one_of_the_values_is_left_aside():
    rows = [("NL", "web", 4, 3), ("NL", "shop", 4, 2)]
    alone = stratified_difference(cut(*rows), value="web", other="shop")
    assert alone[0] == 1 / 4
    assert stratified_difference(cut(*rows, ("DK", "web", 9, 9)), value="web", other="shop") == alone
    with_nobody = cut(*rows, ("DK", "web", 9, 9), ("DK", "shop", 0, 0))
    assert stratified_difference(with_nobody, value="web", other="shop") == alone


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            cut(("NL", "web", 4, 3), ("NL", "shop", 4, 2)),
            "There is no value of the cut 'wep'.\n  found: 'shop', 'web'\n  try:   'web'",
        ),
        (cut(("NL", "wep", 4, 3), ("DK", "shop", 4, 2)), "No market has customers of both 'wep' and 'shop'."),
        (
            cut(("NL", "wep", 4, 3), ("NL", "wep", 4, 3), ("NL", "shop", 4, 2)),
            "Values are compared within one cut and one horizon.\n"
            "  found: 3 rows, some of the same market and value\n"
            "  try:   query(\"cut == 'channel' and horizon_days == 90\") before",
        ),
    ],
)
def test_what_cannot_be_compared_is_an_error(rows, text):
    with pytest.raises(MetricError) as error:
        stratified_difference(rows, value="wep", other="shop")
    assert str(error.value) == text


def test_equality_of_shares_is_the_chi_squared_test_of_scipy():
    count, n = np.array([3, 10, 22]), np.array([30, 41, 60])
    known = chi2_contingency(np.vstack([count, n - count]), correction=False)
    assert equality_of_shares([*count, 0], [*n, 0]) == pytest.approx((known.statistic, known.pvalue))


def test_shares_that_are_all_nothing_or_all_everything_are_equal():
    assert equality_of_shares([0, 0], [5, 9]) == equality_of_shares([5, 9], [5, 9]) == (0.0, 1.0)


@pytest.mark.parametrize(("count", "n"), [([3], [9]), ([0, 4], [0, 9])])
def test_one_group_is_compared_with_nothing(count, n):
    with pytest.raises(MetricError, match="One share is equal to no other"):
        equality_of_shares(count, n)

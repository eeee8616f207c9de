import company
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from retention_kit import counts, ingest
from retention_kit.config import GROUP
from retention_kit.errors import MetricError
from retention_kit.metrics import bootstrap_interval, wilson


@pytest.mark.parametrize("conf_level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 37, 1000, 3_310_442])
def test_wilson_is_the_interval_of_scipy(n, conf_level):
    for count in {0, 1, n // 3, n // 2, n - 1, n}:
        theirs = binomtest(count, n).proportion_ci(conf_level, method="wilson")
        lower, upper = wilson(count, n, conf_level=conf_level)
        assert (lower, upper) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_ends_exactly_at_zero_and_one():
    lower, upper = wilson([0, 7, 0, 49], [7, 7, 49, 49])
    assert lower[[0, 2]].tolist() == [0, 0]
    assert upper[[1, 3]].tolist() == [1, 1]
    # by hand, z² = 1.959964² = 3.841459: 0 of 7 ends at z² / (n + z²) = 3.841459 / 10.841459
    assert upper[0] == pytest.approx(3.841459 / 10.841459, abs=1e-6)
    assert lower[1] == pytest.approx(7 / 10.841459, abs=1e-6)


def test_a_share_of_nobody_has_no_interval():
    assert np.isnan(wilson(0, 0)).all()


@pytest.mark.parametrize(("count", "n"), [(8, 7), (-1, 7), ([1, 8], [7, 7]), (1, 0)])
def test_a_count_that_is_no_part_of_n_is_an_error(count, n):
    with pytest.raises(MetricError) as error:
        wilson(count, n)
    assert str(error.value) == "A share needs 0 <= count <= n.\n  try:   look for the wrong denominator"


def buckets(*rows: tuple[int, int]) -> pd.DataFrame:
    """Return counts of buckets of customers, each from its customers and orders."""
    table = pd.DataFrame(rows, columns=["n_customers", "n_orders"])
    return table.assign(market="DK", grain="history", bucket=range(len(table)))


def ends(*rows: tuple[int, int]) -> list[float]:
    found = bootstrap_interval(buckets(*rows), numerator="n_orders", denominator="n_customers")
    assert found[["market", "grain"]].to_numpy().tolist() == [["DK", "history"]]
    return found.loc[0, ["lower", "upper"]].tolist()


def test_customers_who_all_do_the_same_have_an_interval_without_width():
    assert ends(*[(2, 3)] * 50) == pytest.approx([3 / 2, 3 / 2])


def test_the_interval_holds_the_ratio_and_is_the_wider_the_fewer_the_customers():
    few, many = ends(*[(1, 1), (1, 3)] * 10), ends(*[(1, 1), (1, 3)] * 100)
    assert few[0] < many[0] < 2 < many[1] < few[1]
    # one customer's orders differ from their mean by 1: the standard error of the mean of 200 is 1 / √200 = .0707
    assert many == pytest.approx([2 - 1.96 * 0.0707, 2 + 1.96 * 0.0707], abs=0.02)


def test_draws_of_nobody_have_no_ratio():
    assert ends((0, 0), (1, 2)) == [2, 2]
    assert np.isnan(ends((0, 0))).all()


def test_the_interval_of_a_market_is_the_same_in_every_run_and_covers_the_number(tmp_path):
    characters = {"once": (60, ["2024-12-01"]), "twice": (60, ["2023-12-01", "2024-12-02"])}
    first, again = (company.sheet(tmp_path, characters).headlines["purchase_frequency"] for _ in range(2))
    assert first == again
    assert first.value == 180 / 120  # 60 × 1 + 60 × 2 orders of 120 customers
    # of one customer's orders the standard deviation is 1/2, so that of the mean of 120 is 1 / (2 √120) = .0456
    assert (first.lower, first.upper) == pytest.approx((1.5 - 1.96 * 0.0456, 1.5 + 1.96 * 0.0456), abs=0.02)


def test_money_of_fewer_than_a_hundred_customers_has_no_interval(tmp_path):
    found = company.sheet(tmp_path, {"once": (99, ["2024-12-01"])}).headlines["average_order_value"]
    assert (found.value, found.lower, found.upper, found.conf_level) == (100, None, None, None)


def test_bootstrap_intervals_of_many_markets_cover_the_truth_about_as_often_as_they_say(tmp_path):
    random = np.random.default_rng(7)
    codes = [f"M{i:02d}" for i in range(24)]
    markets = "\n".join(
        f'[{code}]\nname = "{code} land"\nlanguages = ["en"]\ncurrency = "DKK"\ntime_zone = "UTC"\n' for code in codes
    )
    rows = [
        f"{code}-{who}-{nth},{who},{code},2024-12-{nth + 1:02d}T12:00:00Z,100,DKK"
        for code in codes
        for who, n in enumerate(random.integers(1, 4, size=100))  # 1, 2 or 3 orders: 2 on average
        for nth in range(n)
    ]
    source = ingest.source(str(company.write(tmp_path, rows, markets=markets)))
    drawn = counts.count(source, as_of=company.AS_OF, grains=["month"]).tables["bucket_counts"]
    of_history = drawn[(drawn["grain"] == "history") & (drawn["market"] != GROUP)]
    intervals = bootstrap_interval(of_history, numerator="n_orders", denominator="n_customers")
    assert len(intervals) == 24
    covering = (intervals["lower"].le(2) & intervals["upper"].ge(2)).sum()
    assert 20 <= covering <= 24  # 95 % of 24 is 22.8, one standard deviation 1.1

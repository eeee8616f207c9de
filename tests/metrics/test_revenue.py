import math

import numpy as np
import pandas as pd
import pytest

from retention_kit import counts
from retention_kit.metrics import (
    ever_customers_active_share,
    gross_revenue_retention,
    net_revenue_retention,
    pooled_revenue_retention,
    pooled_revenue_retention_intervals,
    retention_by_window,
    revenue_change,
    revenue_change_intervals,
    revenue_retention_intervals,
    textbook_revenue_retention,
)
from retention_kit.metrics.revenue import EFFECTS

KEY = {"market": "DK", "grain": "quarter", "complete": 1}

# four customers spent 100 each; now one spends 150, one 60, two nothing; one comes back with 30, one is new with 80
BRIDGE = pd.DataFrame(
    [{**KEY, "period": 1, "opening_minor": 400, "expansion_minor": 50, "contraction_minor": 40, "lapsed_minor": 200,
      "reactivated_minor": 30, "new_minor": 80, "closing_minor": 320, "other_minor": 0}]
)  # fmt: skip


def test_net_and_gross_revenue_retention_are_of_those_who_were_there():
    assert net_revenue_retention.frame(BRIDGE)["net_revenue_retention"].item() == (150 + 60) / 400
    assert gross_revenue_retention.frame(BRIDGE)["gross_revenue_retention"].item() == (100 + 60) / 400
    assert textbook_revenue_retention.frame(BRIDGE)["textbook_revenue_retention"].item() == (150 + 60 + 30) / 400


def test_a_period_that_is_not_over_has_no_revenue_retention_and_none_before_gives_none():
    assert net_revenue_retention.frame(BRIDGE.assign(complete=0)).empty
    nothing = BRIDGE.assign(opening_minor=0, expansion_minor=0, contraction_minor=0, lapsed_minor=0)
    assert math.isnan(net_revenue_retention.frame(nothing)["net_revenue_retention"].item())


def orders(*rows) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["period", "n_customers", "n_orders", "revenue_minor"])
    return table.assign(**KEY)


def test_the_effects_on_revenue_add_up_to_its_change():
    change = revenue_change.frame(
        orders((4, 10, 20, 100_000), (8, 12, 30, 120_000)), minor_per_unit=100, periods_back=4
    )
    row = change.iloc[0]
    assert (row["then"], row["now"], row["revenue_change"]) == (1000, 1200, 200)
    # ln 1.2 = ln(12 / 10) + ln(2.5 / 2) + ln(40 / 50), each times 200 / ln 1.2
    mean = 200 / np.log(1.2)
    effects = [mean * np.log(12 / 10), mean * np.log(2.5 / 2), mean * np.log(40 / 50)]
    assert row[["of_customers", "of_frequency", "of_order_value"]].tolist() == pytest.approx(effects)
    assert sum(effects) == pytest.approx(200)


def test_equal_revenues_of_other_customers_still_have_effects():
    change = revenue_change.frame(orders((0, 10, 10, 100), (1, 20, 20, 100)), minor_per_unit=1, periods_back=1).iloc[0]
    assert change["revenue_change"] == 0
    assert change["of_customers"] == pytest.approx(100 * np.log(2)) == -change["of_order_value"]


def test_a_period_without_revenue_is_compared_with_nothing():
    assert revenue_change.frame(orders((0, 0, 0, 0), (1, 2, 2, 50)), minor_per_unit=1, periods_back=1).empty


def test_the_interval_of_revenue_retention_holds_its_value(sample_counts):
    found = revenue_retention_intervals(sample_counts.tables["retained_revenue_counts"].query("grain == 'quarter'"))
    assert ((found["lower"] < found["value"]) & (found["value"] < found["upper"])).all()
    last = net_revenue_retention.frame(sample_counts.tables["revenue_counts"].query("grain == 'quarter'"))
    last = last.groupby("market").tail(1).set_index("market")["net_revenue_retention"]
    of_rate = found.query("rate == 'net_revenue_retention'").set_index("market")["value"]
    assert of_rate.to_dict() == pytest.approx(last.to_dict())


def activity(*rows) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["period", "n_end", "n_new"])
    return table.assign(**KEY, rule="period", n_start=0)


def test_nobody_is_ever_let_go_of_all_customers_ever():
    found = ever_customers_active_share.frame(activity((0, 4, 4), (1, 5, 2), (2, 3, 0)))
    assert found["n_ever"].tolist() == [0, 4, 6]
    assert found["ever_customers_active_share"].tolist()[1:] == [3 / 4, 3 / 6]
    assert math.isnan(found["ever_customers_active_share"].iloc[0])


def test_the_market_s_own_window_gives_the_headline(sample_counts):
    by_window = retention_by_window.frame(sample_counts.tables["window_counts"].query("grain == 'quarter'"))
    by_window = by_window.set_index(["market", "window_days"])
    base = sample_counts.tables["activity_counts"].query("grain == 'quarter' and rule == 'window' and complete == 1")
    for row in base.groupby("market").tail(1).itertuples():
        if row.market != "ALL":  # a group's customers are active by their markets' windows
            days = sample_counts.source.markets[row.market].activity_window_days
            cell = by_window.loc[(row.market, days)]
            assert (cell["n_start"], cell["n_retained"], cell["n_end"]) == (row.n_start, row.n_retained, row.n_end)


def test_a_longer_window_holds_more_customers(sample_counts):
    sizes = sample_counts.tables["window_counts"].set_index(["market", "grain", "window_days"])["n_end"]
    assert (sizes.groupby(["market", "grain"]).diff().dropna() >= 0).all()


def test_the_intervals_of_a_change_hold_the_change_and_its_effects(sample_counts):
    names = ("order_counts", "period_bucket_counts")
    counted = {name: sample_counts.tables[name].query("grain == 'quarter' and market == 'NL'") for name in names}
    told = {"minor_per_unit": 100, "periods_back": 4}
    both = revenue_change.frame(counted["order_counts"], **told).merge(
        revenue_change_intervals(counted["period_bucket_counts"], **told), on=["market", "grain", "period"]
    )
    assert len(both) >= 4
    for name in EFFECTS:
        assert ((both[f"{name}_lower"] < both[name]) & (both[name] < both[f"{name}_upper"])).all()


def test_too_few_customers_have_no_interval_of_a_change():
    few = pd.DataFrame({"market": "NL", "grain": "quarter", "period": [1] * 99 + [5] * 99, "bucket": [*range(99)] * 2,
                        "n_customers": 1, "n_orders": 1, "revenue_minor": 100})  # fmt: skip
    assert revenue_change_intervals(few, minor_per_unit=1, periods_back=4).iloc[0].isna().sum() == 8


@pytest.mark.slow
def test_intervals_of_a_change_cover_it():
    """Customers who come by chance: of 200 companies, the interval holds the true change, 0, in most."""
    random, held = np.random.default_rng(7), 0
    for _ in range(200):
        orders = random.poisson(1.2, size=(2, 400))
        spent = np.array([[random.gamma(2, 50, n).sum() for n in row] for row in orders])
        both = [
            {"period": nth, "bucket": np.arange(400) % 200, "n_customers": (orders[nth] > 0).astype(int),
             "n_orders": orders[nth], "revenue_minor": spent[nth]}
            for nth in (0, 1)
        ]  # fmt: skip
        buckets = pd.concat(map(pd.DataFrame, both)).groupby(["period", "bucket"], as_index=False).sum()
        buckets = buckets.assign(market="NL", grain="year")
        row = revenue_change_intervals(buckets, minor_per_unit=1, periods_back=1).iloc[0]
        held += row["revenue_change_lower"] <= 0 <= row["revenue_change_upper"]
    assert 0.91 <= held / 200 <= 0.99


def test_the_intervals_of_cohorts_revenue_are_of_the_same_ratio(sample_counts):
    asked = {"as_of": sample_counts.as_of, "grains": ["month", "quarter"]}
    further = counts.count(sample_counts.source, tables=["age_bucket_counts"], **asked).tables
    cohorts = sample_counts.tables["cohort_counts"].query("market != 'ALL'")
    exact = pooled_revenue_retention.frame(cohorts)
    found = pooled_revenue_retention_intervals(further["age_bucket_counts"])
    both = found.merge(exact, on=["market", "grain", "age"], suffixes=("", "_exact"))
    assert len(both) == len(found) > 200
    assert (both["n"] == both["n_exact"]).all()
    pd.testing.assert_series_equal(
        both["pooled_revenue_retention"], both["pooled_revenue_retention_exact"], check_names=False
    )
    later = found.query("age > 0 and n >= 100")
    assert (
        (later["lower"] < later["pooled_revenue_retention"]) & (later["pooled_revenue_retention"] < later["upper"])
    ).all()

import math

import pandas as pd
import pytest

from retention_kit.metrics import (
    activity_window,
    days_between_orders,
    next_order_share,
    second_order_share,
    silent_share,
)


def gaps(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["nth", "gap_days", "n_closed", "n_open"]).assign(market="DK")


# ten customers: four come back after 10 days and two after 40; one has been silent for 20 days, three for 400.
# of the six who came back, one does so again after 100 days, five have been silent for 300
TEN = gaps((1, 10, 4, 0), (1, 20, 0, 1), (1, 40, 2, 0), (1, 400, 0, 3), (2, 100, 1, 0), (2, 300, 0, 5))


def test_who_has_been_silent_for_a_week_only_has_not_failed_to_come_back():
    found = second_order_share.frame(TEN, days=(5, 10, 39, 40, 400, 401)).set_index("n_days")["second_order_share"]
    after_forty = 1 - 6 / 10 * 3 / 5  # of five at risk at 40 days, two come back
    assert found.loc[[5, 10, 39, 40, 400]].tolist() == pytest.approx([0, 0.4, 0.4, after_forty, after_forty])
    assert math.isnan(found[401])  # nobody was observed that long


def test_from_order_to_order_the_share_is_of_those_who_got_there():
    found = next_order_share.frame(TEN, within_days=100).set_index("nth")
    assert found["n"].to_dict() == {1: 10, 2: 6}
    assert found["next_order_share"].to_dict() == {1: pytest.approx(0.64), 2: pytest.approx(1 / 6)}


def test_the_window_waits_for_most_of_those_who_ever_order_again():
    # of sixteen gaps four close at 10 (4/16), two of eleven at 40, one of nine at 100: S = .75, .6136, .5455
    found = activity_window.frame(TEN, share=0.9).iloc[0]
    assert found["activity_window"] == 100  # 90 % of .4545 is .409: .386 have come back by 40 days, .4545 by 100
    assert activity_window.frame(TEN, share=0.8)["activity_window"].item() == 40
    assert found["within_days"] == 365
    assert found["from_days"] <= found["activity_window"] <= found["to_days"] or math.isnan(found["to_days"])


def test_quantiles_of_gaps_are_of_those_that_close_and_never_of_the_open_ones():
    found = days_between_orders.frame(TEN, quantiles=(0.25, 0.5, 0.9)).set_index("quantile")["days_between_orders"]
    assert found.to_dict() == {0.25: 10, 0.5: 10, 0.9: 100}


def test_where_nobody_came_back_there_is_no_window():
    alone = gaps((1, 50, 0, 9))
    assert math.isnan(activity_window.frame(alone)["activity_window"].item())
    assert days_between_orders.frame(alone)["days_between_orders"].isna().all()


def test_the_silent_are_dormant_and_then_lapsed():
    found = silent_share.frame(gaps((1, 0, 0, 3), (1, 90, 5, 1), (2, 91, 0, 2), (1, 180, 0, 1), (3, 181, 0, 5)),
                         activity_window_days=90).set_index("state")  # fmt: skip
    assert found["n_customers"].to_dict() == {"active": 4, "dormant": 3, "lapsed": 5}
    assert found["silent_share"].to_dict() == {"active": 4 / 12, "dormant": 3 / 12, "lapsed": 5 / 12}


def test_all_customers_of_a_market_are_in_one_state(sample_counts):
    found = silent_share.frame(sample_counts.tables["gap_counts"], activity_window_days=90)
    history = sample_counts.tables["order_counts"].query("grain == 'history'").set_index("market")["n_customers"]
    assert found.groupby("market")["n_customers"].sum().to_dict() == history.to_dict()


def test_the_window_of_no_market_is_its_longest_gap(sample_counts):
    found = activity_window.frame(sample_counts.tables["gap_counts"])
    assert found["activity_window"].between(20, 364).all()
    assert (found["from_days"] <= found["activity_window"]).all()

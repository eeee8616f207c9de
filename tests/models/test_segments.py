"""RFM: cut points by hand, equals never parted, the same for all markets; concentration by hand."""

import pandas as pd
import pytest

from retention_kit.models import concentration, rfm_cuts, segments
from retention_kit.models.segments import SEGMENTS, segment


def rfm(frequencies: dict[int, int]) -> pd.DataFrame:
    rows = [("DK", x, 0, 10 * x, n) for x, n in frequencies.items()]
    return pd.DataFrame(rows, columns=["market", "frequency", "recency", "age", "n_customers"])


SPEND = pd.DataFrame(
    {
        "market": ["DK", "DK", "NL", "NL"],
        "n_customers": [5, 5, 5, 5],
        "revenue_minor": [50_000, 150_000, 500, 1500],
    }
)


def test_cut_points_are_fifths_and_never_part_equals():
    """Of ten customers five ordered once, three twice, one three and one four times: 5/10 lie below 2, 8/10 below 3."""
    cuts = rfm_cuts(rfm({0: 5, 1: 3, 2: 1, 3: 1}), SPEND).set_index("score")
    assert cuts["frequency"].tolist() == [2, 2, 3, 3]
    # units since the last order are 0, 10, 20, 30; long ago lies below: 1/10 beyond 20, 2/10 beyond 10, 5/10 beyond 0
    assert cuts["recency"].tolist() == [10, 0, -1, -1]


def test_money_is_cut_by_the_market_s_own_mean_so_that_currencies_do_not_matter():
    """Half of each market brings half of its mean, half one and a half times as much."""
    assert rfm_cuts(rfm({0: 5, 1: 5}), SPEND)["money"].tolist() == [1500, 1500, 1501, 1501]


def test_the_order_of_rows_and_a_market_s_currency_change_no_cut():
    table = rfm({0: 5, 1: 3, 2: 1, 3: 1})
    cuts = rfm_cuts(table, SPEND)
    pd.testing.assert_frame_equal(rfm_cuts(table.iloc[::-1], SPEND.iloc[::-1]), cuts)
    dear = SPEND.assign(revenue_minor=SPEND["revenue_minor"] * [100, 100, 1, 1])
    pd.testing.assert_frame_equal(rfm_cuts(table, dear), cuts)


def test_every_score_has_a_segment_that_is_explained():
    named = {segment(r, f) for r in range(1, 6) for f in range(1, 6)}
    assert named == set(SEGMENTS)


def test_segments_add_up_to_the_market():
    counted = pd.DataFrame(
        {
            "r_score": [5, 5, 1],
            "f_score": [5, 1, 1],
            "m_score": [5, 2, 1],
            "n_customers": [10, 20, 70],
            "n_order_days": [60, 20, 70],
            "revenue_minor": [6000, 1000, 3000],
        }
    )
    table = segments(counted).set_index("segment")
    assert table.index.tolist() == ["champions", "new", "long gone"]
    assert table["share_of_customers"].tolist() == pytest.approx([1 / 10, 2 / 10, 7 / 10])
    assert table["share_of_revenue"].tolist() == pytest.approx([6 / 10, 1 / 10, 3 / 10])
    assert table.loc["champions", "order_days"] == 6


def test_concentration_is_read_off_the_best_customers_and_small_groups_are_left_out():
    """10 bring 50 each, 90 bring 500 / 90: the best 10 % bring 500 of 1,000, the best half 500 + 40 × 500 / 90."""
    table = pd.DataFrame({"each": [50, 5], "n_customers": [10, 90], "worth": [500, 500]})
    found = concentration(table, value="worth", by="each", min_cell=10)
    assert found["top_share"].tolist() == [0.1, 0.2, 0.5]
    assert found["n_customers"].tolist() == [10, 20, 50]
    assert found["share_of_value"].tolist() == pytest.approx([1 / 2, 1 / 2 + 1 / 18, 1 / 2 + 4 / 18])


def test_no_value_has_no_concentration():
    table = pd.DataFrame({"each": [0], "n_customers": [100], "worth": [0]})
    assert concentration(table, value="worth", by="each", min_cell=10).empty

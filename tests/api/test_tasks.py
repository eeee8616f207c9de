"""What an analyst asks in her first hour, each in three lines at the most, of the sample and of a frame of her own."""

from datetime import date

import pandas as pd
import pytest
from matplotlib.figure import Figure, SubFigure

import retention_kit as rk


@pytest.fixture(params=["sample", "own"])
def market(request, denmark, own) -> rk.Market:
    return denmark if request.param == "sample" else own


def test_the_cohort_table_is_a_frame(market):
    frame = market.cohorts(grain="month").to_frame()
    assert {"cohort", "age", "n", "n_active", "classic_retention", "lower", "upper"} <= set(frame)
    assert frame.loc[frame["age"] == 0, "classic_retention"].dropna().eq(1).all()
    assert frame["cohort"].iloc[0].count("-") == 1


def test_the_heat_map_is_one_call(market):
    assert isinstance(market.cohorts().plot(), Figure)


def test_the_retention_curve_is_drawn_on_axes_of_one_s_own(market):
    axes = Figure().subplots()
    figure = market.retention(grain="month").plot(ax=axes)
    assert isinstance(figure, Figure | SubFigure)
    assert axes.get_title(loc="left")


def test_every_kind_of_retention_has_cohorts_and_a_curve(market):
    for kind in ("classic", "unbounded", "cumulative", "revenue"):
        assert len(market.cohorts(kind=kind)) > len(market.retention(kind=kind)) > 0
        assert isinstance(market.retention(kind=kind).plot(), Figure)


def test_two_markets_are_compared_with_an_interval(denmark, shop):
    frame = denmark.compare(shop["DE"]).to_frame()
    one, other = frame["share"]
    difference, lower, upper = frame.loc[0, ["difference", "difference_lower", "difference_upper"]]
    assert difference == pytest.approx(one - other)
    assert lower < difference < upper


def test_all_markets_are_compared_with_all_others(shop):
    frame = shop.compare("returned_share").to_frame()
    assert sorted(frame["market"]) == sorted(shop.markets)
    assert frame["p_holm"].between(0, 1).all()


def test_another_activity_window_is_another_base(shop):
    narrow, wide = (shop.window(days).market("DK").retention_rate().to_frame() for days in (30, 180))
    assert narrow["n_start"].iloc[-1] < wide["n_start"].iloc[-1]


def test_weekly_cohorts_are_one_word(market):
    assert market.cohorts(grain="week").to_frame()["cohort"].iloc[0][4:6] == "-W"


def test_the_share_who_came_back_is_cut_by_the_first_payment_method(denmark):
    table = denmark.returned("payment_method", within=90)
    assert {"card", "PayPal", "MobilePay"} <= set(table.to_frame()["value"])
    assert isinstance(table.plot(), Figure)


def test_a_filter_is_an_expression(denmark):
    found = denmark.where("acquisition_channel = 'referral'").cohorts(grain="quarter")
    assert found.to_frame()["n"].max() < denmark.cohorts(grain="quarter").to_frame()["n"].max()
    assert "acquisition_channel = 'referral', as of the first order" in found.text


def test_the_retention_rate_of_each_tier_stands_in_one_table(shop):
    found = shop.by("loyalty_tier").market("DK").retention_rate(grain="quarter")
    assert set(found.to_frame()["segment"]) == {"none", "silver", "gold", "platinum"}
    assert found.columns[0].title == "Segment"
    assert isinstance(found.plot(), Figure)


def test_the_cohort_table_of_each_first_payment_method_stands_in_one_table(denmark):
    found = denmark.by("payment_method").cohorts(grain="quarter")
    assert set(found.to_frame()["segment"]) == {"Apple Pay", "MobilePay", "PayPal", "card"}


def test_visits_are_an_activity(shop):
    found = shop.active_by("visit").market("DK").retention(grain="month")
    assert "Active by visit, not by orders." in found.text
    assert isinstance(found.plot(), Figure)


def test_two_segments_have_survival_curves_and_a_log_rank_test(denmark):
    found = denmark.by("acquisition_channel = 'search'")
    assert isinstance(found.survival().plot(), Figure)
    assert 0 <= found.log_rank().to_frame()["p"].item() <= 1


def test_segments_are_compared_as_markets_are(denmark):
    two = denmark.by("acquisition_channel = 'search'").compare("returned_share").to_frame()
    assert {"difference", "difference_lower", "difference_upper"} <= set(two)
    many = denmark.by("payment_method").compare("returned_share").to_frame()
    assert len(many) == 4


def test_a_segment_has_a_value_a_sheet_and_headlines(shop):
    segment = shop.where("acquisition_channel = 'search'").market("DK")
    assert {"clv_simple", "average_order_value"} <= set(segment.value().to_frame()["id"])
    assert segment.sheet().market.code == "DK"


def test_the_customers_behind_a_cell_go_to_a_file_for_its_owner_alone(denmark, tmp_path):
    cells = denmark.cohorts(grain="month").to_frame().set_index(["cohort", "age"])
    assert denmark.customers(cohort="2024-11", age=2, to=tmp_path / "who.csv") is None
    assert (tmp_path / "who.csv").stat().st_mode & 0o777 == 0o600
    ids = pd.read_csv(tmp_path / "who.csv", dtype=str)
    assert len(ids) == cells.loc[("2024-11", 2), "n_active"]
    here = denmark.customers(cohort="2024-11", age=2, to=pd.DataFrame)
    assert here["customer_id"].tolist() == ids["customer_id"].tolist()
    with pytest.raises(rk.UsageError, match=r"'who\.csv' cannot be written"):
        denmark.customers(cohort="2024-11", age=2, to=tmp_path / "who.csv")
    with pytest.raises(rk.UsageError, match=r"'2024-Q4' is no month"):
        denmark.customers(cohort="2024-Q4", age=2, to=pd.DataFrame)


def test_survival_has_a_curve_and_two_markets_a_log_rank_test(denmark, shop):
    assert denmark.survival().to_frame()["survival"].dropna().is_monotonic_decreasing
    assert isinstance(denmark.survival().plot(), Figure)
    assert 0 <= denmark.log_rank(shop["DE"]).to_frame()["p"].item() <= 1


def test_a_table_goes_to_excel(market, tmp_path):
    market.cohorts().to_excel(tmp_path / "cohorts.xlsx")
    sheet = pd.read_excel(tmp_path / "cohorts.xlsx", sheet_name=0)
    assert sheet.iloc[:, 0].tolist() == market.cohorts().to_frame()["cohort"].tolist()


def test_a_metric_of_one_s_own_is_shown_like_ours(market):
    @rk.metric(unit="orders per customer", range=(1, None))
    def orders_each(order_counts):
        """Kept orders of each customer of a period."""
        return order_counts[["grain", "period", "n_customers"]].assign(
            orders_each=order_counts["n_orders"] / order_counts["n_customers"]
        )

    table = orders_each(market.counts("order_counts", grain="month").query("grain == 'month' and n_customers > 0"))
    assert table.text.splitlines()[0] == "Orders each"
    assert table.as_of == "2026-01-01"


def test_a_metric_of_one_s_own_cannot_lose_the_persons_that_protect_it(own):
    counts = own.counts("order_counts", grain="month")
    small = counts["n_customers"].between(1, 9).to_numpy()
    assert small.any()

    @rk.metric(unit="orders per customer")
    def as_a_series(order_counts):
        return order_counts["n_orders"] / order_counts["n_customers"]

    @rk.metric(unit="orders")
    def without_persons(order_counts):
        return order_counts[["grain", "period"]].assign(without_persons=order_counts["n_orders"])

    for metric in (as_a_series, without_persons):
        assert metric(counts).frame[metric.name][small].isna().all()


def test_a_metric_of_one_s_own_that_cannot_be_shown_says_why(market):
    @rk.metric(unit="orders")
    def orders_each(order_counts):
        return order_counts[["n_orders"]]

    @rk.metric(unit="orders")
    def all_orders(order_counts):
        return (
            order_counts.groupby("grain", as_index=False)["n_orders"]
            .sum()
            .assign(all_orders=1, index=-1)
            .set_index("index")
        )

    counts = market.counts("order_counts")
    with pytest.raises(rk.MetricError) as error:
        orders_each(counts)
    assert str(error.value) == (
        "orders_each returns no column 'orders_each'.\n  found: 'n_orders'\n"
        "  try:   return order_counts.assign(orders_each=…), or the Series alone"
    )
    with pytest.raises(
        rk.MetricError, match="returns no number of customers, without which no small group can be hidden"
    ):
        all_orders(counts)
    with pytest.raises(rk.MetricError, match=r"orders_each takes the counts table 'order_counts'.\n  found: Market\n"):
        orders_each(market)


def test_a_market_is_compared_with_the_one_of_a_code():
    shop = rk.open("sample", as_of="2026-01-01")
    market = shop.market("DK")
    assert market.compare("DE").frame.equals(market.compare(shop.market("DE")).frame)
    assert market.log_rank("DE").frame.equals(market.log_rank(shop.market("DE")).frame)
    with pytest.raises(rk.UsageError, match="There is no market 'DEE'"):
        market.compare("DEE")


def test_days_are_dates_texts_and_timestamps(thirty_lines):
    facts = {"market": "SE", "currency": "SEK", "time_zone": "Europe/Stockholm"}
    facts["columns"] = {"order_id": "id", "customer_id": "client", "ordered_at": "when", "amount": "total"}
    days = {rk.open(thirty_lines, as_of=when, **facts).as_of for when in
            ("2026-01-01", date(2026, 1, 1), pd.Timestamp("2026-01-01"))}  # fmt: skip
    assert days == {"2026-01-01"}


def test_the_same_orders_from_polars_and_arrow_give_the_same_table(thirty_lines, own):
    pa = pytest.importorskip("pyarrow")
    shop = rk.open(
        pa.Table.from_pandas(thirty_lines), as_of="2026-01-01", market="SE", currency="SEK",
        columns={"order_id": "id", "customer_id": "client", "ordered_at": "when", "amount": "total"},
        time_zone="Europe/Stockholm",
    )  # fmt: skip
    pd.testing.assert_frame_equal(shop["SE"].cohorts().to_frame(), own.cohorts().to_frame())


def test_raw_counts_are_frames_of_whole_numbers_that_a_page_refuses(market):
    counts = market.counts("cohort_counts")
    assert pd.api.types.is_integer_dtype(counts["n_active"])
    assert rk.table.raw_name(counts) == "cohort_counts"


def test_small_groups_are_hidden_in_what_is_shown(own):
    cells = own.cohorts()
    small = cells.frame["n"].isna()
    assert small.any()
    assert cells.hidden.loc[small, "classic_retention"].all()
    assert "hidden" in cells.text

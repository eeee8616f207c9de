import company
import numpy as np
import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.errors import MetricError
from retention_kit.metrics.group import SHARES, GroupSheet, group_sheet, reconcile_group
from retention_kit.metrics.markets import benjamini_hochberg
from retention_kit.metrics.sheet import reconcile_revenue


def sheet_of_all(counted: counts.Counted, *, min_cell: int = 10) -> GroupSheet:
    return group_sheet(
        counted.tables,
        markets={code: counted.source.markets[code] for code in counted.markets},
        as_of=counted.as_of,
        grain="month",
        base_grain="quarter",
        min_cell=min_cell,
        money=counted.group_money,
    )


@pytest.fixture(scope="module")
def sample(sample_counts) -> GroupSheet:
    return sheet_of_all(sample_counts)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> counts.Counted:
    """Return two markets of the same characters, and one of five customers."""
    rows = company.orders(company.DENMARK) + company.orders(company.DENMARK, market="NL")
    rows += company.orders({"always": (5, company.MONTHLY)}, market="JP")
    source = ingest.source(str(company.write(tmp_path_factory.mktemp("two"), rows)))
    return counts.count(source, as_of=company.AS_OF, grains=["month", "quarter"])


def test_every_market_is_compared_by_every_share(sample, sample_counts):
    found = sample.tables["compared"]
    markets = found.groupby("metric", sort=False)["market"].apply(list).to_dict()
    assert list(markets) == list(SHARES)
    assert all(codes == list(sample_counts.markets) for codes in markets.values())
    base = sample_counts.of("DK").activity_counts.query("grain == 'quarter' and rule == 'window'").iloc[-1]
    row = found.query("metric == 'customer_retention_rate' and market == 'DK'").iloc[0]
    assert (row["count"], row["n"]) == (base["n_retained"], base["n_start"])


def test_customers_of_the_markets_are_the_group_s_and_those_who_moved(sample, sample_counts):
    found = sample.tables["customers"].set_index("market")["n_customers"]
    more = found.drop("ALL").sum() - found["ALL"]
    movers = sample_counts.tables["mover_counts"]["n_customers"].sum()
    assert 0 < movers <= more


def test_movers_are_shown_by_pairs_that_are_large_enough(sample):
    found = sample.tables["movers"]
    assert (found["n_customers"] >= 10).all()
    assert (found["market"] != found["to_market"]).iloc[:-1].all()
    assert found["market"].iloc[-1] == "other"


def test_what_exchange_rates_did_is_a_line_of_its_own(sample):
    found = sample.tables["revenue"].set_index("market")
    assert found.loc["NL", "fx_effect"] == found.loc["DE", "fx_effect"] == 0  # the group's currency is theirs
    assert found["change"].to_dict() == pytest.approx((found["change_constant"] + found["fx_effect"]).to_dict())
    markets = found.drop("ALL")
    assert found.loc["ALL"].to_dict() == pytest.approx(markets.sum().to_dict())


def test_a_market_that_is_too_small_is_in_no_row_and_no_sum(two):
    found = sheet_of_all(two)
    assert (found.names, found.hidden) == ({"DK": "Denmark", "NL": "Netherlands"}, ("Japan",))
    for name, table in found.tables.items():
        assert not table.isin(["JP", "ALL"]).any(axis=None), name
    assert found.currency is None  # three currencies, and no group_currency in the profile
    assert "revenue" not in found.tables


def test_two_markets_alike_do_not_differ(two):
    found = sheet_of_all(two).tables["compared"]
    assert (found["difference"] == 0).all()
    assert (found["p"] == 1).all()


def test_markets_that_do_not_add_up_to_the_group_stop_the_report(two):
    tables = dict(two.tables)
    wrong = tables["order_counts"].copy()
    wrong.loc[(wrong["market"] == "ALL") & (wrong["grain"] == "history"), "n_customers"] += 1
    with pytest.raises(MetricError) as error:
        reconcile_group(tables | {"order_counts": wrong}, markets=list(two.markets))
    assert error.value.what.startswith("The markets do not add up to the group")
    assert error.value.found == "Σ customers 119, group 120, movers 0; Σ orders 674, group 674"


def test_revenue_that_does_not_add_up_stops_the_report(two):
    wrong = two.of("DK").revenue_counts.copy()
    wrong.loc[wrong.index[-1], "closing_minor"] += 1
    with pytest.raises(MetricError) as error:
        reconcile_revenue(wrong)
    assert str(error.value).startswith(
        "The revenue of a period does not add up: "
        "opening + expansion − contraction − lapsed + reactivated + new = closing must hold.\n  found: DK, 2024-Q4: "
    )


def test_every_share_of_every_market_is_watched_and_alarms_are_corrected(sample, sample_counts):
    found = sample.tables["anomalies"]
    assert set(found["metric"]) == {"customer_retention_rate", "repeat_customer_rate", "classic_retention"}
    assert set(found["market"]) == set(sample_counts.markets)
    assert (found["p_bh"] >= found["p"]).all()
    assert (found.loc[found["alarm"], "p_bh"] < 0.05).all()
    assert (found.loc[found["alarm"], ["n", "n_then"]] >= 50).all(axis=None)
    rates = found[found["metric"] == "customer_retention_rate"].reset_index(drop=True)
    alone = np.maximum(benjamini_hochberg(rates["p"]), 0)
    assert (rates["p_bh"] >= alone - 1e-12).all()  # what other shares show loosens no alarm
    pd.testing.assert_frame_equal(sample.tables["changes"].reset_index(drop=True), rates)


def test_a_cohort_of_the_anomalies_is_the_one_of_the_counts(sample, sample_counts):
    row = sample.tables["anomalies"].query("market == 'DK' and metric == 'classic_retention'").iloc[0]
    assert row["period"] == "2025-11"  # the last cohort whose next month is over
    cells = sample_counts.of("DK").cohort_counts.query(f"grain == 'month' and cohort == {2025 * 12 + 10}")
    n, active = (cells.query(f"age == {age}")["n_active"].item() for age in (0, 1))
    assert (row["n"], row["share"]) == (n, active / n)


def test_a_market_with_a_cohort_of_few_has_no_cohort_among_the_anomalies(tmp_path):
    few = {"first": (60, ["2022-01-03"]), "few": (4, ["2022-03-03", "2022-04-04"]),
           "old": (60, ["2023-09-03", "2023-10-04"]), "same": (60, ["2024-09-05", "2024-10-06"])}  # fmt: skip
    found = {}
    for name, characters in (("with", few), ("without", {key: few[key] for key in ("first", "old", "same")})):
        rows = company.orders(characters) + company.orders(characters, market="NL")
        source = ingest.source(str(company.write(tmp_path / name, rows)))
        counted = counts.count(source, as_of="2024-11-01", grains=["month", "quarter"])
        table = sheet_of_all(counted).tables["anomalies"]
        found[name] = set(table.loc[table["metric"] == "classic_retention", "market"])
    assert found == {"with": set(), "without": {"DK", "NL"}}


def test_few_movers_leave_no_total_to_find_them_by(tmp_path):
    rows = company.orders(company.DENMARK) + company.orders(company.DENMARK, market="NL")
    movers = [f"NL-moved-{i},DK-always-{i},NL,2024-12-2{i}T12:00:00Z,100,EUR" for i in range(4)]
    source = ingest.source(str(company.write(tmp_path / "few", [*rows, *movers])))
    sheet = sheet_of_all(counts.count(source, as_of=company.AS_OF, grains=["month", "quarter"]))
    assert sheet.headlines == {}
    assert sheet.tables["customers"]["market"].tolist() == ["DK", "NL"]
    assert sheet.tables["movers"].empty


def test_a_pair_of_few_movers_takes_another_pair_with_it(tmp_path):
    rows = company.orders(company.DENMARK) + company.orders(company.DENMARK, market="NL")
    here = [f"NL-moved-{i},DK-always-{i},NL,2024-12-20T12:00:00Z,100,EUR" for i in range(13)]
    there = [f"DK-moved-{i},NL-new-{i},DK,2024-12-20T12:00:00Z,100,DKK" for i in range(4)]
    source = ingest.source(str(company.write(tmp_path / "pairs", [*rows, *here, *there])))
    sheet = sheet_of_all(counts.count(source, as_of=company.AS_OF, grains=["month", "quarter"]))
    assert sheet.tables["movers"].to_dict("records") == [{"market": "other", "to_market": "other", "n_customers": 17}]

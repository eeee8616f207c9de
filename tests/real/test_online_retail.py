"""Online Retail: every row of the reference results, which an independent implementation computed."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from retention_kit import counts, ingest, metrics
from retention_kit.cli import main

pytestmark = pytest.mark.xdist_group("online_retail")

AS_OF = "2011-12-10"
AFTER_THE_QUARTER = "2012-01-01"
ISSUE_MARKETS = ["GB", "DE", "FR", "ES", "BE", "CH", "NL", "IE", "AU"]
CRR_NUMBERS = ["n_start", "n_end", "n_new", "n_retained", "n_reactivated", "n_lapsed"]


@pytest.fixture(scope="module")
def retail(shared):
    return ingest.source("online_retail", files={"orders": str(shared / "data" / "online_retail_raw.parquet")})


@pytest.fixture(scope="module")
def counted(retail):
    return counts.count(retail, as_of=AS_OF, grains=["month", "quarter"])


@pytest.fixture(scope="module")
def quarter_over(retail):
    """Return the counts as of the end of the last quarter, which the data reach into: its cells are closed."""
    return counts.count(retail, as_of=AFTER_THE_QUARTER, grains=["month", "quarter"])


def codes(counted, names: pd.Series) -> pd.Series:
    return names.map(counted.source.markets.by_written_name | {"ALL": "ALL"})


def reference(shared, name: str) -> pd.DataFrame:
    return pd.read_csv(shared / "data" / "reference" / name)


def sheet(counted, market: str) -> metrics.Sheet:
    here = counted.of(market)
    return metrics.market_sheet(
        here.tables, market=here.market, as_of=AS_OF, grain="month", base_grain="quarter", min_cell=3
    )


def test_every_market_has_the_customers_orders_and_revenue_of_the_reference(counted, shared):
    expected = reference(shared, "orI_country.csv")
    expected["market"] = codes(counted, expected["country"])
    history = counted.tables["order_counts"].query("grain == 'history'").set_index("market")
    assert set(expected["market"]) == set(history.index)
    found = history.loc[expected["market"]].reset_index()
    assert found["n_customers"].tolist() == expected["customers"].tolist()
    assert found["n_orders"].tolist() == expected["orders"].tolist()
    assert found["revenue_minor"].tolist() == (expected["revenue"] * 1000).round().astype(int).tolist()
    assert found["n_repeat_customers"].tolist() == expected["repeat_customers"].tolist()


def test_every_market_has_the_rates_of_the_reference(counted, shared):
    expected = reference(shared, "orI_country.csv")
    expected["market"] = codes(counted, expected["country"])
    expected = expected.set_index("market")
    history = counted.tables["order_counts"].query("grain == 'history'")
    for column, found in {
        "aov": metrics.average_order_value.frame(history, minor_per_unit=1000)["average_order_value"],
        "purchase_frequency": metrics.purchase_frequency.frame(history)["purchase_frequency"],
        "repeat_rate": metrics.repeat_customer_rate.frame(history)["repeat_customer_rate"],
        "repeat_rate_days": metrics.repeat_customer_rate_by_days.frame(history)["repeat_customer_rate_by_days"],
    }.items():
        wanted = expected.loc[history["market"], column]
        assert found.to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-12), column


@pytest.mark.parametrize("market", [*ISSUE_MARKETS, "ALL"])
def test_metrics_on_the_command_line_prints_the_numbers_of_the_reference(counted, shared, market):
    file = shared / "data" / "online_retail_raw.parquet"
    call = ["metrics", "--data", "data/sources/online_retail.toml", "--file", str(file), "--market", market]
    result = CliRunner().invoke(main, [*call, "--as-of", AS_OF, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    expected = reference(shared, "orI_country.csv")
    row = expected[codes(counted, expected["country"]) == market].iloc[0]
    values = {headline["id"]: headline["value"] for headline in told["headlines"]}
    assert values["customers"] == row["customers"]
    assert values["orders"] == row["orders"]
    assert values["revenue"] == pytest.approx(row["revenue"], rel=1e-12)
    assert values["average_order_value"] == pytest.approx(row["aov"], rel=1e-12)
    assert values["purchase_frequency"] == pytest.approx(row["purchase_frequency"], rel=1e-12)
    assert values["repeat_customer_rate"] == pytest.approx(row["repeat_rate"], rel=1e-12)
    assert values["repeat_customer_rate_by_days"] == pytest.approx(row["repeat_rate_days"], rel=1e-12)


def test_the_cohort_table_equals_the_reference_cell_for_cell(counted, shared):
    expected = reference(shared, "orI_cohort_long.csv")
    expected["market"] = codes(counted, expected["scope"])
    cells = counted.tables["cohort_counts"].query("grain == 'month'")
    months = (cells["cohort"] // 12).astype(str) + "-" + (cells["cohort"] % 12 + 1).astype(str).str.zfill(2)
    found = cells.assign(month=months).set_index(["market", "month", "age"])
    found = found.loc[list(expected[["market", "cohort", "k"]].itertuples(index=False, name=None))]
    assert found["n_active"].tolist() == expected["active"].tolist()
    # the reference calls the last month of a scope partial; only December is not over at as_of
    assert (found["complete"] == 0).tolist() == (expected["month"] == "2011-12").tolist()
    assert set(expected.loc[expected["month"] == "2011-12", "partial_month"]) == {True}


def test_no_cell_of_the_reference_scopes_is_missing_there(counted, shared):
    expected = reference(shared, "orI_cohort_long.csv")
    cells = counted.tables["cohort_counts"].query("grain == 'month'")
    for scope, rows in expected.groupby("scope"):
        market = codes(counted, pd.Series([scope])).iloc[0]
        assert cells.loc[cells["market"] == market, "n_active"].sum() == rows["active"].sum(), scope


def test_closed_cohort_rates_equal_the_reference(counted, shared):
    expected = reference(shared, "orI_cohort_long.csv").query("not partial_month")
    expected["market"] = codes(counted, expected["scope"])
    rates = metrics.classic_retention.frame(counted.tables["cohort_counts"].query("grain == 'month'"))
    months = (rates["cohort"] // 12).astype(str) + "-" + (rates["cohort"] % 12 + 1).astype(str).str.zfill(2)
    found = rates.assign(month=months).set_index(["market", "month", "age"])
    found = found.loc[list(expected[["market", "cohort", "k"]].itertuples(index=False, name=None))]
    assert found["classic_retention"].to_numpy() == pytest.approx(expected["rate"].to_numpy(), rel=1e-12)
    assert found["n"].tolist() == expected["size"].tolist()


def test_monthly_revenue_of_the_group_equals_the_reference(counted, shared):
    expected = reference(shared, "orI_monthly.csv")
    found = counted.of("ALL").order_counts.query("grain == 'month'")
    assert found["n_customers"].tolist() == expected["active_customers"].tolist()
    assert found["n_orders"].tolist() == expected["orders"].tolist()
    assert found["revenue_minor"].tolist() == (expected["revenue"] * 1000).round().astype(int).tolist()


@pytest.mark.parametrize(("rule", "method"), [("window", "active90"), ("period", "period")])
def test_the_customer_sets_of_every_quarter_equal_the_reference(quarter_over, shared, rule, method):
    expected = crr_rows(quarter_over, shared, method)
    found = quarter_over.tables["activity_counts"].query("grain == 'quarter' and rule == @rule")
    found = found.set_index(["market", "period"]).loc[list(expected.index)]
    for column, wanted in zip(CRR_NUMBERS, ["S", "E", "N", "retained", "reactivated", "lost"], strict=True):
        assert found[column].tolist() == expected[wanted].tolist(), column


@pytest.mark.parametrize(("rule", "method"), [("window", "active90"), ("period", "period")])
def test_both_retention_and_churn_rates_of_every_quarter_equal_the_reference(quarter_over, shared, rule, method):
    expected = crr_rows(quarter_over, shared, method)
    activity = quarter_over.tables["activity_counts"].query("grain == 'quarter' and rule == @rule")
    for metric, column in (
        (metrics.customer_retention_rate, "crr_strict"),
        (metrics.textbook_retention_rate, "crr"),
        (metrics.churn_rate, "churn_strict"),
    ):
        found = metric.frame(activity).set_index(["market", "period"]).loc[list(expected.index)]
        wanted = expected[column].to_numpy()
        assert found[metric.__name__].to_numpy() == pytest.approx(wanted, rel=1e-12, nan_ok=True), column


def test_a_quarter_is_complete_in_the_reference_when_it_is_over_and_not_left_truncated(counted, shared):
    for rule, method in (("window", "active90"), ("period", "period")):
        expected = crr_rows(counted, shared, method)
        found = counted.tables["activity_counts"].query("grain == 'quarter'")
        found = found[found["rule"] == rule].set_index(["market", "period"]).loc[list(expected.index)]
        complete = (found["complete"] == 1) & (found["left_truncated"] == 0)
        assert complete.tolist() == expected["complete"].tolist()


def crr_rows(counted, shared, method: str) -> pd.DataFrame:
    rows = reference(shared, "orI_crr_quarter.csv").query("method == @method").copy()
    assert len(rows) == 40
    rows["market"] = codes(counted, rows["scope"])
    rows["period"] = [int(quarter[:4]) * 4 + int(quarter[-1]) - 1 for quarter in rows["quarter"]]
    return rows.set_index(["market", "period"])


def test_second_purchase_within_so_many_days_equals_the_reference(counted, shared):
    expected = reference(shared, "orI_second_purchase.csv").query("scope != 'ALL'")
    shares = metrics.returned_share.frame(counted.tables["cut_counts"].query("cut == 'everybody'"))
    found = shares.set_index(["market", "horizon_days"])
    for row in expected.itertuples():
        market = counted.source.markets.by_written_name[row.scope]
        for days in (30, 60, 90, 180):
            cell = found.loc[(market, days)]
            assert cell["n_observed"] == getattr(row, f"conv_{days}_n")
            assert cell["returned_share"] == pytest.approx(getattr(row, f"conv_{days}"), rel=1e-12)


def test_the_first_cohort_is_flagged_as_left_truncated(counted):
    cohorts = counted.of("GB").cohort_counts.query("grain == 'month' and age == 0")
    assert cohorts["left_truncated"].tolist() == [1, *[0] * 12]


def test_a_later_as_of_changes_no_closed_cell(counted, quarter_over):
    keys = ["market", "grain", "cohort", "age"]
    closed = counted.tables["cohort_counts"].query("complete == 1").set_index(keys)
    later = quarter_over.tables["cohort_counts"].set_index(keys).loc[closed.index]
    assert closed["n_active"].equals(later["n_active"])
    assert closed["revenue_minor"].equals(later["revenue_minor"])


def test_of_all_customers_ever_the_share_of_every_quarter_equals_the_reference(quarter_over, shared):
    expected = crr_rows(quarter_over, shared, "base")
    activity = quarter_over.tables["activity_counts"].query("grain == 'quarter'")
    found = (
        metrics.ever_customers_active_share.frame(activity).set_index(["market", "period"]).loc[list(expected.index)]
    )
    assert found["n_ever"].tolist() == expected["S"].tolist()
    assert found["n_active"].tolist() == expected["retained"].tolist()
    wanted = expected["crr_strict"].to_numpy()
    assert found["ever_customers_active_share"].to_numpy() == pytest.approx(wanted, rel=1e-12, nan_ok=True)


def test_revenue_retention_of_every_quarter_equals_the_reference(quarter_over, shared):
    expected = crr_rows(quarter_over, shared, "revenue")
    bridge = quarter_over.tables["revenue_counts"].query("grain == 'quarter'")
    keys = ["market", "period"]
    rows = bridge.set_index(keys).loc[list(expected.index)]
    # what the reference calls N is all revenue of E that is not of S: of the new, and of those who came back
    rows = rows.assign(not_of_s=rows["new_minor"] + rows["reactivated_minor"])
    for column, wanted in {"opening_minor": "S", "closing_minor": "E", "not_of_s": "N"}.items():
        assert (rows[column] / 1000).to_numpy() == pytest.approx(expected[wanted].to_numpy(), rel=1e-12, abs=1e-9)
    for metric, wanted in {
        metrics.net_revenue_retention: "crr",
        metrics.gross_revenue_retention: "crr_strict",
    }.items():
        found = metric.frame(bridge).set_index(keys).loc[list(expected.index), metric.__name__]
        assert found.to_numpy() == pytest.approx(expected[wanted].to_numpy(), rel=1e-12, nan_ok=True)


def test_second_purchase_of_all_customers_equals_the_reference(counted, shared):
    expected = reference(shared, "orI_second_purchase.csv")
    expected["market"] = codes(counted, expected["scope"])
    found = metrics.second_order_share.frame(counted.tables["gap_counts"]).set_index(["market", "n_days"])
    for row in expected.itertuples():
        for days in (30, 60, 90, 180):
            cell = found.loc[(row.market, days)]
            assert cell["n"] == row.customers
            assert cell["second_order_share"] == pytest.approx(getattr(row, f"km_{days}"), rel=1e-12)

"""The reference results once more, as an analyst gets them: through the public API, in tables."""

import pandas as pd
import pytest

import retention_kit as rk

pytestmark = pytest.mark.xdist_group("online_retail")


@pytest.fixture(scope="module")
def retail(shared) -> rk.Shop:
    files = {"orders": str(shared / "data" / "online_retail_raw.parquet")}
    return rk.open("online_retail", files=files, as_of="2011-12-10", min_cell=1)


@pytest.fixture(scope="module")
def quarter_over(retail) -> rk.Shop:
    return retail.at("2012-01-01")


def reference(shop: rk.Shop, shared, name: str) -> pd.DataFrame:
    rows = pd.read_csv(shared / "data" / "reference" / name)
    known = shop.source.markets.by_written_name | {"ALL": "ALL"}
    return rows.assign(market=rows["scope" if "scope" in rows else "country"].map(known))


def of_all(shop: rk.Shop, codes, asked) -> pd.DataFrame:
    return pd.concat([asked(shop.market(code)).to_frame().assign(market=code) for code in codes], ignore_index=True)


@pytest.mark.parametrize("from_frame", [False, True], ids=["file", "frame"])
def test_cohort_tables_equal_the_reference_cell_for_cell(retail, shared, from_frame):
    if from_frame:
        frame = pd.read_parquet(shared / "data" / "online_retail_raw.parquet")
        profile = retail.source.profile
        told = {name: getattr(profile.table("orders"), name) for name in ("columns", "where", "group_by_order")}
        told["expected"] = dict(profile.expected)
        markets = {code: market.model_dump(exclude={"code"}) for code, market in retail.source.markets.items()}
        retail = rk.open(frame, as_of="2011-12-10", min_cell=1, markets=markets, currency="GBP",
                         time_zone="Europe/London", **told)  # fmt: skip
    expected = reference(retail, shared, "orI_cohort_long.csv").query("not partial_month")
    found = of_all(retail, expected["market"].unique(), lambda market: market.cohorts(grain="month"))
    both = expected.merge(found, left_on=["market", "cohort", "k"], right_on=["market", "cohort", "age"])
    assert len(both) == len(expected)
    assert both["classic_retention"].to_numpy() == pytest.approx(both["rate"].to_numpy(), rel=1e-12)
    assert (both["n"] == both["size"]).all()
    assert (both["n_active"] == both["active"]).all()


@pytest.mark.parametrize(("rule", "method"), [("window", "active90"), ("period", "period")])
def test_retention_and_churn_of_every_quarter_equal_the_reference(quarter_over, shared, rule, method):
    expected = reference(quarter_over, shared, "orI_crr_quarter.csv").query("method == @method")
    expected = expected.assign(period=expected["quarter"].str.replace("Q", "-Q"))
    for asked, column, wanted in (
        (lambda market: market.retention_rate(rule=rule), "customer_retention_rate", "crr_strict"),
        (lambda market: market.churn_rate(rule=rule), "churn_rate", "churn_strict"),
    ):
        found = of_all(quarter_over, expected["market"].unique(), asked)
        both = expected.merge(found, on=["market", "period"])
        assert len(both) == len(expected) == 40
        assert both[column].to_numpy() == pytest.approx(both[wanted].to_numpy(), rel=1e-12, nan_ok=True)


def test_second_orders_equal_the_reference(retail, shared):
    expected = reference(retail, shared, "orI_second_purchase.csv").set_index("market")
    for days in (30, 60, 90, 180):
        found = of_all(retail, expected.index.drop("ALL"), lambda market, days=days: market.returned(within=days))
        found = found.set_index("market")
        wanted = expected.loc[found.index]
        assert found["returned_share"].to_numpy() == pytest.approx(wanted[f"conv_{days}"].to_numpy(), rel=1e-12)
        assert (found["n_observed"] == wanted[f"conv_{days}_n"]).all()


def test_the_cdnow_triangle_is_a_pivot_of_the_cohort_table(shared):
    files = {"orders": str(shared / "data" / "cdnow_master.parquet")}
    cells = rk.open("cdnow", files=files, as_of="1998-07-01").market("US").cohorts(grain="month").to_frame()
    found = cells.pivot(index="cohort", columns="age", values="n_active")
    expected = pd.read_csv(shared / "data" / "reference" / "cdnow_master_cohort_active.csv", index_col="cohort")
    assert found.index.tolist() == expected.index.tolist()
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=0, nan_ok=True)

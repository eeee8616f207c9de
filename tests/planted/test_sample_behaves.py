"""The sample behaves as built: its planted truths are visible in the tables with plain pandas."""

import tomllib
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from retention_kit.config import project_root, read_markets

SAMPLE = project_root() / "data" / "sample"
MARKETS = read_markets(project_root() / "data" / "markets.toml")
TRUTH = tomllib.loads((SAMPLE / "truth.toml").read_text(encoding="utf-8"))
DAY = pd.Timedelta(days=1)
AS_OF = np.datetime64("2026-01-01")


def read(table: str) -> pd.DataFrame:
    return pd.read_parquet(SAMPLE / f"{table}.parquet")


@pytest.fixture(scope="module")
def all_orders() -> pd.DataFrame:
    """Every order with its local time, and whether it was kept."""
    orders = read("orders")
    parts = [
        part.assign(local=part["ordered_at"].dt.tz_convert(MARKETS[code].time_zone).dt.tz_localize(None))
        for code, part in orders.groupby("market")
    ]
    orders = pd.concat(parts).sort_values("ordered_at", kind="stable")
    undone = (orders["refunded_amount"] >= orders["amount"]).fillna(False).astype(bool)
    return orders.assign(day=orders["local"].dt.normalize(), kept=~orders["cancelled"] & ~undone)


@pytest.fixture(scope="module")
def orders(all_orders) -> pd.DataFrame:
    return all_orders[all_orders["kept"]]


@pytest.fixture(scope="module")
def buyers(orders) -> pd.DataFrame:
    """Each customer's first kept order, and whether a later order day follows within 90 days; those seen so long."""
    first = orders.drop_duplicates("customer_id").set_index("customer_id")
    since = orders["day"] - orders["customer_id"].map(first["day"])
    again = orders.loc[(since >= DAY) & (since <= 90 * DAY), "customer_id"].unique()
    customers = read("customers").set_index("customer_id")
    columns = ["language", "acquisition_channel", "loyalty_joined_at", "market"]
    buyers = first.drop(columns="market").join(customers[columns])
    buyers["again"] = buyers.index.isin(again)
    return buyers[buyers["day"] + 90 * DAY < AS_OF]


def difference(buyers: pd.DataFrame, treated: pd.Series, *, within: list) -> tuple[float, float]:
    """Return treated minus others within strata, each weighted by its customers, and its standard error."""
    cells = buyers.assign(treated=treated).groupby([*within, "treated"], observed=True)["again"].agg(["mean", "size"])
    cells = cells.unstack().dropna()
    share = cells["size"].sum(axis=1) / cells["size"].to_numpy().sum()
    variance = (cells["mean"] * (1 - cells["mean"]) / cells["size"]).sum(axis=1)
    effect = (share * (cells["mean"][True] - cells["mean"][False])).sum()
    return float(effect), float(np.sqrt((share**2 * variance).sum()))


def test_second_purchase_shares_are_those_the_markets_were_built_with(buyers):
    for code, built in TRUTH["markets"].items():
        seen = buyers.loc[buyers["market"] == code, "again"]
        share = built["second_order_day_within_90_days"]
        assert len(seen) == pytest.approx(built["n_observed_90_days"], rel=0.02)
        assert abs(seen.mean() - share) < 3 * np.sqrt(share * (1 - share) / len(seen)), code


def test_onboarding_in_the_own_language_helps_as_much_as_built(buyers):
    contacts = read("tickets").query("kind == 'onboarding'").drop_duplicates("customer_id")
    contact = contacts.set_index("customer_id")["language"].reindex(buyers.index)
    asked = buyers[contact.notna()]
    own = contact[contact.notna()] == asked["language"]
    main = asked["language"] == asked["market"].map({c: m.languages[0][:2] for c, m in MARKETS.items()})
    built = TRUTH["effects"]["own_language"]["effect"]
    effect, error = difference(asked.assign(main=main), own, within=["market", "acquisition_channel", "main"])
    raw = asked["again"][own].mean() - asked["again"][~own].mean()
    assert abs(effect - built) < 1.96 * error
    assert abs(effect - built) < abs(raw - built)


def test_a_local_payment_method_helps_as_much_as_built(buyers):
    local = [
        method in TRUTH["local_payment_methods"][code]
        for method, code in zip(buyers["payment_method"], buyers["market"], strict=True)
    ]
    effect, error = difference(buyers, pd.Series(local, buyers.index), within=["market"])
    assert abs(effect - TRUTH["effects"]["local_payment"]["effect"]) < 1.96 * error


def test_a_late_first_delivery_harms_as_much_as_built(buyers):
    effect, error = difference(buyers, buyers["delivered_at"] > buyers["promised_at"], within=["market"])
    assert abs(effect - TRUTH["effects"]["late_delivery"]["effect"]) < 1.96 * error


def test_slow_support_harms_as_much_as_built(buyers):
    tickets = read("tickets").query("kind in ['question', 'complaint']")
    since = tickets["opened_at"] - tickets["customer_id"].map(buyers["ordered_at"])
    early = tickets[(since >= 0 * DAY) & (since <= 30 * DAY)].drop_duplicates("customer_id")
    waited = early.set_index("customer_id").eval("first_response_at - opened_at")
    asked = buyers.loc[waited.index].assign(late=lambda b: b["delivered_at"] > b["promised_at"])
    effect, error = difference(asked, waited > DAY, within=["market", "late"])
    assert abs(effect - TRUTH["effects"]["slow_support"]["effect"]) < 1.96 * error


def test_members_differ_far_more_than_membership_does(buyers):
    member = buyers["loyalty_joined_at"] - buyers["ordered_at"] <= 30 * DAY
    raw, error = difference(buyers, member, within=["market"])
    built = TRUTH["effects"]["loyalty"]
    assert raw - 5 * error > built["effect"]
    pooled = buyers["again"][member].mean() - buyers["again"][~member].mean()
    assert pooled == pytest.approx(built["raw_difference"], abs=3 * error)


def test_comparing_like_with_like_brings_membership_nearer_to_its_effect(buyers):
    member = buyers["loyalty_joined_at"] - buyers["ordered_at"] <= 30 * DAY
    basket = buyers.groupby("market")["amount"].rank(pct=True).mul(5).astype(int)
    raw, _ = difference(buyers, member, within=["market"])
    matched, _ = difference(buyers.assign(basket=basket), member, within=["market", "acquisition_channel", "basket"])
    built = TRUTH["effects"]["loyalty"]["effect"]
    assert built < matched < raw - 0.01


@pytest.fixture(scope="module")
def assigned(orders) -> pd.DataFrame:
    """The customers of the test, and whether each ordered within 60 days of being assigned."""
    assigned = read("assignments").set_index("customer_id")
    since = orders["ordered_at"] - orders["customer_id"].map(assigned["assigned_at"])
    answered = orders.loc[(since >= 0 * DAY) & (since < 60 * DAY), "customer_id"]
    return assigned.assign(again=assigned.index.isin(answered))


def test_the_incentive_brings_back_as_many_as_built(assigned):
    treated = assigned["again"][assigned["arm"] == "incentive"]
    control = assigned["again"][assigned["arm"] == "control"]
    error = np.sqrt(treated.var() / len(treated) + control.var() / len(control))
    built = TRUTH["effects"]["incentive"]
    assert abs(treated.mean() - control.mean() - built["effect"]) < 1.96 * error
    assert len(assigned) == built["n"]


def test_the_arms_have_the_sizes_they_should_have(assigned):
    n_treated = int((assigned["arm"] == "incentive").sum())
    assert binomtest(n_treated, len(assigned), 0.5).pvalue > 0.01


def test_the_assigned_had_been_silent_for_sixty_days(assigned, all_orders):
    since = all_orders["customer_id"].map(assigned["assigned_at"]) - all_orders["ordered_at"]
    assert not ((since > 0 * DAY) & (since < 59 * DAY)).any()


def test_the_outage_month_cuts_the_orders_of_all_cohorts(orders):
    outage = TRUTH["outage"]
    here = orders[orders["market"] == outage["market"]]
    month = here["day"].dt.strftime("%Y-%m")
    first = here["customer_id"].map(here.groupby("customer_id")["day"].min())
    for cohort in [first < "2024-07-01", (first >= "2024-07-01") & (first < "2025-02-01"), first == here["day"]]:
        n = month[cohort].value_counts()
        usual = (n["2025-02"] + n["2025-04"]) / 2
        expected = outage["orders_factor"] * usual
        assert n[outage["month"]] < 0.7 * usual
        assert abs(n[outage["month"]] - expected) < 3 * np.sqrt(expected)


def test_one_market_loses_its_newcomers_and_keeps_the_others(buyers, orders):
    lost = TRUTH["newcomers"]
    here = buyers[buyers["market"] == lost["market"]]
    new = here["day"] >= lost["first_cohort"]
    for seen, key in [(here[~new], "before"), (here[new], "from_then")]:
        share = lost[f"second_order_day_within_90_days_{key}"]
        assert abs(seen["again"].mean() - share) < 3 * np.sqrt(share * (1 - share) / len(seen))
    assert lost["second_order_day_within_90_days_from_then"] < 0.7 * lost["second_order_day_within_90_days_before"]


# ---- life as it is


def test_orders_are_refunded_wholly_and_partly_and_cancelled(all_orders):
    refunded = all_orders["refunded_amount"].fillna(0).astype(float)
    whole = refunded >= all_orders["amount"].astype(float)
    assert 0.01 < whole.mean() < 0.02
    assert 0.03 < ((refunded > 0) & ~whole).mean() < 0.06
    assert 0.015 < all_orders["cancelled"].mean() < 0.03
    assert (all_orders["refunded_at"] > pd.Timestamp("2026-01-01", tz="UTC")).sum() > 10
    assert (all_orders["refunded_at"] - all_orders["ordered_at"] > 45 * DAY).sum() > 100


def test_some_customers_order_twice_on_a_day(orders):
    assert 0.02 < orders.duplicated(["customer_id", "day"]).mean() < 0.09


def test_some_customers_move_to_another_market(orders):
    n_markets = orders.groupby("customer_id")["market"].nunique()
    assert 0.003 < (n_markets > 1).mean() < 0.01


def test_some_customers_leave_and_come_back(orders):
    gap = orders.groupby("customer_id")["day"].diff()
    assert orders.loc[gap > 180 * DAY, "customer_id"].nunique() > 1000


def test_orders_lie_on_both_sides_of_local_midnight_and_in_the_nights_the_clocks_change(orders):
    minute = orders["local"].dt.hour * 60 + orders["local"].dt.minute
    assert (minute < 30).sum() > 500
    assert (minute >= 1410).sum() > 500
    utc_day = orders["ordered_at"].dt.tz_localize(None).dt.normalize()
    assert (utc_day != orders["day"]).groupby(orders["market"]).sum().min() > 50
    european = orders[orders["market"].isin(["NL", "DK", "RO", "DE"]) & (orders["local"].dt.hour < 5)]
    for night in ["2023-10-29", "2024-03-31", "2024-10-27", "2025-03-30", "2025-10-26"]:
        assert (european["day"] == night).any(), night


def test_trade_follows_each_market_s_calendar(orders):
    def n_orders(code: str, first: str, last: str) -> int:
        return int(orders.loc[orders["market"] == code, "day"].between(first, last).sum())

    assert n_orders("CN", "2024-11-11", "2024-11-11") > 2 * n_orders("CN", "2024-11-18", "2024-11-18")
    assert n_orders("CN", "2024-11-01", "2024-11-30") > n_orders("CN", "2024-12-01", "2024-12-31")
    assert n_orders("DE", "2024-12-01", "2024-12-31") > 1.2 * n_orders("DE", "2024-11-01", "2024-11-30")
    assert n_orders("US", "2024-11-29", "2024-12-02") > 1.5 * n_orders("US", "2024-11-22", "2024-11-25")
    assert n_orders("JP", "2025-04-29", "2025-05-05") > 1.1 * n_orders("JP", "2025-05-13", "2025-05-19")


def test_retention_falls_and_flattens(orders):
    """Classic retention by month of age, all cohorts of 2023 and 2024-01 to 06 together."""
    month = orders["day"].dt.year * 12 + orders["day"].dt.month
    cohort = month.groupby(orders["customer_id"]).transform("min")
    old = cohort <= 2024 * 12 + 6
    age = (month - cohort)[old]
    active = orders[old].assign(age=age).groupby("age")["customer_id"].nunique()
    curve = active / active[0]
    assert 0.2 < curve[1] < 0.45
    assert 0.08 < curve[12] < 0.25
    assert curve[1] - curve[6] > curve[6] - curve[11]


def test_quarterly_retention_and_repeat_rates_are_lifelike(orders):
    end, window = pd.Timestamp(date(2025, 10, 1)), 91 * DAY
    for code, here in orders.groupby("market"):
        before = set(here.loc[(here["day"] >= end - window) & (here["day"] < end), "customer_id"])
        after = set(here.loc[(here["day"] >= end) & (here["day"] < end + window), "customer_id"])
        days = here.drop_duplicates(["customer_id", "day"]).groupby("customer_id").size()
        assert 0.40 < len(before & after) / len(before) < 0.75, code
        assert 0.38 < (days >= 2).mean() < 0.65, code


def test_engagement_falls_before_customers_go_silent(orders):
    """Events in the 45 days before 2025-10-01: of customers who order again, and of those who do not."""
    cut = pd.Timestamp("2025-10-01")
    recent = orders.loc[(orders["day"] < cut) & (orders["day"] >= cut - 60 * DAY), "customer_id"].unique()
    stays = np.isin(recent, orders.loc[orders["day"] >= cut, "customer_id"].unique())
    events = read("engagement")
    since = pd.Timestamp(cut - 45 * DAY, tz="UTC")
    events = events[(events["occurred_at"] >= since) & (events["occurred_at"] < pd.Timestamp(cut, tz="UTC"))]
    n = events.groupby("customer_id").size().reindex(recent, fill_value=0)
    assert n[stays].mean() > 1.5 * n[~stays].mean()


def test_answers_say_something_and_who_answers_stays_longer(orders):
    surveys = read("surveys")
    nps = surveys[(surveys["question"] == "nps") & (surveys["answered_at"] < pd.Timestamp("2025-09-01", tz="UTC"))]
    last = nps["customer_id"].map(orders.groupby("customer_id")["ordered_at"].max())
    ordered_later = last > nps["answered_at"]
    assert ordered_later[nps["score"] >= 9].mean() > ordered_later[nps["score"] <= 6].mean() + 0.05
    intent = surveys[surveys["question"] == "intent"]
    assert intent["score"].between(0, 10).all()
    assert intent["score"].mean() > 5

"""What holds of the counts of any orders, whoever ordered what."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice

import pandas as pd
import pytest
from oracle import COLUMNS, comparable, rows_of
from order_logs import Log, Order, as_of_us, counted_in

from retention_kit.config import GROUP
from retention_kit.counts import GUIDE_TABLES, DuckDB

pytestmark = pytest.mark.xdist_group("counted_logs")  # counted once, not once by each worker

TABLES = list(COLUMNS)
TEXTS = ("market", "to_market", "grain", "rule", "kind", "reason")
FLAGS = ("complete", "left_truncated", "first_day", "next_day")
KEYS = (
    *("market", "grain", "cohort", "age", "last_age", "rule", "period", "nth", "gap_days", "kind", "duration_days"),
    *("to_market", "bucket", "window_days", "unit_days", "frequency", "recency", "reason"),
    *("from_day", "to_day", "before_day", "observed_day"),
)


def summed(*counted: dict[str, pd.DataFrame]) -> dict[str, dict]:
    """Return the numbers of tables by key, added up; a key of nothing but zeros is no key."""
    found = {}
    for name in counted[0]:
        by_key = defaultdict(int)
        for tables in counted:
            table = tables[name]
            keys = [column for column in COLUMNS[name] if column in KEYS]
            for column in (column for column in COLUMNS[name] if column not in (*KEYS, *FLAGS)):
                for *key, value in table[[*keys, column]].itertuples(index=False, name=None):
                    by_key[*key, column] += value
        found[name] = {key: value for key, value in by_key.items() if value}
    return found


def is_counted(log: Log) -> bool:
    """Return whether an order of the log lies before as_of."""
    zones = {place.code: place.zone for place in log.places}
    return any(order.at < as_of_us(log.as_of, zones[order.market]) for order in log.orders)


def few(logs, *, of=lambda _: True, most: int = 3):
    """Return a few of the logs with their counts: those that a law speaks of."""
    found = list(islice(((log, tables) for log, tables in logs if of(log)), most))
    assert found, "no random log is of this kind"
    return found


class InThreeParts(DuckDB):
    """An engine that takes every ledger for too large to be counted at once."""

    def n_parts(self, ledger: str) -> int:
        del ledger
        return 3


def is_at_midnight(log: Log) -> bool:
    return len(log.as_of) == len("2026-01-01")


class TestOtherLogs:
    @pytest.mark.slow
    def test_counts_of_disjoint_customers_add_up(self, counted_logs, duckdb_engine):
        def halves(log: Log) -> list[Log]:
            customers = sorted({order.customer for order in log.orders})
            return [log.of(customers[::2]), replace(log.of(customers[1::2]), contracts=())]

        logs = [(replace(log, as_of=_days_later(log.as_of[:10], days=90)), None) for log, _ in counted_logs]
        for log, _ in few(logs, of=lambda log: all(half.orders and is_counted(half) for half in halves(log))):
            whole, *parts = (counted_in(duckdb_engine, one, TABLES) for one in (log, *halves(log)))
            assert summed(*parts) == summed(whole)

    @pytest.mark.slow
    def test_customers_counted_a_part_at_a_time_are_counted_alike(self, counted_logs):
        with InThreeParts() as engine:
            for log, tables in few(counted_logs, most=6):
                assert rows_of(counted_in(engine, log, TABLES)) == rows_of(tables)

    def test_the_order_of_rows_does_not_matter(self, counted_logs, duckdb_engine):
        for log, tables in few(counted_logs):
            turned = replace(log, orders=log.orders[::-1], contracts=log.contracts[::-1])
            assert rows_of(counted_in(duckdb_engine, turned, TABLES)) == rows_of(tables)

    def test_the_order_of_markets_does_not_matter(self, counted_logs, duckdb_engine):
        for log, tables in few(counted_logs, of=lambda log: len(log.places) > 1):
            turned = replace(log, places=log.places[::-1])
            assert rows_of(counted_in(duckdb_engine, turned, TABLES)) == rows_of(tables)

    def test_a_later_as_of_changes_no_closed_cell_where_no_refund_is_late(self, counted_logs, duckdb_engine):
        for log, _ in few(counted_logs, most=2):
            early = replace(log, orders=tuple(_without_late_refund(order, log) for order in log.orders))
            later = replace(early, as_of=_days_later(log.as_of, days=40))
            before, after = (rows_of(counted_in(duckdb_engine, one, TABLES)) for one in (early, later))
            for name in ("cohort_counts", "activity_counts", "order_counts", "revenue_counts"):
                assert set(_closed(before[name], name)) <= set(after[name]), name

    def test_a_fully_refunded_order_changes_nothing(self, counted_logs, duckdb_engine):
        for log, tables in few(counted_logs, of=lambda log: log.refund_policy == "order"):
            refunded = [
                Order(customer, log.orders[0].market, order.at + 1, amount=500, refunded=500, refunded_at=order.at + 2)
                for customer in ("once", "refunded")
                for order in log.orders
                if _is_seen(order.at + 2, log)
            ]
            more = replace(log, orders=(*log.orders, *refunded))
            found, known = (rows_of(one) for one in (counted_in(duckdb_engine, more, GUIDE_TABLES), tables))
            assert found == {name: known[name] for name in GUIDE_TABLES}

    def test_the_group_is_the_sum_of_its_markets_where_nobody_moved(self, counted_logs, duckdb_engine):
        for log, _ in few(counted_logs, of=lambda log: len(log.present) > 1):
            at_home = tuple(replace(order, customer=f"{order.customer} of {order.market}") for order in log.orders)
            bound = tuple(replace(one, customer=f"{one.customer} of {one.market}") for one in log.contracts)
            tables = counted_in(duckdb_engine, replace(log, orders=at_home, contracts=bound), list(GUIDE_TABLES))
            group = {name: table[table["market"] == GROUP] for name, table in tables.items()}
            markets = {name: table[table["market"] != GROUP].assign(market=GROUP) for name, table in tables.items()}
            assert summed(group) == summed(markets)


def _days_later(as_of: str, *, days: int) -> str:
    """Return an as_of that many days later."""
    if len(as_of) == len("2026-01-01"):
        return (date.fromisoformat(as_of) + timedelta(days=days)).isoformat()
    return (datetime.fromisoformat(as_of) + timedelta(days=days)).isoformat()


def _is_seen(us: int, log: Log) -> bool:
    return all(us < as_of_us(log.as_of, place.zone) for place in log.places)


def _without_late_refund(order: Order, log: Log) -> Order:
    is_late = order.refunded_at is not None and not _is_seen(order.refunded_at, log)
    return replace(order, refunded=0, refunded_at=None) if is_late else order


def _closed(rows: list[tuple], name: str) -> list[tuple]:
    at = {column: nth for nth, column in enumerate(COLUMNS[name])}
    return [row for row in rows if row[at["complete"]] == 1 and row[at["grain"]] not in ("history", "last_year")]


class TestOneLog:
    def test_everybody_active_at_an_age_was_last_seen_at_it_or_later(self, counted_logs):
        for _, tables in counted_logs:
            seen = defaultdict(list)
            for *cohort, last_age, n_customers in rows_of(tables)["last_seen_counts"]:
                seen[tuple(cohort)].append((last_age, n_customers))
            for cell in tables["cohort_counts"].itertuples():
                of_cohort = seen[cell.market, cell.grain, cell.cohort]
                later = sum(n_customers for last_age, n_customers in of_cohort if last_age >= cell.age)
                assert later >= cell.n_active
                assert cell.age > 0 or later == cell.n_active  # at age 0 it is everybody

    def test_the_active_base_is_told_completely(self, counted_logs):
        for _, tables in counted_logs:
            t = tables["activity_counts"]
            assert (t["n_end"] == t["n_retained"] + t["n_new"] + t["n_reactivated"]).all()
            assert (t["n_start"] == t["n_retained"] + t["n_lapsed"]).all()

    def test_who_is_active_at_the_end_is_active_at_the_next_start(self, counted_logs):
        for _, tables in counted_logs:
            ends = tables["activity_counts"]
            keys = ["market", "grain", "rule", "period"]
            both = ends.assign(period=ends["period"] + 1).merge(ends, on=keys, suffixes=("", "_next"))
            assert (both["n_end"] == both["n_start_next"]).all()

    def test_the_bridge_of_revenue_closes(self, counted_logs):
        for _, tables in counted_logs:
            t = tables["revenue_counts"]
            kept = t["opening_minor"] + t["expansion_minor"] - t["contraction_minor"] - t["lapsed_minor"]
            assert (kept + t["reactivated_minor"] + t["new_minor"] == t["closing_minor"]).all()

    def test_revenue_of_the_active_and_of_others_is_all_revenue(self, counted_logs):
        for _, tables in counted_logs:
            keys = ["market", "grain", "period"]
            both = tables["revenue_counts"].merge(tables["order_counts"], on=keys, validate="one_to_one")
            assert len(both) == len(tables["revenue_counts"])
            assert (both["closing_minor"] + both["other_minor"] == both["revenue_minor"]).all()

    def test_the_periods_of_a_grain_add_up_to_history(self, counted_logs):
        numbers = ["n_orders", "n_order_days", "gross_minor", "refunded_minor", "revenue_minor"]
        for _, tables in counted_logs:
            table = tables["order_counts"]
            history = table[table["grain"] == "history"].set_index("market")[numbers]
            periods = table[~table["grain"].isin(["history", "last_year"])]
            for _, sums in periods.groupby("grain"):
                pd.testing.assert_frame_equal(sums.groupby("market")[numbers].sum(), history, check_like=True)

    def test_an_order_is_kept_or_left_out_for_a_reason(self, counted_logs):
        for log, tables in counted_logs:
            history = tables["order_counts"].query("grain == 'history'").set_index("market")["n_orders"]
            left_out = tables["left_out_counts"].groupby("market")["n_orders"].sum()
            for place in log.present:
                n_orders = sum(1 for order in log.orders if order.market == place.code)
                assert history.get(place.code, 0) + left_out.get(place.code, 0) == n_orders

    def test_every_table_of_customers_counts_the_same_customers(self, counted_logs):
        for _, tables in counted_logs:
            history = tables["order_counts"].query("grain == 'history'").set_index("market")["n_customers"]
            lives = tables["lifetime_counts"].query("kind == 'orders'")
            everybody = {
                "patterns": tables["rfm_counts"].groupby("market")["n_customers"].sum(),
                "open gaps": tables["gap_counts"].groupby("market")["n_open"].sum(),
                "lives": (lives["n_ended"] + lives["n_running"]).groupby(lives["market"]).sum(),
            } | {
                f"last seen, {grain}": seen.groupby("market")["n_customers"].sum()
                for grain, seen in tables["last_seen_counts"].groupby("grain")
            }
            known = history[history > 0].to_dict()
            assert all(counted.to_dict() == known for counted in everybody.values())

    def test_a_group_has_at_most_the_customers_of_its_markets_and_all_their_orders(self, counted_logs):
        at_most = {
            "order_counts": ["n_customers"],
            "activity_counts": ["n_start", "n_end", "n_new", "n_lapsed"],
        }
        for log, tables in few(counted_logs, of=is_at_midnight, most=99):
            for name, numbers in at_most.items():
                keys = [column for column in COLUMNS[name] if column in KEYS and column != "market"]
                is_group = tables[name]["market"] == GROUP
                group = tables[name][is_group].set_index(keys)[numbers].sort_index()
                markets = tables[name][~is_group].groupby(keys)[numbers].sum()
                assert (group <= markets).all(axis=None), log
            history = tables["order_counts"].query("grain == 'history'").set_index("market")["n_orders"]
            assert history.get(GROUP, 0) == history.drop(GROUP, errors="ignore").sum()

    def test_counts_are_integers_and_none_is_below_zero(self, counted_logs):
        for _, tables in counted_logs:
            for name, table in tables.items():
                numbers = [column for column in table if column not in TEXTS]
                assert (table[numbers].dtypes == "int64").all(), name
                counts = [c for c in numbers if c.startswith("n_") or c in ("age", "gap_days", "duration_days", "nth")]
                assert (table[counts] >= 0).all(axis=None), name

    def test_nobody_is_seen_after_the_end_of_his_age(self, counted_logs):
        for _, tables in counted_logs:
            patterns = tables["rfm_counts"]
            assert (patterns["recency"] <= patterns["age"]).all()
            assert ((patterns["frequency"] > 0) | (patterns["recency"] == 0)).all()


def test_an_engine_counts_the_same_when_it_counts_again(counted_logs, duckdb_engine):
    log, tables = counted_logs[-1]
    assert rows_of(counted_in(duckdb_engine, log, TABLES)) == rows_of(tables)


def test_only_the_tables_asked_for_are_counted(counted_logs, duckdb_engine):
    log, tables = counted_logs[0]
    found = rows_of(counted_in(duckdb_engine, log, ["gap_counts"]))
    assert found == {"gap_counts": rows_of(tables)["gap_counts"]}


@pytest.mark.parametrize("grains", [("month", "month"), ("month", "year", "month")])
def test_a_grain_asked_for_twice_is_counted_once(counted_logs, duckdb_engine, grains):
    log = replace(counted_logs[0][0], grains=grains)
    once = replace(log, grains=tuple(dict.fromkeys(grains)))
    found, known = (counted_in(duckdb_engine, one, ["cohort_counts", "order_counts"]) for one in (log, once))
    assert comparable(rows_of(found), log) == comparable(rows_of(known), log)

"""Characters whose counts are a sum that one can do in the head."""

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from oracle import COLUMNS
from order_logs import Contract, Log, Order, Place, counted_in, instant, load_log, source_of

from retention_kit.counts import counts_in
from retention_kit.periods import day_of

NL, DK = Place("NL", "Europe/Amsterdam", 90), Place("DK", "Europe/Copenhagen", 30)
JANUARY = 2024 * 12
FEBRUARY, MARCH, APRIL, MAY, JUNE = range(JANUARY + 1, JANUARY + 6)


def orders(customer: str, *days: str, market: str = "NL", **facts) -> list[Order]:
    """Return orders of 100 at noon in Amsterdam, or at the clock that a day states."""
    times = [day if "T" in day else f"{day}T12:00" for day in days]
    return [Order(customer, market, instant(time, "Europe/Amsterdam"), **facts) for time in times]


CHARACTERS = Log(
    places=(NL, DK),
    orders=(
        *orders("once", "2024-01-15"),
        *orders("always", "2024-01-15", "2024-02-15", "2024-03-15", "2024-04-15", "2024-05-15", "2024-06-15"),
        *orders("gap", "2024-01-10", "2024-06-20"),
        *orders("midnight", "2024-02-01T00:00", "2024-03-31T23:59:59.999999"),
        *orders("late", "2024-03-10", refunded=100, refunded_at=instant("2024-07-05T12:00")),
        *orders("twin", "2024-04-05T09:00", "2024-04-05T21:00"),
        *orders("refunded", "2024-02-10"),
        *orders("refunded", "2024-03-10", refunded=100, refunded_at=instant("2024-03-12T12:00")),
        *orders("mover", "2024-02-20"),
        *orders("mover", "2024-05-20", market="DK"),
        *orders("cancelled", "2024-02-20", cancelled=True),
        *orders("free", "2024-02-20", amount=0),
    ),
    as_of="2024-07-01",
    complete_history=True,
)


@pytest.fixture(scope="module")
def tables(duckdb_engine) -> dict[str, pd.DataFrame]:
    """Return the counts tables of the characters by month."""
    return counted_in(duckdb_engine, CHARACTERS, list(COLUMNS))


def rows(table: pd.DataFrame, condition: str, *columns: str) -> list[tuple]:
    """Return columns of the rows that meet a condition."""
    return list(table.query(condition)[list(columns)].itertuples(index=False, name=None))


def test_a_cohort_is_counted_at_each_age_and_nobody_is_zero(tables):
    # January: once, always, gap. February: always. … June: always, gap.
    found = rows(tables["cohort_counts"], f"market == 'NL' and cohort == {JANUARY}", "age", "n_active", "revenue_minor")
    assert found == [(0, 3, 300), (1, 1, 100), (2, 1, 100), (3, 1, 100), (4, 1, 100), (5, 2, 200)]
    # April: twin, who ordered twice in it and never again
    found = rows(tables["cohort_counts"], f"market == 'NL' and cohort == {APRIL}", "age", "n_active", "n_orders")
    assert found == [(0, 1, 2), (1, 0, 0), (2, 0, 0)]


def test_midnight_is_the_first_instant_of_a_local_month(tables):
    # 1 February 00:00 in Amsterdam is 31 January 23:00 UTC; 31 March 23:59:59.999999 is 21:59:59.999999 UTC
    # cohort of February: midnight, refunded, mover; in March only midnight is active, for what is refunded is nothing
    found = rows(tables["cohort_counts"], f"market == 'NL' and cohort == {FEBRUARY}", "age", "n_active")
    assert found == [(0, 3), (1, 1), (2, 0), (3, 0), (4, 0)]


def test_who_was_last_seen_when(tables):
    # January: once at 0, always and gap at 5. February: refunded and mover at 0, midnight at 1; then late, twin at 0
    found = rows(tables["last_seen_counts"], "market == 'NL'", "cohort", "last_age", "n_customers")
    assert sorted(found) == [
        *((JANUARY, 0, 1), (JANUARY, 5, 2), (FEBRUARY, 0, 2), (FEBRUARY, 1, 1)),
        *((MARCH, 0, 1), (APRIL, 0, 1)),
    ]


SETS = ("n_start", "n_end", "n_new", "n_retained", "n_reactivated", "n_lapsed")


def test_the_sets_of_a_month_by_period(tables):
    june = rows(tables["activity_counts"], f"market == 'NL' and rule == 'period' and period == {JUNE}", *SETS)
    assert june == [(1, 2, 0, 1, 1, 0)]  # always stays, gap comes back
    april = rows(tables["activity_counts"], f"market == 'NL' and rule == 'period' and period == {APRIL}", *SETS)
    assert april == [(3, 2, 1, 1, 0, 2)]  # always, midnight, late → always, twin


def test_the_sets_of_a_month_by_window(tables):
    # NL: 90 days before 1 June reach back to 3 March: always, midnight (31 March), late (10 March), twin (5 April);
    # 90 days before 1 July to 2 April: always, gap, twin
    june = rows(tables["activity_counts"], f"market == 'NL' and rule == 'window' and period == {JUNE}", *SETS)
    assert june == [(4, 3, 0, 2, 1, 2)]


def test_a_window_keeps_a_customer_on_its_last_day_and_not_on_the_next(duckdb_engine):
    # 2 March + 90 days = 31 May; 3 March + 90 days = 1 June
    log = Log(places=(NL,), orders=(*orders("once", "2024-03-02"), *orders("always", "2024-03-03")), as_of="2024-07-01")
    activity = counted_in(duckdb_engine, log, ["activity_counts"])["activity_counts"]
    assert rows(activity, f"market == 'NL' and rule == 'window' and period == {JUNE}", "n_start") == [(1,)]


def test_same_day_orders_repeat_by_orders_and_not_by_days(tables):
    names = ("n_customers", "n_repeat_customers", "n_repeat_customers_by_days", "n_orders", "n_order_days")
    april = rows(tables["order_counts"], f"market == 'NL' and grain == 'month' and period == {APRIL}", *names)
    assert april == [(2, 1, 0, 3, 2)]  # always once, twin twice on a day
    # once 1, always 6, gap 2, midnight 2, late 1, twin 2, refunded 1, mover 1; twin alone on one day only
    history = rows(tables["order_counts"], "market == 'NL' and grain == 'history'", *names)
    assert history == [(8, 4, 3, 16, 15)]


def test_history_and_the_last_year_end_at_as_of(tables):
    bounds = rows(tables["order_counts"], "market == 'NL' and period == 0", "grain", "first_day", "next_day")
    until = day_of(date(2024, 7, 1))
    assert sorted(bounds) == [
        ("history", day_of(date(2024, 1, 10)), until),
        ("last_year", day_of(date(2023, 7, 1)), until),
    ]


def test_gaps_are_closed_by_the_next_order_day_or_open(tables):
    # second order days: always 31, gap 162, midnight 59 (1 February to 31 March); summer time takes no day away
    found = rows(tables["gap_counts"], "market == 'NL' and nth == 1 and n_closed > 0", "gap_days", "n_closed")
    assert sorted(found) == [(31, 1), (59, 1), (162, 1)]
    # until 1 July, of one order day: once 168, refunded 142, mover 132, late 113, twin 87
    found = rows(tables["gap_counts"], "market == 'NL' and nth == 1 and n_open > 0", "gap_days", "n_open")
    assert sorted(found) == [(87, 1), (113, 1), (132, 1), (142, 1), (168, 1)]
    # always: 31 + 29 + 31 + 30 + 31 days, the fifth gap is 31; from 15 June 16 days are open, as the fifth or later
    found = rows(tables["gap_counts"], "market == 'NL' and nth == 5", "gap_days", "n_closed", "n_open")
    assert sorted(found) == [(16, 0, 1), (31, 1, 0)]


def test_lives_end_when_the_window_after_the_last_order_does(tables):
    # ended before 1 July, 90 days after the last order: once 90, refunded 90, mover 90, late 90, midnight 59 + 90
    found = rows(tables["lifetime_counts"], "market == 'NL' and n_ended > 0", "duration_days", "n_ended")
    assert sorted(found) == [(90, 4), (149, 1)]
    # running: always since 15 January 168 days, gap since 10 January 173, twin since 5 April 87
    found = rows(tables["lifetime_counts"], "market == 'NL' and n_running > 0", "duration_days", "n_running")
    assert sorted(found) == [(87, 1), (168, 1), (173, 1)]


def test_patterns_count_repeat_days_in_whole_weeks(tables):
    # always: 5 repeat days over 152 days = 21 weeks, observed for 168 = 24; gap: 1 over 162 = 23, 173 = 24
    found = rows(
        tables["rfm_counts"], "market == 'NL' and frequency > 0", "frequency", "recency", "age", "revenue_minor"
    )
    assert sorted(found) == [(1, 8, 21, 200), (1, 23, 24, 200), (5, 21, 24, 600)]


def test_the_revenue_of_a_month_says_where_it_came_from(tables):
    june = tables["revenue_counts"].query(f"market == 'NL' and period == {JUNE}").iloc[0]
    # always 100 in May and 100 in June; gap 100 after a pause
    assert june["opening_minor"] == june["reactivated_minor"] == 100
    assert june["closing_minor"] == 200
    assert june["expansion_minor"] == june["contraction_minor"] == june["lapsed_minor"] == june["new_minor"] == 0


def test_a_mover_counts_in_both_markets_and_once_in_the_group(tables):
    customers = dict(rows(tables["order_counts"], "grain == 'history'", "market", "n_customers"))
    assert customers == {"NL": 8, "DK": 1, "ALL": 8}
    cohort = f"market == 'ALL' and cohort == {FEBRUARY} and age == 3"
    assert rows(tables["cohort_counts"], cohort, "n_active") == [(1,)]  # mover, in May, in Denmark
    assert rows(tables["cohort_counts"], f"market == 'ALL' and cohort == {MAY}", "n_active") == []
    # NL → DK after 90 days
    assert rows(tables["gap_counts"], "market == 'ALL' and gap_days == 90 and nth == 1", "n_closed") == [(1,)]


def test_what_is_left_out_is_named(tables):
    found = rows(tables["left_out_counts"], "market == 'NL'", "reason", "n_orders")
    assert sorted(found) == [("cancelled", 1), ("fully refunded", 1), ("no positive amount", 1)]


def test_a_late_refund_takes_back_an_order_only_once_it_was_made(duckdb_engine):
    later = replace(CHARACTERS, as_of="2024-07-06")
    table = counted_in(duckdb_engine, later, ["order_counts"])["order_counts"]
    march = f"market == 'NL' and grain == 'month' and period == {MARCH}"
    assert rows(table, march, "n_customers", "revenue_minor") == [(2, 200)]  # always, midnight; no longer late


def test_a_processed_refund_lowers_the_day_on_which_it_was_made(duckdb_engine):
    log = Log(
        places=(NL,),
        orders=(
            *orders("always", "2024-01-15", "2024-02-15"),
            *orders("refunded", "2024-01-20", refunded=100, refunded_at=instant("2024-02-03T12:00")),
            *orders("late", "2024-01-25", refunded=40, refunded_at=instant("2024-02-03T12:00")),
        ),
        as_of="2024-03-01",
        refund_policy="processed",
    )
    table = counted_in(duckdb_engine, log, ["order_counts", "revenue_counts"])
    months = rows(
        table["order_counts"],
        "market == 'NL' and grain == 'month'",
        *("n_customers", "n_orders", "gross_minor", "refunded_minor", "revenue_minor"),
    )
    # January: always, late; refunded's 100 came in, and is no order. February: always; 100 + 40 went back.
    assert months == [(2, 2, 300, 0, 300), (1, 1, 100, 140, -40)]
    other = rows(table["revenue_counts"], "market == 'NL'", "closing_minor", "other_minor")
    assert other == [(200, 100), (100, -140)]


@pytest.mark.parametrize(("complete_history", "flags"), [(False, [1, 0]), (True, [0, 0])])
def test_the_first_cohort_may_hold_older_customers_where_history_starts_with_the_data(
    duckdb_engine, complete_history, flags
):
    log = replace(
        CHARACTERS,
        orders=(*orders("once", "2024-01-15"), *orders("always", "2024-02-15")),
        complete_history=complete_history,
    )
    cohorts = counted_in(duckdb_engine, log, ["cohort_counts"])["cohort_counts"]
    assert cohorts.query("market == 'NL' and age == 0")["left_truncated"].tolist() == flags


@pytest.mark.parametrize(
    ("as_of", "periods"),
    [
        ("2024-03-01", [(JANUARY, 1), (FEBRUARY, 1)]),  # midnight: nothing of March is observed
        ("2024-03-01T00:00+01:00", [(JANUARY, 1), (FEBRUARY, 1)]),
        ("2024-03-01T00:00:00.000001+01:00", [(JANUARY, 1), (FEBRUARY, 1), (MARCH, 0)]),
        ("2024-02-29T23:59:59.999999+01:00", [(JANUARY, 1), (FEBRUARY, 0)]),
        ("2024-02-29", [(JANUARY, 1), (FEBRUARY, 0)]),
    ],
)
def test_a_month_is_complete_when_as_of_is_its_end_or_later(duckdb_engine, as_of, periods):
    log = Log(places=(NL,), orders=tuple(orders("once", "2024-01-15")), as_of=as_of)
    table = counted_in(duckdb_engine, log, ["order_counts"])["order_counts"]
    assert rows(table, "market == 'NL' and grain == 'month'", "period", "complete") == periods


def test_an_order_of_zero_counts_where_the_source_keeps_it(duckdb_engine):
    log = replace(CHARACTERS, free_orders="kept")
    table = counted_in(duckdb_engine, log, ["order_counts"])["order_counts"]
    assert rows(table, "market == 'NL' and grain == 'history'", "n_customers", "n_orders") == [(9, 17)]


def test_a_day_of_age_is_24_hours_by_the_market_s_clock(duckdb_engine):
    # clocks go forward on 31 March: 30 days later by the clock are 29 days and 23 hours of time
    log = Log(
        places=(NL,),
        orders=(
            *orders("midnight", "2024-03-10T23:00", "2024-03-11T01:00"),
            *orders("always", "2024-03-15T00:00", "2024-03-22T23:59:59.999999", "2024-04-14T00:00"),
        ),
        as_of="2024-04-15",
    )
    found = counted_in(duckdb_engine, log, ["return_counts"])["return_counts"]
    names = ("from_day", "to_day", "before_day", "observed_day", "n_customers")
    # two hours after the first order is the same day of age; at as_of midnight is 35 days old, always 31
    assert rows(found, "market == 'NL'", *names) == [(0, 0, -1, 31, 2), (1, 7, 0, 31, 1), (30, 30, 1, 31, 1)]


def test_own_brackets_are_counted_beside_the_kit_s(duckdb_engine):
    log = replace(CHARACTERS, orders=tuple(orders("gap", "2024-01-10", "2024-01-21")))
    source = source_of(log)
    own = replace(source, profile=source.profile.model_copy(update={"brackets": ((5, 11),)}))
    load_log(duckdb_engine, log)
    found = counts_in(duckdb_engine, own, as_of=log.as_of, grains=log.grains, tables=["return_counts"])["return_counts"]
    assert rows(found, "market == 'NL' and from_day > 0", "from_day", "to_day", "before_day") == [(8, 11, 0)]


def contracts(customer: str, *stretches: tuple[str, str | None], market: str = "NL") -> list[Contract]:
    """Return subscriptions of a customer, from a day to a day, at midnight in Amsterdam; None while they run."""
    at = [[None if day is None else instant(f"{day}T00:00", "Europe/Amsterdam") for day in one] for one in stretches]
    return [Contract(market, started, ended, customer) for started, ended in at]


SUBSCRIBERS = replace(
    CHARACTERS,
    contracts=(
        *contracts("stays", ("2023-11-10", None)),
        *contracts("quits", ("2024-01-05", "2024-03-20")),
        *contracts("pauses", ("2024-01-10", "2024-02-15"), ("2024-04-10", None)),
        *contracts("switches", ("2024-01-20", "2024-03-01"), ("2024-03-01", None)),
        *contracts("twice", ("2024-02-05", None), ("2024-02-06", None)),
        *contracts("short", ("2024-04-03", "2024-04-20")),
        *contracts("moves", ("2024-01-02", "2024-02-10")),
        *contracts("moves", ("2024-02-10", None), market="DK"),
    ),
)


def test_subscribers_are_active_while_a_subscription_of_theirs_runs(duckdb_engine):
    found = counted_in(duckdb_engine, SUBSCRIBERS, ["activity_counts"])["activity_counts"]
    of_nl = rows(found, f"market == 'NL' and rule == 'contract' and period <= {APRIL}", *SETS)
    # at the start stays; new: quits, pauses, switches, moves, who are four of five at the end
    # of five, pauses and moves leave; twice is new, and one customer
    # of four, quits leaves; switches ended at midnight and began at the same: no gap
    # pauses comes back; short was there at neither end
    assert of_nl == [(1, 5, 4, 1, 0, 0), (5, 4, 1, 3, 0, 2), (4, 3, 0, 3, 0, 1), (3, 4, 0, 3, 1, 0)]
    of_all = rows(found, f"market == 'ALL' and rule == 'contract' and period <= {APRIL}", *SETS)
    # who moves from one market to the other stays with the group
    assert of_all == [(1, 5, 4, 1, 0, 0), (5, 5, 1, 4, 0, 1), (5, 4, 0, 4, 0, 1), (4, 5, 0, 4, 1, 0)]


def test_where_nobody_has_a_subscription_there_are_no_rows_by_contract(tables):
    assert set(tables["activity_counts"]["rule"]) == {"window", "period"}

"""How much of a number is its definition: the same question, asked in every way that is asked of it elsewhere."""

from collections.abc import Iterator, Mapping

import pandas as pd

from retention_kit.messages import N_, Message
from retention_kit.metrics import base, cadence, differences, disclosure, orders, retention
from retention_kit.metrics.rows import where

_COLUMNS = ["question", "definition", "kind", "n", "value", "lower", "upper", "of", "counted"]
_STAYED = {
    "day": N_("Who stayed in the last day?"),
    "week": N_("Who stayed in the last week?"),
    "month": N_("Who stayed in the last month?"),
    "quarter": N_("Who stayed in the last quarter?"),
    "year": N_("Who stayed in the last year?"),
}
_IN_THE_PERIOD = {
    "day": N_("active: an order in the day"),
    "week": N_("active: an order in the week"),
    "month": N_("active: an order in the month"),
    "quarter": N_("active: an order in the quarter"),
    "year": N_("active: an order in the year"),
}
_OF_ALL_EVER = {
    "day": N_("of all customers ever, an order in the day"),
    "week": N_("of all customers ever, an order in the week"),
    "month": N_("of all customers ever, an order in the month"),
    "quarter": N_("of all customers ever, an order in the quarter"),
    "year": N_("of all customers ever, an order in the year"),
}


def sensitivity(
    tables: Mapping[str, pd.DataFrame], *, grain: str, base_grain: str, activity_window_days: int
) -> pd.DataFrame:
    """Return the headlines of one market under the other definitions of them.

    Parameters
    ----------
    tables : the market's counts tables by name.
    grain : length of the periods of cohorts.
    base_grain : length of the periods of retention and churn.
    activity_window_days : the market's window.

    Returns
    -------
    One row per question and definition: `question`, `definition`, `kind` (share, or ratio: no share, without an
    interval), `n`, `value`, `lower`, `upper`; `of`, `counted`, the names of the counts that it divides. The first
    definition of a question is the one of the report.
    """
    rows = [
        *_retained(tables, grain=base_grain, window=activity_window_days),
        *_back(tables, grain=grain),
        *_second(tables),
        *_repeat(tables),
    ]
    found = pd.DataFrame(rows, columns=_COLUMNS)
    told = {name: pd.Series([row[nth] for row in rows], dtype=object) for nth, name in enumerate(_COLUMNS)}
    # messages stay messages, and names names: a column of text would make plain text of them
    return found.assign(**{name: told[name] for name in ("question", "definition", "of", "counted")})


def _active(days: int) -> Message:
    return Message("active: an order in {n} day before", "active: an order in {n} days before", n=days)


def _share(question: str, definition: str, row: pd.Series, name: str, n: str, of: tuple) -> tuple:
    return question, definition, "share", int(row[n]), row[name], row["lower"], row["upper"], *of


def _retained(tables: Mapping[str, pd.DataFrame], *, grain: str, window: int) -> Iterator[tuple]:
    activity = where(tables["activity_counts"], grain=grain, complete=1)
    last = {rule: where(activity, rule=rule).tail(1) for rule in ("window", "period")}
    if any(rows.empty for rows in last.values()):
        return
    question = _STAYED[grain]
    told = {"window": _active(window), "period": _IN_THE_PERIOD[grain]}
    for rule, definition in told.items():
        rate = base.customer_retention_rate.frame(last[rule]).iloc[0]
        names = disclosure.base_names(rule, grain, last[rule]["period"].iloc[0])
        counted = (names["start"], names["retained"])
        yield _share(question, definition, rate, "customer_retention_rate", "n_start", counted)
        if rule == "window":
            yield from _other_windows(tables, question, grain=grain, window=window)
    textbook = base.textbook_retention_rate.frame(last["window"]).iloc[0]["textbook_retention_rate"]
    n = int(last["window"]["n_start"].iloc[0])
    names = disclosure.base_names("window", grain, last["window"]["period"].iloc[0])
    told = N_("textbook (E − N) / S: who came back counts as retained")
    yield question, told, "ratio", n, textbook, None, None, names["start"], names["kept"]
    ever = base.ever_customers_active_share.frame(activity).tail(1).iloc[0]
    counted = (("ever", grain), disclosure.flow("kept", "period", grain, ever["period"]))
    yield _share(question, _OF_ALL_EVER[grain], ever, "ever_customers_active_share", "n_ever", counted)


def _other_windows(tables: Mapping[str, pd.DataFrame], question: str, *, grain: str, window: int) -> Iterator[tuple]:
    rates = base.retention_by_window.frame(where(tables["window_counts"], grain=grain))
    for days in (30, 60, 90, 180, 365):
        row = rates[rates["window_days"] == days]
        if days != window and len(row):
            yield _share(
                question, _active(days), row.iloc[0], "retention_by_window", "n_start", disclosure.within(days)
            )


def _back(tables: Mapping[str, pd.DataFrame], *, grain: str) -> Iterator[tuple]:
    question = N_("Who is back a month after the first order?")
    if grain == "month":
        pooled = where(retention.pooled_retention.frame(where(tables["cohort_counts"], grain="month")), age=1)
        for _, row in pooled.iterrows():
            counted = (("pooled", grain, 1), ("pooled active", grain, 1))
            yield _share(question, N_("in the next calendar month"), row, "pooled_retention", "n", counted)
    for _, row in retention.bracket_retention.frame(
        tables["return_counts"], brackets=disclosure.MONTH_AFTER
    ).iterrows():
        days = Message("on days {first} to {last}", first=int(row["first_day"]), last=int(row["last_day"]))
        counted = (disclosure.observed(row["last_day"] + 1), disclosure.returned(row["first_day"], row["last_day"]))
        yield _share(question, days, row, "bracket_retention", "n_observed", counted)
    for _, row in retention.retention_from_day.frame(tables["return_counts"], days=[30]).iterrows():
        counted = (disclosure.observed(31), disclosure.returned(30))
        yield _share(question, N_("on day 30 or later, so far"), row, "retention_from_day", "n_observed", counted)


def _second(tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple]:
    question = N_("Who orders again within 90 days?")
    cut = where(tables["cut_counts"], cut="everybody", horizon_days=90)
    for _, row in differences.returned_share.frame(cut).iterrows():
        counted = tuple(disclosure.cut("everybody", "everybody", 90, of=of) for of in ("observed", "returned"))
        yield _share(question, N_("of those observed that long"), row, "returned_share", "n_observed", counted)
    for _, row in cadence.second_order_share.frame(tables["gap_counts"], days=[90]).dropna().iterrows():
        counted = (disclosure.CUSTOMERS, disclosure.CUSTOMERS)
        yield _share(question, N_("of all, recent ones as far as seen"), row, "second_order_share", "n", counted)


def _repeat(tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple]:
    question = N_("Who has ever ordered again?")
    history = where(tables["order_counts"], grain="history")
    by_days, by_orders = orders.repeat_customer_rate_by_days.frame(history), orders.repeat_customer_rate.frame(history)
    for rate, name, definition, counted in (
        (by_days, "repeat_customer_rate_by_days", N_("on another day"), disclosure.REPEAT_BY_DAYS),
        (by_orders, "repeat_customer_rate", N_("by orders, on the same day too"), disclosure.REPEAT),
    ):
        yield _share(question, definition, rate.iloc[0], name, "n_customers", (disclosure.CUSTOMERS, counted))

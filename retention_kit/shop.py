"""The public way in: open a shop, choose a market, ask; every answer is a `Table`.

A shop counts what is asked for, when it is asked for, and keeps it; a changed window, day or segment is another shop of
the same data. Rows of customers stay in the engine.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from retention_kit import counts, ingest
from retention_kit.config import Market as MarketFacts
from retention_kit.config import Markets
from retention_kit.counts.segments import market_of, value_of
from retention_kit.errors import MetricError, UsageError, near_miss, unknown_name
from retention_kit.ingest import Source
from retention_kit.messages import N_, Message, Verbatim
from retention_kit.metrics import METRICS, Metric
from retention_kit.periods import GRAINS, label, period_of
from retention_kit.table import Column, Role, Table, as_raw, interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from retention_kit.metrics import Sheet
    from retention_kit.present.blocks import Block

_KINDS = ("classic", "unbounded", "cumulative", "revenue")
"""Kinds of cohort retention: active exactly at an age, at it or later, at any age from 1 to it, and what is spent."""
_COHORT_METRICS = {
    "classic": ("classic_retention", "pooled_retention"),
    "unbounded": ("unbounded_retention", "pooled_unbounded_retention"),
    "cumulative": ("cumulative_retention", "pooled_cumulative_retention"),
    "revenue": ("cohort_revenue_retention", "pooled_revenue_retention"),
}
_RULES = ("window", "period", "contract")
_AS_OF_TO_TRY = 'as_of="2026-01-01", the first day that is not observed'


def open(
    data: Any = "sample",
    *,
    as_of: Any = None,
    files: Mapping[str, str] | None = None,
    market: str | None = None,
    currency: str | None = None,
    time_zone: str | None = None,
    markets: Any = None,
    **declared: Any,
) -> "Shop":
    """Open a company's orders, and the tables beside them, to be asked; nothing is read yet.

    Parameters
    ----------
    data : the name or path of a profile, a folder of tables, a file of orders, the URL of an engine; or the orders in
        memory (pandas, Polars, Arrow, DuckDB, or any library that hands over Arrow), or several tables by name.
    as_of : first day not observed, a date or its text; the profile's where it names one. It is never guessed.
    files : path or glob by table, for a profile that names none.
    market, currency, time_zone : of all rows where no column says it: "SE", "SEK", "Europe/Stockholm".
    markets : all markets, as `markets.toml` has them, where there is no project.
    declared : what a profile may say besides: `columns={"customer_id": "client"}`, `min_cell`, `refund_policy`, …

    Raises
    ------
    UsageError : no such data, no `as_of`, a setting that cannot be.
    """
    source = ingest.source(
        data, files=files, market=market, currency=currency, time_zone=time_zone, markets=markets, **declared
    )
    return Shop(source, ingest.observation_end(source, as_of, to_try=_AS_OF_TO_TRY), counts.Session(source))


@dataclass(frozen=True, eq=False)
class Shop:
    """A company's data as of one day; frozen: another day, window or segment is another shop of the same data.

    Attributes
    ----------
    source : where the data are and how they are read.
    as_of : first day not observed.
    """

    source: Source = field(repr=False)
    as_of: str
    _session: counts.Session = field(repr=False)
    segment: counts.Segment | None = None
    activity: str = "orders"
    _kept: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        who = f", of {self.segment}" if self.segment else ""
        did = f", active by {self.activity}" if self.activity != "orders" else ""
        return f"Shop '{self.source.name}', observed before {self.as_of}{who}{did}"

    @property
    def markets(self) -> tuple[str, ...]:
        """Return the codes of the markets with at least one kept order."""
        return self._counted(()).markets

    @property
    def findings(self) -> Table:
        """Return what was refused or noticed in the data."""
        rows = [(row.table, row.n, row.of, row.severity, row.text) for row in self._counted(()).findings.rows]
        return Table(
            pd.DataFrame(rows, columns=["table", "n", "of", "severity", "text"], dtype=object),
            [
                Column("table", N_("Table"), Role.KEY),
                Column("n", N_("Rows"), Role.COUNT),
                Column("of", N_("Of"), Role.COUNT),
                Column("text", N_("Finding"), Role.WORDS),
            ],
            name="findings",
            title=N_("What was found in the data"),
            nothing=N_("nothing was refused, and every order counts"),
        )

    def market(self, code: str) -> "Market":
        """Return one market; `ALL` for the group, in which a customer of two markets counts once.

        Raises
        ------
        UsageError : no such market (names the near miss).
        DataError : it has no kept order before `as_of`.
        """
        return Market(self, self._counted(()).of(code).market)

    def __getitem__(self, code: str) -> "Market":
        """Return one market."""
        return self.market(code)

    def at(self, as_of: Any) -> Self:
        """Return the shop as of another day."""
        return replace(self, as_of=ingest.observation_end(self.source, as_of, to_try=_AS_OF_TO_TRY), _kept={})

    def window(self, days: int) -> Self:
        """Return the shop with another activity window, in days, in every market."""
        if not isinstance(days, int) or not 1 <= days <= 3660:
            raise UsageError(f"An activity window of {days!r} is none.", to_try="a whole number of days, such as 60")
        markets = {
            code: market.model_copy(update={"activity_window_days": days})
            for code, market in self.source.markets.items()
        }
        source = replace(self.source, markets=Markets(markets, where=self.source.markets.where))
        return replace(self, source=source, _kept={})

    def where(self, sql: str, *, frozen: Any = None) -> Self:
        """Return the shop of those customers alone of whom an expression is true.

        Parameters
        ----------
        sql : an expression of DuckDB's SQL over columns of the data: "acquisition_channel = 'referral'"; or the name of
            one that the profile has under `[segments]`. A column of orders is that of the customer's first kept order;
            one of events that of the last one before it; one of customers has no date and is as the data have it now.
        frozen : a day before which it is asked instead of at the first order.

        Raises
        ------
        UsageError, DataError : when something is counted: a column that is not there, more than one value of a row.
        """
        return self._in(self._segment_of(sql, is_split=False, frozen=frozen))

    def by(self, sql: str, *, frozen: Any = None) -> "Segments":
        """Return the shop's segments: one for each value of a column or an expression; parameters as of `where`.

        A customer of whom the data do not say is in the segment `none`.
        """
        return Segments(self._in(self._segment_of(sql, is_split=True, frozen=frozen)))

    def active_by(self, activity: str) -> Self:
        """Return the shop in which another activity than orders counts.

        Cohorts are then by the first such activity, and no money is told.

        Parameters
        ----------
        activity : a kind of engagement, such as `visit`, or a `subscription` that runs.

        Raises
        ------
        UsageError : when something is counted: an activity that the data do not have (names the near miss).
        """
        return replace(self, activity=activity, _kept={})

    def _segment_of(self, asked: str, *, is_split: bool, frozen: Any) -> "counts.Segment":
        named = self.source.segments
        return counts.Segment.asked(asked, is_split=is_split, named=named, frozen=self._frozen(frozen))

    def _frozen(self, when: Any) -> str:
        return "" if when is None else ingest.observation_end(self.source, when)

    def _in(self, segment: counts.Segment) -> Self:
        if self.segment is not None:
            raise UsageError(
                f"This shop is a segment already: {self.segment}.",
                to_try="one expression for both, such as \"loyalty_tier = 'gold' AND acquisition_channel = 'search'\"",
            )
        return replace(self, segment=segment, _kept={})

    def counts(self, name: str, *, grain: str | None = None) -> pd.DataFrame:
        """Return a counts table of all markets, without the group: whole numbers, small groups not protected.

        Parameters
        ----------
        name : such as `cohort_counts`; `retention-kit sql NAME` says how it is counted.
        grain : of a table by periods; months and quarters where not given.

        Raises
        ------
        UsageError : no such table, or no such grain (names the near miss).
        """
        _known(name, counts.COUNTS_TABLES + counts.FURTHER_TABLES, "counts table")
        table = self._counted(() if grain is None else (grain,)).of_markets(name)
        return as_raw(table.copy(), name, as_of=self.as_of, min_cell=self.source.min_cell)

    def compare(self, metric: str | Metric = "customer_retention_rate", *, grain: str = "quarter") -> Table:
        """Return a share of every market against all others together, corrected for all comparisons.

        Parameters
        ----------
        metric : a metric that is a share of customers.
        grain : length of its periods; the last closed one is compared.
        """
        return _compared({code: self.market(code) for code in self.markets}, metric, grain=grain)

    def _counted(self, grains: Iterable[str]) -> "counts.Counted":
        """Return the counts by these grains, months and quarters where none is asked for."""
        asked = tuple(dict.fromkeys(_known(grain, GRAINS, "grain") for grain in grains)) or ("month", "quarter")
        if asked not in self._kept:
            wider = next((kept for kept in self._kept if set(asked) <= set(kept)), None)
            self._kept[asked] = (
                self._kept[wider]
                if wider
                else counts.counted(
                    self.source,
                    as_of=self.as_of,
                    grains=asked,
                    session=self._session,
                    segment=self.segment,
                    activity=self.activity,
                )
            )
        return self._kept[asked]


def _refuse_change(self: Shop, name: str, value: Any) -> None:
    del self, value
    raise AttributeError(
        f"A shop's {name} does not change. Try: shop.at(day), shop.window(days) or rk.open(…) for another shop."
    )


Shop.__setattr__ = _refuse_change  # type: ignore[method-assign]  # a frozen dataclass has words of its own


@dataclass(frozen=True)
class Market:
    """One market of a shop, or one segment of it: asked, it answers with tables.

    Attributes
    ----------
    shop : the shop it is of.
    facts : what is declared of it: name, currency, time zone, activity window.
    """

    shop: Shop = field(repr=False)
    facts: MarketFacts = field(repr=False)

    def __repr__(self) -> str:
        return f"{self.facts.name} ({self.code}), observed before {self.shop.as_of}"

    def where(self, sql: str, *, frozen: Any = None) -> "Market":
        """Return those customers of the market of whom an expression is true; parameters as of `Shop.where`."""
        return self.shop.where(sql, frozen=frozen).market(self.code)

    def by(self, sql: str, *, frozen: Any = None) -> "Segments":
        """Return the market's segments, one for each value of a column or an expression; parameters as of `Shop.by`."""
        return self.shop.by(sql, frozen=frozen).market(self.code)

    def __getattr__(self, name: str) -> Any:
        """Refuse a name that is none, with the near miss."""
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(_no_such("A market has", name, [known for known in dir(type(self)) if known[0] != "_"]))

    @property
    def code(self) -> str:
        """Return its code."""
        return self.facts.code

    @property
    def name(self) -> str:
        """Return its name."""
        return self.facts.name

    @property
    def currency(self) -> str:
        """Return its currency."""
        return self.facts.currency

    def counts(self, name: str, *, grain: str | None = None) -> pd.DataFrame:
        """Return a counts table of the market; parameters and errors as of `Shop.counts`."""
        _known(name, counts.COUNTS_TABLES + counts.FURTHER_TABLES, "counts table")
        table = self.shop._counted(() if grain is None else (grain,)).of(self.code).tables[name]
        if grain is not None and "grain" in table:
            table = table[table["grain"].isin([grain, "history", "last_year"])]
        return as_raw(table.reset_index(drop=True), name, **self._known_facts())

    def cohorts(self, grain: str = "month", *, kind: str = "classic") -> Table:
        """Return the cohort table: of each cohort and age the share that came back; `plot()` is its heat map.

        Parameters
        ----------
        grain : length of its periods.
        kind : `classic`, active exactly at the age; `unbounded`, at it or later; `cumulative`, at any age from 1 to
            it; `revenue`, what the cohort spends over what it spent at age 0.
        """
        name, _pooled = _COHORT_METRICS[_known(kind, _KINDS, "kind of retention")]
        return self._cohort_table(name, grain, drawn="cohort_heatmap", value="classic_retention", kind=kind)

    def retention(self, grain: str = "month", *, kind: str = "classic") -> Table:
        """Return the share of customers who come back at each age, over all cohorts that have reached it.

        Parameters as of `cohorts`; `plot()` is the retention curve.
        """
        _cells, name = _COHORT_METRICS[_known(kind, _KINDS, "kind of retention")]
        return self._cohort_table(name, grain, drawn="retention_curve", value="pooled_retention", kind=kind)

    def retention_rate(self, grain: str = "quarter", *, rule: str = "window") -> Table:
        """Return the customer retention rate of each closed period, R / S; `plot()` is its trend.

        Parameters
        ----------
        grain : length of the periods over which customers are retained or lost.
        rule : who is active: `window`, an order in the activity window; `period`, an order in the period;
            `contract`, a subscription that runs.
        """
        return self._of_the_base("customer_retention_rate", grain, rule=rule)

    def churn_rate(self, grain: str = "quarter", *, rule: str = "window") -> Table:
        """Return the churn rate of each closed period, L / S; parameters as of `retention_rate`."""
        return self._of_the_base("churn_rate", grain, rule=rule)

    def base(self, grain: str = "quarter", *, rule: str = "window") -> Table:
        """Return where the active base came from and where it went; parameters as of `retention_rate`."""
        return self._of_the_base("growth_accounting", grain, rule=rule)

    def returned(self, by: str = "everybody", *, within: int = 90) -> Table:
        """Return the share of customers with a second order day within so many days of the first.

        Parameters
        ----------
        by : a cut of the counts: `payment_method`, `acquisition_channel`, `first_contact`, …; `everybody` for none.
        within : 30, 60, 90 or 180 days; only customers observed that long are counted.
        """
        table = self.counts("cut_counts")
        _known(by, sorted(table["cut"].unique()), "cut")
        if within not in set(table["horizon_days"]):
            raise UsageError(f"Second orders are not counted within {within} days.", to_try="30, 60, 90 or 180")
        rows = table[(table["cut"] == by) & (table["horizon_days"] == within)]
        made = METRICS["returned_share"](rows)
        return replace(made, drawn=self._drawn("returned_by", made, cut=by, horizon_days=within))

    def survival(self) -> Table:
        """Return the share of customers who stay longer than each duration (Kaplan & Meier); `plot()` is the curve."""
        lives = self.counts("lifetime_counts")
        made = METRICS["survival"](lives[lives["kind"] == "orders"])
        every = made.frame[made.frame["duration_days"] % 30 == 0] if len(made) > 60 else made.frame
        n = int(lives[["n_ended", "n_running"]].sum().sum())
        return replace(made, drawn=self._drawn("survival_curve", every.assign(n=n)))

    def orders(self, grain: str = "month") -> Table:
        """Return how many customers ordered how often and for how much in each closed period."""
        rows = self.counts("order_counts", grain=grain).query("grain == @grain")
        made = METRICS["purchase_frequency"](rows)
        value = METRICS["average_order_value"].frame(rows, minor_per_unit=self.facts.minor_per_unit)
        frame = made.frame.assign(average_order_value=value["average_order_value"], n_orders=value["n_orders"])
        money = Column("average_order_value", N_("Average order value"), Role.MONEY, currency=self.currency)
        return replace(made, frame=frame, columns=[*made.columns, Column("n_orders", N_("Orders"), Role.COUNT), money])

    def in_short(self, grain: str = "month", *, base_grain: str = "quarter") -> "Block":
        """Return the answer in sentences: who stays, whether that changed, what a customer brings."""
        from retention_kit.present.sentences import in_short

        return in_short(self.sheet(grain, base_grain=base_grain))

    def headlines(self, grain: str = "month", *, base_grain: str = "quarter") -> Table:
        """Return the market's first numbers, each with its definition, interval, n and window."""
        from retention_kit.present.tables import definition_ledger

        return definition_ledger(self.sheet(grain, base_grain=base_grain))

    def value(self) -> Table:
        """Return what a customer is worth: order value, frequency, revenue so far, lifetime value."""
        table = self.headlines()
        named = ("average_order_value", "purchase_frequency_per_year", "revenue_per_customer", "clv_simple", "cltv")
        return replace(
            table,
            frame=table.frame[table.frame["id"].isin(named)],
            name="value",
            title=N_("What a customer is worth"),
            twin="",
            notes=(),
        )

    def sheet(self, grain: str = "month", *, base_grain: str = "quarter") -> "Sheet":
        """Return the market's sheet: all that its report shows, protected together."""
        from retention_kit.metrics import market_sheet

        here = self.shop._counted(dict.fromkeys((grain, base_grain))).of(self.code)
        return market_sheet(
            here.tables,
            market=self.facts,
            as_of=self.shop.as_of,
            grain=grain,
            base_grain=base_grain,
            min_cell=self.shop.source.min_cell,
            refund_policy=self.shop.source.refund_policy,
        )

    def compare(
        self, other: "Market | str", metric: str | Metric = "customer_retention_rate", *, grain: str = "quarter"
    ) -> Table:
        """Return a share of this market beside that of another, the difference with its interval (Newcombe).

        Parameters
        ----------
        other : the market, or its code.
        metric : a metric that is a share of customers.
        grain : length of its periods; the last closed one that both have is compared.
        """
        other = self.shop.market(other) if isinstance(other, str) else other
        return _compared({self._called(): self, other._called(): other}, metric, grain=grain)

    def log_rank(self, other: "Market | str") -> Table:
        """Return whether customers of two markets or segments stay equally long (log-rank test, Mantel 1966)."""
        other = self.shop.market(other) if isinstance(other, str) else other
        return _log_rank({self._called(): self, other._called(): other})

    def customers(self, *, cohort: str, age: int, to: Any, grain: str = "month") -> pd.DataFrame | None:
        """Write the ids of the customers behind a cell of the cohort table to a file that its owner alone can read.

        Parameters
        ----------
        cohort : such as `2025-01`, a period of the grain.
        age : in whole periods; those with a kept order at it are meant.
        to : the file, made for its owner alone; or `pandas.DataFrame`, to have them in this session instead.

        Raises
        ------
        UsageError : there is such a file already, or no such cohort.
        """
        from retention_kit.counts.behind import customers_of_a_cell

        period = _period(cohort, grain=_known(grain, GRAINS, "grain"))
        counted = self.shop._counted((grain,))
        ids = customers_of_a_cell(counted, market=self.code, grain=grain, cohort=period, age=age)
        if to is pd.DataFrame:
            return ids
        _write_for_owner(ids, Path(to))
        return None

    def _called(self) -> str:
        return self.name

    def _known_facts(self) -> dict[str, Any]:
        shop, notes = self.shop, []
        if shop.activity != "orders":
            notes.append(Message("Active by {activity}, not by orders.", activity=shop.activity))
        if shop.segment is not None and not shop.segment.is_split:
            notes.append(Message("Of the customers of whom this is true: {segment}.", segment=str(shop.segment)))
        facts = {"as_of": shop.as_of, "min_cell": shop.source.min_cell, "currency": self.currency}
        return facts | {"notes": notes}

    def _cohort_table(self, name: str, grain: str, *, drawn: str, value: str, kind: str) -> Table:
        metric = METRICS[name]
        cells = self.counts("cohort_counts", grain=grain)
        if metric.takes == "last_seen_counts":
            made = metric(self.counts("last_seen_counts", grain=grain), cohort_counts=cells)
        else:
            made = metric(cells)
        frame = made.frame.rename(columns={name: value})
        return replace(made, drawn=self._drawn(drawn, replace(made, frame=frame, columns=()), grain=grain, kind=kind))

    def _of_the_base(self, name: str, grain: str, *, rule: str) -> Table:
        _known(rule, _RULES, "activity rule")
        rows = self.counts("activity_counts", grain=grain)
        rows = rows[rows["rule"] == rule]
        made = METRICS[name](rows)
        if name != "customer_retention_rate":
            return made
        beside = METRICS["textbook_retention_rate"].frame(rows)["textbook_retention_rate"]
        drawn = replace(made, frame=made.frame.assign(textbook_retention_rate=beside.to_numpy()), columns=())
        return replace(made, drawn=self._drawn("retention_trend", drawn, rule=rule))

    def _drawn(self, name: str, shown: Table | pd.DataFrame, **asked: Any) -> "Callable[..., Figure]":
        return partial(_draw, name, shown, market=self.facts, **asked)


class Segments(Mapping[str, Market]):
    """The segments of a shop, or of one market of it: a mapping of names to markets, which answers as a market does.

    `segments.retention_rate()` asks each of them and returns one table, with a column `segment`.
    """

    def __init__(self, shop: Shop, market: str = "") -> None:
        """Take the shop that is split, and the market whose segments are meant; all of it where none is named."""
        self._shop, self._market = shop, market

    def __repr__(self) -> str:
        return f"Segments of {self._shop}: {', '.join(self)}"

    def market(self, code: str) -> "Segments":
        """Return the segments of one market.

        Raises
        ------
        UsageError : no such market (names the near miss).
        """
        _ = self._shop.source.markets[code]
        return Segments(self._shop, code)

    def __iter__(self) -> Iterator[str]:
        """Return the names of the segments."""
        return iter([self._name(code) for code in self._codes])

    def __len__(self) -> int:
        """Return how many segments there are."""
        return len(self._codes)

    def __getitem__(self, name: str) -> Market:
        """Return a segment, asked as a market.

        Raises
        ------
        UsageError : no such segment (names the near miss).
        """
        named = {self._name(code): code for code in self._codes}
        return self._shop.market(named[_known(name, named, "segment")])

    def compare(self, metric: str | Metric = "customer_retention_rate", *, grain: str = "quarter") -> Table:
        """Return a share of every segment: against one other where there are two, else against all others."""
        return _compared(dict(self), metric, grain=grain, title=N_("Segment"))

    def log_rank(self) -> Table:
        """Return whether customers of all segments stay equally long (log-rank test, Mantel 1966)."""
        return _log_rank(dict(self))

    def __getattr__(self, name: str) -> Any:
        """Return a question to every segment, whose answers stand in one table."""
        if name not in _ASKED_OF_EACH:
            raise AttributeError(_no_such("segments have", name, [*_ASKED_OF_EACH, "compare", "log_rank", "market"]))
        return partial(self._asked, name)

    def __dir__(self) -> list[str]:
        """Return its names, the questions among them."""
        return [*super().__dir__(), *_ASKED_OF_EACH]

    def _asked(self, question: str, *given: Any, **asked: Any) -> Table:
        answers = {name: getattr(market, question)(*given, **asked) for name, market in self.items()}
        first = next(iter(answers.values()))
        frames = [table.frame.assign(segment=name) for name, table in answers.items()]
        hidden = [
            pd.DataFrame(False, index=table.frame.index, columns=table.frame.columns) if table.hidden is None
            else table.hidden
            for table in answers.values()
        ]  # fmt: skip
        drawn = None
        if question in _CURVES:
            drawn = partial(_draw_curves, answers, value=_CURVES[question])
        return replace(
            first,
            frame=pd.concat(frames, ignore_index=True),
            columns=[Column("segment", N_("Segment"), Role.KEY), *first.columns],
            hidden=pd.concat(hidden, ignore_index=True).astype(bool),
            notes=[*first.notes, Verbatim(f"{self._shop.segment}")],
            twin="",
            drawn=drawn,
        )

    @property
    def _codes(self) -> list[str]:
        return [code for code in self._shop.markets if self._market in ("", market_of(code))]

    def _name(self, code: str) -> str:
        return value_of(code) if self._market else f"{market_of(code)} {value_of(code)}"


_ASKED_OF_EACH = (
    *("cohorts", "retention", "retention_rate", "churn_rate", "base", "returned", "survival", "orders"),
    *("headlines", "value"),
)
"""Questions to a market that every segment answers, in one table."""
_CURVES = {
    "retention": ("age", "pooled_retention"),
    "survival": ("duration_days", "survival"),
    "retention_rate": ("period", "customer_retention_rate"),
    "churn_rate": ("period", "churn_rate"),
}
"""Answers of segments that are drawn as lines beside each other: over which column, and which."""


def _draw_curves(answers: Mapping[str, Table], *, value: tuple[str, str], ax: "Axes | None" = None) -> "Figure":
    from retention_kit.present import figures

    figures.house_style()
    return figures.curves(answers, over=value[0], value=value[1], ax=ax)


def _draw(name: str, shown: Table | pd.DataFrame, *, ax: "Axes | None" = None, **asked: Any) -> "Figure":
    """Return a figure of the kit's, in its house style."""
    from retention_kit.present import figures

    figures.house_style()
    return getattr(figures, name)(shown, ax=ax, **asked)


def _compared(asked: Mapping[str, Market], metric: str | Metric, *, grain: str, title: str = N_("Market")) -> Table:
    """Return a share of several markets or segments: each beside the others, with the difference of two."""
    from retention_kit.metrics import difference_of_shares
    from retention_kit.metrics.group import compared_shares

    filed = _share(metric)
    rows = [_last_share(filed, market, grain=grain) | {"market": called} for called, market in asked.items()]
    frame = pd.DataFrame(rows)
    least = max(next(iter(asked.values())).shop.source.min_cell, 1)
    told = frame[frame["n"] >= least]
    columns = [
        Column("market", title, Role.KEY),
        Column("share", filed.label, Role.SHARE, unit=filed.unit),
        interval(N_("95% interval"), Role.SHARE),
        Column("n", N_("n"), Role.N),
    ]
    facts = {
        "name": f"compared-{filed.name.replace('_', '-')}",
        "title": filed.definition,
        "definition": filed.definition,
        "source": filed.takes,
        "window": grain,
        "as_of": next(iter(asked.values())).shop.as_of,
    }
    if len(told) == 2:
        one, other = told.itertuples()
        ends = difference_of_shares(one.count_, one.n, other.count_, other.n)
        frame = told.assign(**dict(zip(("difference", "difference_lower", "difference_upper"), ends, strict=True)))
        frame.loc[frame.index[1], ["difference", "difference_lower", "difference_upper"]] = None
        columns += [
            Column("difference", N_("Difference, points"), Role.POINTS),
            interval(N_("its interval"), Role.POINTS, of="difference"),
        ]
        return Table(frame, columns, **facts)
    if len(told) < 2:
        raise MetricError(
            "Shares are compared where at least two groups have enough customers.",
            found=f"{len(told)} of {len(frame)} with {least} or more",
        )
    named = told.rename(columns={"count_": "count"}).assign(metric=filed.name)
    all_others = compared_shares(named[["market", "metric", "count", "n"]])
    columns += [
        Column("difference", N_("Difference from all others, points"), Role.POINTS),
        interval(N_("its interval"), Role.POINTS, of="difference"),
        Column("p_holm", N_("p, Holm"), Role.P),
    ]
    return Table(all_others, columns, **facts)


def _share(metric: str | Metric) -> Metric:
    """Return a metric that is a share of customers.

    Raises
    ------
    UsageError : there is no such metric, or it is no share.
    """
    if isinstance(metric, str):
        metric = METRICS[_known(metric, METRICS, "metric")]
    if not metric.unit.startswith("share of customers"):
        shares = [one.name for one in METRICS.values() if one.unit.startswith("share of customers")]
        raise UsageError(
            f"'{metric.name}' is no share of customers.", found=metric.unit, to_try=", ".join(sorted(shares))
        )
    return metric


def _last_share(metric: Metric, market: Market, *, grain: str) -> dict[str, Any]:
    """Return count, n, share and interval of a market's last closed period."""
    table = market.counts(metric.takes, grain=grain)
    for column, value in (("grain", grain), ("rule", "window"), ("cut", "everybody"), ("horizon_days", 90)):
        if column in table:
            table = table[table[column] == value]
    rows = metric.frame(table)
    by_age = rows[rows["age"] == 1] if "age" in rows else rows
    if by_age.empty:
        raise MetricError(f"{market.name} has no closed {grain} of which '{metric.name}' could be told.")
    last = by_age.iloc[-1]
    n, count = _divided(rows, metric)
    ends = {end: last[end] for end in ("lower", "upper")}
    return {"count_": int(last[count]), "n": int(last[n]), "share": float(last[metric.name]), **ends}


def _divided(rows: pd.DataFrame, metric: Metric) -> tuple[str, str]:
    """Return the columns that a share divides: n, and the count of it, which stand before the share."""
    at = list(rows).index(metric.name)
    numbers = [name for name in list(rows)[:at] if name.startswith("n_") or name == "n"]
    numbers = [name for name in numbers if name != "n_cohorts"]
    return numbers[-2], numbers[-1]


def _log_rank(asked: Mapping[str, Market]) -> Table:
    from retention_kit.metrics import log_rank

    lives = [
        market.counts("lifetime_counts").query("kind == 'orders'").assign(group=name) for name, market in asked.items()
    ]
    rows = pd.concat([one.drop(columns="market") for one in lives], ignore_index=True)
    statistic, freedom, p = log_rank(
        rows, group="group", duration="duration_days", n_ended="n_ended", n_running="n_running"
    )
    frame = pd.DataFrame({"groups": [" v. ".join(asked)], "statistic": [statistic], "freedom": [freedom], "p": [p]})
    return Table(
        frame,
        [
            Column("groups", N_("Groups"), Role.KEY),
            Column("statistic", N_("Log-rank χ²"), Role.NUMBER),
            Column("freedom", N_("Degrees of freedom"), Role.COUNT),
            Column("p", N_("p"), Role.P),
        ],
        name="log-rank",
        title=N_("Do customers of these groups stay equally long?"),
        source="lifetime_counts",
    )


def _no_such(whose: str, name: str, known: Iterable[str]) -> str:
    near = near_miss(name, list(known))
    return f"{whose} no '{name}'." + (f" Did you mean '{near}'?" if near else "")


def _period(written: str, *, grain: str) -> int:
    """Return the number of a period that is written out.

    Raises
    ------
    UsageError : it is no period of the grain.
    """
    periods = {period_of(day, grain=grain) for day in _days_of(written)}
    found = next((period for period in periods if label(period, grain=grain) == written), None)
    if found is None:
        example = label(period_of(date(2025, 1, 1), grain=grain), grain=grain)
        raise UsageError(f"'{written}' is no {grain}.", to_try=f"one such as '{example}'")
    return found


def _days_of(written: str) -> Iterator[date]:
    """Yield the days of the year that a text begins with, and a few before, in which its first week may begin."""
    year = int(written[:4]) if written[:4].isdigit() and 1 < int(written[:4]) < 9999 else None
    start = None if year is None else date(year, 1, 1) - timedelta(days=4)
    yield from () if start is None else (start + timedelta(days=n) for n in range(375))


def _write_for_owner(ids: pd.DataFrame, path: Path) -> None:
    """Write ids to a new file that its owner alone can read.

    Raises
    ------
    UsageError : there is a file of that name, or none can be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as why:
        raise UsageError(
            f"'{path.name}' cannot be written.", found=os.strerror(why.errno or 0), to_try="a name that no file has yet"
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        ids.to_csv(file, index=False)


def _known(name: str, known: Iterable[str], what: str) -> str:
    names = list(known)
    if name not in names:
        raise unknown_name(what, str(name), names)
    return name

"""From a source to its counts tables: one pass over the data, for all markets and the group together."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
from babel.numbers import get_currency_precision

from retention_kit.config import GROUP, GROUP_NAME, Market, store_root
from retention_kit.counts import prelude, store
from retention_kit.counts.engines import Engine
from retention_kit.counts.segments import ORDERS, Segment, SegmentMarkets, value_of
from retention_kit.counts.session import Asked, Session
from retention_kit.errors import DataError, UsageError, unknown_name
from retention_kit.ingest import Findings, Source
from retention_kit.periods import GRAINS

GUIDE_TABLES = (
    "cohort_counts",
    "last_seen_counts",
    "activity_counts",
    "order_counts",
    "gap_counts",
    "lifetime_counts",
    "rfm_counts",
    "revenue_counts",
)
"""The eight tables that most metrics take; counted for each market and for the group."""

COUNTS_TABLES = (
    *GUIDE_TABLES,
    "return_counts",
    "window_counts",
    "retained_revenue_counts",
    "converted_counts",
    "mover_counts",
    "bucket_counts",
    "period_bucket_counts",
    "cut_counts",
    "experiment_counts",
    "experiment_bucket_counts",
    "uplift_counts",
    "answer_counts",
    "answering_counts",
    "strategy_counts",
    "service_counts",
    "acquisition_counts",
    "left_out_counts",
)
"""The tables that leave the engine; each is described at the top of its SQL file."""

FURTHER_TABLES = ("age_bucket_counts",)
"""Those that no report reads: counted where they are named."""

PURCHASE_TABLES = ("holdout_counts", "spend_counts", "repeat_spend_counts", "renewal_counts")
"""Those that models of purchase and renewal need besides: counted where a hold-out is asked for."""

_OF_THE_GROUP = (
    *GUIDE_TABLES,
    "return_counts",
    "window_counts",
    "retained_revenue_counts",
    "bucket_counts",
    "period_bucket_counts",
)
"""Tables that are counted for the group too."""
_MONEY_SUFFIX = "_minor"


class LazyTables(Mapping[str, pd.DataFrame]):
    """Tables by name, each made when it is first asked for."""

    def __init__(self, names: Iterable[str], made: Callable[[str], pd.DataFrame]) -> None:
        self._names, self._made = tuple(names), made
        self._known: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return a table."""
        if name not in self._names:
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = self._made(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names of the tables."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many tables there are."""
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a table of this name, and make none."""
        return name in self._names


@dataclass(frozen=True)
class MarketCounts:
    """The counts tables of one market, or of the group: integers only, each counted when it is asked for."""

    market: Market
    as_of: str
    tables: Mapping[str, pd.DataFrame]
    source: Source
    counted: "Counted" = field(repr=False)

    @property
    def findings(self) -> Findings:
        """Return what was found while reading."""
        return self.counted.findings

    def __getattr__(self, name: str) -> pd.DataFrame:
        if not name.startswith("_") and name in self.tables:
            return self.tables[name]
        raise AttributeError(name)

    def __dir__(self) -> list[str]:
        """Return its names, the tables among them."""
        return [*super().__dir__(), *self.tables]


class Counted:
    """The counts tables of all markets, as of one instant, each counted when it is first asked for, and kept.

    Parameters
    ----------
    session : the engine that counts.
    asked : what they are of.
    folder : of the store that keeps them; None keeps them in memory alone.
    names : which tables there are.
    """

    def __init__(self, session: Session, asked: Asked, *, folder: Path | None, names: Sequence[str]) -> None:
        self.session, self.asked, self.folder, self.names = session, asked, folder, tuple(names)
        self._of_markets: dict[str, Any] = {}
        self._of_group: dict[str, pd.DataFrame] = {}
        self.tables: Mapping[str, pd.DataFrame] = LazyTables(self.names, self._everybody)

    @property
    def source(self) -> Source:
        """Return the source, with the markets as they were asked for."""
        markets = self.asked.markets
        return (
            self.session.source
            if markets is self.session.source.markets
            else replace(self.session.source, markets=markets)
        )

    @cached_property
    def facts(self) -> Mapping[str, Market]:
        """Return what is declared of each market; of a segment, of the market it is of."""
        return SegmentMarkets(self.asked.markets, segment=self.asked.segment)

    @property
    def as_of(self) -> str:
        """Return the first instant not observed."""
        return self.asked.as_of

    @property
    def segment(self) -> str:
        """Return who is counted, or by what customers are split, as it is told; empty where all are counted."""
        return "" if self.asked.segment is None else self.asked.segment.told

    @cached_property
    def findings(self) -> Findings:
        """Return what was found while reading."""
        return store.findings_of(self.folder, self.session)

    def prepare(self, names: Iterable[str] | None = None) -> None:
        """Count several tables in one pass over the data, for all markets and the group.

        Parameters
        ----------
        names : which; all but `FURTHER_TABLES` where none is named.
        """
        asked = set(self.names) - set(FURTHER_TABLES) if names is None else set(names)
        wanted = [name for name in self.names if name in asked]
        self._count(wanted)
        self._count_group([name for name in wanted if name in _OF_THE_GROUP])
        if self.folder is not None:
            _ = self.findings

    def close(self) -> None:
        """Let the engine go; what was counted stays, and what is asked for next opens another one."""
        self.session.close()

    def kept(self, made: Callable[..., Mapping[str, pd.DataFrame]], **facts: Any) -> Mapping[str, pd.DataFrame]:
        """Return tables that are made of the counts of all markets, and kept beside them: they are made only once.

        What compares markets, or fits them together, is the same in the report of each.

        Parameters
        ----------
        made : a function of a module; it takes `tables`, and `facts` by name.
        facts : what it is told besides; told otherwise, or changed itself, it makes its tables anew.
        """
        if self.folder is None:
            return made(self.tables, **facts)
        key = store.key_of(made, facts, of=self._key(""))
        found = store.read(self.folder, key)
        if found is None:
            found = dict(made(self.tables, **facts))
            store.write(self.folder, key, found)
        return found

    @cached_property
    def markets(self) -> tuple[str, ...]:
        """Return the codes of the markets with at least one kept order, as `markets.toml` orders them."""
        kept = store.read_table(self.folder, self._key("order_counts"))
        if kept is None:
            counted = self.session.markets(self.asked)
        else:
            counted = set(kept.whole.loc[kept.whole["n_orders"] > 0, "market"])
        return tuple(SegmentMarkets(self.asked.markets, sorted(counted)))

    def beside(self, market: str) -> list[str]:
        """Return the codes a market is compared with, itself among them: `DK:gold` with the gold of all markets."""
        return [code for code in self.markets if value_of(code) == value_of(market)]

    def alike(self, market: str) -> dict[str, Market]:
        """Return the markets of `beside` by code: those with which a model of a market is fitted."""
        return self._declared(self.beside(market))

    def _declared(self, codes: Iterable[str]) -> dict[str, Market]:
        """Return what is declared of some; of which customers they are is said by the page, not by each line of it."""
        named = SegmentMarkets(self.asked.markets)
        return {code: named[code] for code in codes}

    def of(self, market: str) -> MarketCounts:
        """Return the counts of one market; `ALL` for the group.

        Raises
        ------
        UsageError : the market is not declared (names the near miss).
        DataError : it is declared and has no kept order before `as_of`.
        """
        known = self._group() if market == GROUP else self.facts[market]
        if market != GROUP and market not in self.markets:
            raise DataError(
                f"{known.name} ({market}) has no kept order before {self.as_of}.",
                found=f"orders in {', '.join(self.markets)}",
                to_try="another market, or a later as_of",
            )
        mine = self._rows_of_group if market == GROUP else partial(self._rows_of, market)
        return MarketCounts(known, self.as_of, LazyTables(self.names, mine), self.source, self)

    def of_group(self, market: str = GROUP) -> dict[str, Market]:
        """Return the markets with orders, by code: what the group is made of.

        Raises
        ------
        UsageError : another market than the group is asked for.
        """
        if market != GROUP:
            raise UsageError(
                f"The report of all markets cannot be of '{market}'.",
                to_try="notebooks/market_report.ipynb, which is of one",
            )
        return self._declared(self.markets)

    @property
    def group_money(self) -> tuple[str, int] | None:
        """Return the group's currency and its minor units in a unit; None where the profile names none of several."""
        currency = prelude.group_currency(self.source, set(self.markets))
        if currency is None:
            return None
        own = {market.currency: market.minor_per_unit for market in self.asked.markets.values()}
        return currency, own.get(currency, 10 ** get_currency_precision(currency))

    @property
    def _one_money(self) -> bool:
        markets = [self.facts[code] for code in self.markets]
        return len({(market.currency, market.minor_per_unit) for market in markets}) == 1

    def _group(self) -> Market:
        markets = [self.facts[code] for code in self.markets]
        return markets[0].model_copy(
            update={
                "code": GROUP,
                "name": GROUP_NAME,
                "activity_window_days": max(market.activity_window_days for market in markets),
                "lifespan": None,
                "gross_margin": None,
                "acquisition_cost": None,
            }
        )

    def _rows_of(self, market: str, name: str) -> pd.DataFrame:
        return self._told(self._table(name).of(market))

    def _told(self, rows: pd.DataFrame, *, is_one_money: bool = True) -> pd.DataFrame:
        """Return rows without money where it is of several currencies, or the activity is none that is paid for."""
        if self.asked.activity == ORDERS and is_one_money:
            return rows
        return rows.drop(columns=[column for column in rows if column.endswith(_MONEY_SUFFIX)])

    def _rows_of_group(self, name: str) -> pd.DataFrame:
        rows = self._group_rows(name) if name in _OF_THE_GROUP else self._table(name).of(GROUP)
        return self._told(rows, is_one_money=self._one_money)

    def of_markets(self, name: str) -> pd.DataFrame:
        """Return a table with the rows of all markets, and none of the group."""
        return self._told(self._table(name).whole)

    def _everybody(self, name: str) -> pd.DataFrame:
        """Return a table with the rows of all markets, and of the group where it is counted for it."""
        rows = self._table(name).whole
        if name in _OF_THE_GROUP:
            rows = pd.concat([rows, self._group_rows(name)], ignore_index=True)
        return self._told(rows)

    def _table(self, name: str) -> "store.KeptTable":
        if name not in self._of_markets:
            self._count([name])
        return self._of_markets[name]

    def _group_rows(self, name: str) -> pd.DataFrame:
        if name not in self._of_group:
            self._count_group([name])
        return self._of_group[name]

    def _count(self, names: Sequence[str]) -> None:
        """Have these tables: from memory, from the store, else counted together now."""
        missing = []
        for name in (name for name in names if name not in self._of_markets):
            kept = store.read_table(self.folder, self._key(name))
            if kept is None:
                missing.append(name)
            else:
                self._of_markets[name] = kept
        if missing:
            for name, table in self.session.counts(missing, self.asked).items():
                self._of_markets[name] = store.keep_table(self.folder, self._key(name), table)

    def _count_group(self, names: Sequence[str]) -> None:
        missing = []
        for name in (name for name in names if name not in self._of_group):
            kept = store.read_table(self.folder, self._key(name, GROUP))
            if kept is None:
                missing.append(name)
            else:
                self._of_group[name] = kept.whole
        if missing:
            self._count(missing)
            tables = {name: self._of_markets[name].whole for name in missing}
            for name, rows in self.session.counts_of_group(tables, self.asked).items():
                self._of_group[name] = store.keep_table(self.folder, self._key(name, GROUP), rows).whole

    def _key(self, name: str, part: str = "") -> str:
        """Return by what a table is kept: the data, what is asked of them, the file that counts it."""
        return "" if self.folder is None else store.key(self.session.source, self.asked, name, part)


def counted(
    source: Source,
    *,
    as_of: str,
    grains: Sequence[str],
    holdout_weeks: int | None = None,
    session: Session | None = None,
    segment: Segment | None = None,
    activity: str = ORDERS,
) -> Counted:
    """Return the counts of all markets, each counted when it is first asked for, or read from the project's store.

    Parameters
    ----------
    source : from `ingest.source`.
    as_of : first instant not observed; a date is local midnight in each market.
    grains : lengths of the periods to count, of day, week, month, quarter, year.
    holdout_weeks : weeks before `as_of` that are held out, for a forecast made then to be held against; with it there
        are `PURCHASE_TABLES` too.
    session : an engine that holds the source's data already.
    segment : who is counted, or by what the markets are split: a market of the counts is then `DK:gold`.
    activity : what counts as active: orders; a kind of engagement, such as `visit`; or a `subscription` that runs.
        Cohorts are then by the first such activity, and no money is told.

    Raises
    ------
    UsageError : an unknown grain, an `as_of` that is no date or lies before the data, a hold-out of less than a week.
    DataError : when something is counted: too many refused rows, a missing exchange rate, no order.
    """
    folder = store_root() / ".counts"
    asked = {"as_of": as_of, "grains": grains, "holdout_weeks": holdout_weeks, "segment": segment, "activity": activity}
    return _counted(source, **asked, session=session, folder=folder)


def count(
    source: Source,
    *,
    as_of: str,
    grains: Sequence[str],
    tables: Sequence[str] = COUNTS_TABLES,
    holdout_weeks: int | None = None,
    segment: Segment | None = None,
    activity: str = ORDERS,
) -> Counted:
    """Return the counts of all markets, counted now and kept in memory alone.

    Parameters
    ----------
    tables : which of `COUNTS_TABLES` and `FURTHER_TABLES` to count; all of the former where not given.

    Other parameters and errors as of `counted`.
    """
    asked = {"as_of": as_of, "grains": grains, "holdout_weeks": holdout_weeks, "segment": segment, "activity": activity}
    found = _counted(source, **asked, session=None, folder=None, names=tables)
    found.prepare(found.names)
    _ = found.findings
    found.close()
    return found


def _counted(
    source: Source,
    *,
    as_of: str,
    grains: Sequence[str],
    holdout_weeks: int | None,
    session: Session | None,
    folder: Path | None,
    names: Sequence[str] = (*COUNTS_TABLES, *FURTHER_TABLES),
    segment: Segment | None = None,
    activity: str = ORDERS,
) -> Counted:
    for table in names:
        if table not in (known := (*COUNTS_TABLES, *FURTHER_TABLES)):
            raise unknown_name("counts table", table, known)
    grains = tuple(dict.fromkeys(grains))
    for grain in grains:
        if grain not in GRAINS:
            raise unknown_name("grain", grain, GRAINS)
    if holdout_weeks is not None:
        prelude.refuse_hold_out(holdout_weeks)
    asked = Asked(as_of, grains, source.markets, holdout_weeks, segment, activity)
    held_out = PURCHASE_TABLES if holdout_weeks is not None else ()
    return Counted(session or Session(source), asked, folder=folder, names=(*names, *held_out))


def counts_in(
    engine: Engine,
    source: Source,
    *,
    as_of: str,
    grains: Sequence[str],
    tables: Sequence[str] = COUNTS_TABLES,
    holdout_weeks: int | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the counts tables of all markets and the group, from the typed tables that an engine holds."""
    session = Session(source, engine=engine)
    asked = {"as_of": as_of, "grains": grains, "holdout_weeks": holdout_weeks}
    found = _counted(source, **asked, session=session, folder=None, names=tables)
    found.prepare(found.names)
    return dict(found.tables)


def engine(source: Source, *, as_of: str, grains: Sequence[str]) -> Engine:
    """Return an engine with the loaded tables, `ledger`, `customer_totals` and `customer_facts`: for one's own cut.

    Rows of customers stay in it: count there, and bring the counts out through `collect`.
    """
    return Session(source).released(Asked(as_of, tuple(dict.fromkeys(grains)), source.markets))

"""`@metric` files what a metric is, and makes a table that knows itself of what its body returns."""

from collections.abc import Callable
from functools import update_wrapper
from inspect import getdoc, signature
from typing import Any

import pandas as pd

from retention_kit.errors import MetricError, listed
from retention_kit.messages import N_, Verbatim
from retention_kit.periods import labelled
from retention_kit.table import Column, Role, Table, facts_of, hidden_rows, raw_name

_Function = Callable[..., Any]

_NAMES = {
    "market": (Role.KEY, N_("Market")),
    "segment": (Role.KEY, N_("Segment")),
    "grain": (Role.KEY, N_("Period of")),
    "rule": (Role.KEY, N_("Active by")),
    "cut": (Role.KEY, N_("By")),
    "value": (Role.KEY, N_("Group")),
    "kind": (Role.KEY, N_("Kind")),
    "state": (Role.KEY, N_("State")),
    "period": (Role.PERIOD, N_("Period")),
    "cohort": (Role.PERIOD, N_("First order in")),
    "age": (Role.COUNT, N_("Periods since")),
    "nth": (Role.COUNT, N_("After order day")),
    "horizon_days": (Role.DAYS, N_("Within")),
    "window_days": (Role.DAYS, N_("Activity window")),
    "duration_days": (Role.DAYS, N_("After")),
    "n_days": (Role.DAYS, N_("Within")),
    "day": (Role.DAYS, N_("After")),
    "first_day": (Role.COUNT, N_("From day")),
    "last_day": (Role.COUNT, N_("To day")),
    "quantile": (Role.SHARE, N_("Share of gaps")),
}
"""What the columns are that name the rows of a metric, and their titles."""
_COUNTS = {
    "n": N_("n"),
    "n_start": N_("Active at the start"),
    "n_retained": N_("Of them, at the end"),
    "n_lapsed": N_("Left"),
    "n_new": N_("New"),
    "n_reactivated": N_("Came back"),
    "n_end": N_("Active at the end"),
    "n_active": N_("Of them, active"),
    "n_at_or_later": N_("Of them, active then or later"),
    "n_returned": N_("Of them, came back"),
    "n_observed": N_("Customers observed that long"),
    "n_customers": N_("Customers"),
    "n_repeat_customers": N_("With two orders or more"),
    "n_repeat_customers_by_days": N_("With two order days or more"),
    "n_orders": N_("Orders"),
    "n_ever": N_("Customers ever"),
    "n_at_risk": N_("Still observed"),
    "n_ended": N_("Left then"),
    "n_running": N_("Observed until then"),
    "n_cohorts": N_("Cohorts"),
}
"""Titles of the numbers that a metric divides."""
_UNSHOWN = {"left_truncated", "complete", "landmark_days"}
_SAID_ONCE = {"market", "grain", "cut", "kind"}
"""Columns that are not shown where they say the same in every row."""
_N = {"n", "n_start", "n_observed", "n_customers", "n_ever", "n_at_risk"}
"""Columns of persons that a share or a mean is of."""


class Metric:
    """A metric as filed: called, it returns a `Table`; `frame` is the plain function that makes its numbers.

    Attributes
    ----------
    function : its body.
    unit : what one of it is.
    range : least and greatest value it can take; None where there is no bound.
    source : where the definition comes from.
    label : its name for a reader.
    """

    def __init__(
        self,
        function: _Function,
        *,
        unit: str,
        range: tuple[float | None, float | None],
        source: str,
        label: str,
    ) -> None:
        self.function, self.unit, self.range, self.source, self.label = function, unit, range, source, label
        update_wrapper(self, function)

    @property
    def name(self) -> str:
        """Return the metric's name, which is also the column it adds."""
        return self.function.__name__

    @property
    def definition(self) -> str:
        """Return the first sentence of its docstring, on one line."""
        return " ".join((getdoc(self.function) or "").split("\n\n")[0].split())

    @property
    def takes(self) -> str:
        """Return the name of the counts table, or of the first quantity, that it takes."""
        return next(iter(signature(self.function).parameters))

    def frame(self, *given: Any, **asked: Any) -> Any:
        """Return what the metric's body makes: a DataFrame of numbers, or one number of a metric of quantities.

        Raises
        ------
        MetricError : the table given is another one than the metric takes; it names the right one.
        """
        table = given[0] if given else None
        self._refuse_another_table(table)
        try:
            return self.function(*given, **asked)
        except KeyError as why:
            if isinstance(table, pd.DataFrame) and why.args and why.args[0] not in table:
                raise self._another_table(f"a table without '{why.args[0]}'") from None
            raise

    def __call__(self, *given: Any, **asked: Any) -> Any:
        """Return the metric's table, or its number; parameters and errors as of `frame`."""
        made = self.frame(*given, **asked)
        if isinstance(made, pd.Series):
            made = given[0].assign(**{self.name: made})
        if not isinstance(made, pd.DataFrame):
            return made
        if self.name not in made:
            raise MetricError(
                f"{self.name} returns no column '{self.name}'.",
                found=listed(list(made)),
                to_try=f"return {self.takes}.assign({self.name}=…), or the Series alone",
            )
        facts = facts_of(given[0]) if given else {}
        return self.table(self._with_persons(made, given[0]) if facts else made, **facts)

    def table(self, frame: pd.DataFrame, **facts: Any) -> Table:
        """Return a frame of the metric's as a table: what each column is, and what else is known of it.

        Parameters
        ----------
        facts : what is known of the counts: `min_cell`, below which groups are hidden; `currency`; `as_of`; `notes`.
        """
        frame = labelled(frame) if "grain" in frame else frame.copy(deep=False)
        frame.attrs = {}  # what is made of raw counts is not raw
        columns = self._columns(frame, currency=facts.get("currency", ""))
        return Table(
            _without_small(frame, facts.get("min_cell", 1)),
            columns,
            name=self.name,
            title=self.label,
            definition=self.definition,
            source=self.takes,
            as_of=facts.get("as_of", ""),
            hidden=_small(frame, facts.get("min_cell", 1)),
            notes=facts.get("notes", ()),
        )

    def __repr__(self) -> str:
        return f"<metric {self.name}: {self.definition}>"

    def _columns(self, frame: pd.DataFrame, *, currency: str) -> list[Column]:
        columns = []
        for name in frame:
            if name in _UNSHOWN or name in ("lower", "upper") or _is_constant(frame, name):
                continue
            if name == self.name:
                role = _role_of(self.unit)
                columns.append(Column(name, self.label, role, currency=currency, unit=self.unit))
                if "lower" in frame:
                    columns.append(Column("", N_("95% interval"), role, "lower", "upper", currency=currency))
                continue
            number = (Role.N if name in _N else Role.COUNT, _COUNTS.get(name, Verbatim(name)))
            role, title = _NAMES.get(name, number)
            if role is Role.COUNT and not pd.api.types.is_integer_dtype(frame[name]):
                role = Role.NUMBER if pd.api.types.is_numeric_dtype(frame[name]) else Role.KEY
            columns.append(Column(name, title, role))
        return columns

    def _with_persons(self, made: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
        """Return a table with the numbers of customers that say which rows are small: those of the counts' own rows."""
        persons = [name for name in counts if name in _N]
        if _N & set(made) or not persons:
            return made
        if made.index.is_unique and counts.index.is_unique and made.index.isin(counts.index).all():
            return made.join(counts[persons])
        if self.function.__module__.startswith("retention_kit."):
            return made
        raise MetricError(
            f"{self.name} returns no number of customers, without which no small group can be hidden.",
            found=listed(list(made)),
            to_try=f"keep {listed(persons)}",
        )

    def _refuse_another_table(self, table: Any) -> None:
        if self.takes.endswith("_counts") and not isinstance(table, pd.DataFrame):
            raise self._another_table(f"{type(table).__name__}")
        raw = raw_name(table)
        if raw and self.takes.endswith("_counts") and raw != self.takes:
            raise self._another_table(raw)

    def _another_table(self, found: str) -> MetricError:
        return MetricError(
            f"{self.name} takes the counts table '{self.takes}'.",
            found=found,
            to_try=f'market.counts("{self.takes}")',
        )


METRICS: dict[str, Metric] = {}
"""Every metric of the kit, by name, in the order of its file."""


def metric(
    function: _Function | None = None,
    *,
    unit: str = "",
    range: tuple[float | None, float | None] = (None, None),
    source: str = "by its own notebook",
    label: str = "",
) -> Any:
    """File a function as a metric: called, it returns a `Table` of what its body makes.

    The function's name is the metric's and the name of the column it adds; its first parameter names the counts table
    it takes; the first sentence of its docstring is its definition.

    Parameters
    ----------
    unit : what one of it is: "share of customers", "orders per customer", "currency per order".
    range : least and greatest value it can take; None where there is no bound.
    source : where the definition comes from.
    label : its name for a reader; the function's name in words where not given.
    """

    def filed(function: _Function) -> Metric:
        written = label or Verbatim(function.__name__.replace("_", " ").capitalize())
        made = Metric(function, unit=unit, range=range, source=source, label=written)
        if function.__module__.startswith("retention_kit."):
            METRICS[made.name] = made
        return made

    return filed if function is None else filed(function)


def _role_of(unit: str) -> Role:
    """Return how numbers of a unit are written."""
    if unit.startswith("share"):
        return Role.SHARE
    if unit.startswith("ratio"):
        return Role.RATIO
    if unit.startswith("currency"):
        return Role.MONEY
    return Role.DAYS if unit == "days" else Role.NUMBER


def _is_constant(frame: pd.DataFrame, name: str) -> bool:
    """Tell whether a column says the same in every row, of what the table is of."""
    return name in _SAID_ONCE and frame[name].nunique() <= 1


def _small(frame: pd.DataFrame, min_cell: int) -> pd.DataFrame | None:
    """Return the hidden cells: of a row about fewer persons than may be shown, all but its names."""
    sizes = [column for column in frame if column in _N]
    if min_cell <= 1 or not sizes:
        return None
    rows = ((frame[sizes] > 0) & (frame[sizes] < min_cell)).any(axis=1)
    return hidden_rows(frame, rows, keys=[*_NAMES, *_UNSHOWN]) if rows.any() else None


def _without_small(frame: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    hidden = _small(frame, min_cell)
    return frame if hidden is None else frame.mask(hidden)

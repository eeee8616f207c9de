"""What was found while reading, all at once: facts with counts, put into words here and nowhere else.

Never a customer's data. A sentence is a `Message`, which `present` tells in the reader's language.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from retention_kit.errors import DataError, shown
from retention_kit.ingest.tables import TABLES, Column, Kind
from retention_kit.messages import N_, Message, Name

Severity = Literal["refused", "note", "warning"]

_UNITS = {
    # Translators: rows of a table, after a number: "1,204 of 3,310,442 orders have no customer_id"
    "order lines": N_("order lines"),
    "orders": N_("orders"),
    "customers": N_("customers"),
    "engagement": N_("engagement"),
    "tickets": N_("tickets"),
    "surveys": N_("surveys"),
    "assignments": N_("assignments"),
    "subscriptions": N_("subscriptions"),
    "exchange rates": N_("exchange rates"),
}
_OF_A_TABLE = {
    "unreadable_row": N_("{n} of {of} {rows} have more or fewer columns than the header, or a broken quote"),
    "left_out": N_("{n} of {of} {rows} are left out by 'where'"),
    "unknown_market": N_("{n} of {of} {rows} have a market that is not declared"),
    "unknown_currency": N_("{n} of {of} {rows} have a currency that is not in ISO 4217"),
    "no_exchange_rate": N_("{n} of {of} {rows} have a currency that is not the market's own and has no exchange rate"),
    "mixed_order": N_("{n} of {of} {rows} have lines of different customers, markets or currencies"),
    "incomplete_order": N_("{n} of {of} {rows} have lines that were refused"),
    "repeated_order_id": N_("{n} of {of} {rows} repeat an order_id of their market"),
    "repeated_customer_id": N_("{n} of {of} {rows} repeat a customer_id of their market; the first one counts"),
    "repeated_rate": N_("{n} of {of} {rows} repeat the date and currency of another rate"),
    "unusable_rate": N_("{n} of {of} {rows} have a rate that is not above zero"),
    "negative_refund": N_("{n} of {of} {rows} have a refunded_amount below zero"),
    "refunded_more_than_paid": N_("{n} of {of} {rows} have more refunded than was paid"),
    "refunded_before_ordered": N_("{n} of {of} {rows} have a refunded_at before ordered_at"),
    "undated_refund": N_("{n} of {of} {rows} have a refund without refunded_at; it counts on the day of the order"),
    "zero_amount": N_("{n} of {of} {rows} have an amount of zero"),
    "negative_amount": N_("{n} of {of} {rows} have an amount below zero"),
}
"""What rows do wrong, by reason."""

_UNREADABLE = N_("{n} of {of} {rows} have {a_column} that cannot be read")
_UNPARSABLE = {
    # Translators: {a_column} is the bare name of a column, such as customer_id
    Kind.INSTANT: N_("{n} of {of} {rows} have {a_column} that is not a date as declared"),
    Kind.DATE: N_("{n} of {of} {rows} have {a_column} that is not a date as declared"),
    Kind.MONEY: N_("{n} of {of} {rows} have {a_column} that is not a number as declared"),
    Kind.NUMBER: N_("{n} of {of} {rows} have {a_column} that is not a number as declared"),
    Kind.FLAG: N_("{n} of {of} {rows} have {a_column} that is neither true nor false"),
}
_OF_A_COLUMN = {
    "no": N_("{n} of {of} {rows} have no {column}"),
    "far": N_("{n} of {of} {rows} have {a_column} out of range, before 1900 or after 2199"),
    "zoneless": N_("{n} of {of} {rows} have {a_column} without an offset, and no time_zone is declared"),
    "large": N_("{n} of {of} {rows} have {a_column} too large to count"),
    "rounded": N_("{n} of {of} {rows} have {a_column} that a decimal column has rounded"),
    "decimal": N_("{n} of {of} {rows} have {a_column} written as 17850.0, taken as 17850"),
    "finer": N_("{n} of {of} {rows} have {a_column} with more decimals than is counted; rounded half to even"),
}
"""What a column of rows is, by the reason before the column's name: `no_customer_id`."""

_OF_A_CHECK = {
    "no_cancellation": "none of {of} {rows} is cancelled by cancelled = {sql}: is it written as in the file?",
    "after_as_of": "{n} of {of} {rows} lie after as_of {as_of}; they are not counted",
    "long_before_as_of": "the last order is {days} days before as_of {as_of}: whoever bought until then looks lost",
}
"""What only a check says, on the command line, which speaks English."""


@dataclass(frozen=True)
class Finding:
    """So many of so many rows of a table: `refused` (left out), `warning` or `note` (kept).

    Parameters
    ----------
    reason : code of what was found; of a column, with its name: `no_customer_id`.
    unit : what the rows are; the name of the table where not given.
    column : the column that it is about, where it is about one.
    facts : what its sentence says besides.
    """

    table: str
    reason: str
    n: int
    of: int
    severity: Severity
    unit: str = ""
    column: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> Message:
        """Return its sentence."""
        rows = self.unit or self.table.replace("_", " ")
        places = {"n": self.n, "of": self.of, "rows": Message(_UNITS[rows])}
        places |= {"column": self.column, "a_column": Name(self.column)} if self.column else {}
        said = Message(self._template, **places, **(self.facts if self.reason in _OF_A_CHECK else {}))
        if self.reason != "unknown_market":
            return said
        return Message(N_("{finding}: {values}"), finding=said, values=markets_told(self.facts["values"]))

    @property
    def _template(self) -> str:
        if not self.column:
            return (_OF_A_TABLE | _OF_A_CHECK)[self.reason]
        code = self.reason.removesuffix(f"_{self.column}")
        if code != "unparsable":
            return _OF_A_COLUMN[code]
        kind = {column.name: column.kind for column in TABLES[self.table]}
        return _UNPARSABLE.get(kind[self.column], _UNREADABLE)


def finding(table: str, reason: str, severity: Severity, n: int, of: int, *, unit: str = "", **facts: Any) -> Finding:
    """Return a finding of a reason as the engine gives it, `no_customer_id`, with its column told apart."""
    column = "" if reason in _OF_A_TABLE or reason in _OF_A_CHECK else reason.partition("_")[2]
    return Finding(table, reason, n, of, severity, unit, column, facts)


_NOT_NAMED = N_("{n_values} values that look like ids, not names of markets; they are not shown")


def markets_told(values: Sequence[Sequence[Any]] | int) -> str:
    """Return unknown markets with their rows; without their names where there is only their number."""
    if isinstance(values, int):
        return Message(
            N_("{n_values} values that look like ids, not names of markets; they are not shown"), n_values=values
        )
    return counted_names(values)


def counted_names(names: Sequence[Sequence[Any]], *, most: int = 12) -> str:
    """Return names with how many rows have them: 'XX' (3), 'YY' (1)."""
    told = ", ".join(f"'{shown(name)}' ({n:,})" for name, n in names[:most])
    return f"{told} and {len(names) - most} more" if len(names) > most else told


@dataclass(frozen=True)
class Findings:
    """Everything found while reading.

    A refused row counts once, under the first reason that applies to it, so refusals of one table add up.

    Parameters
    ----------
    rows : the findings, table by table.
    max_refused : share of a table's rows that may be refused.
    expected : share by reason that is known and accepted, and does not count against `max_refused`.
    where : the file that declares both.
    columns : the engine's columns of each table that is loaded.
    """

    rows: tuple[Finding, ...] = ()
    max_refused: float = 0.01
    expected: Mapping[str, float] = field(default_factory=dict)
    where: str = "the profile"
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False, compare=False)

    def refused_share(self, table: str) -> float:
        """Return the share of the table's rows that were refused, known and accepted reasons left aside."""
        return sum(
            finding.n / finding.of
            for finding in self._refused(table)
            if finding.n / finding.of > self.expected.get(finding.reason, 0)
        )

    def raise_if_too_many(self) -> None:
        """Raise a DataError that lists all refusals if a table lost more rows than is allowed."""
        for table in dict.fromkeys(finding.table for finding in self.rows):
            if self.refused_share(table) > self.max_refused:
                raise DataError(
                    f"{table}: {_percent(self.refused_share(table))} of the rows were refused, "
                    f"more than the {_percent(self.max_refused)} allowed.",
                    found="\n".join(finding.text for finding in self._refused(table)),
                    to_try="\n".join(self.advice(table)),
                )

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the findings as plain dictionaries, for JSON, each with its sentence as `text`."""
        return [asdict(finding) | {"text": finding.text} for finding in self.rows]

    @classmethod
    def from_dicts(cls, rows: Iterable[Mapping[str, Any]]) -> "Findings":
        """Return the findings that `to_dicts` wrote."""
        facts = ({key: value for key, value in row.items() if key != "text"} for row in rows)
        return cls(rows=tuple(Finding(**row) for row in facts))

    def _refused(self, table: str) -> list[Finding]:
        return [f for f in self.rows if f.table == table and f.severity == "refused"]

    def advice(self, table: str) -> list[str]:
        """Return what mends the refusals of a table."""
        return [
            *self._particular_advice(table),
            f"correct the export, or raise max_refused, or declare the share as [expected], in {self.where}",
        ]

    def advice_on_none(self, table: str) -> list[str]:
        """Return what brings back a table of which no row is left: no share allowed would."""
        left_out = any(f.table == table and f.reason == "left_out" for f in self.rows)
        advice = [f"correct 'where' under [{table}] in {self.where}"] if left_out else []
        return [*self._particular_advice(table), *advice] or ["correct the export"]

    def _particular_advice(self, table: str) -> list[str]:
        advice = [advice_on(finding, where=self.where) for finding in self._refused(table)]
        return list(dict.fromkeys(text for text in advice if text))


def advice_on(finding: Finding, *, where: str) -> str:
    """Return what mends a refusal, or nothing where only the export can."""
    kind = next((column.kind for column in TABLES[finding.table] if column.name == finding.column), None)
    reason = finding.reason.removesuffix(f"_{finding.column}")
    if reason == "unparsable" and kind in (Kind.MONEY, Kind.NUMBER):
        return f'declare how [{finding.table}] writes numbers, such as decimal = ",", in {where}'
    if reason == "unparsable" and kind in (Kind.INSTANT, Kind.DATE):
        return f'declare how [{finding.table}] writes dates, such as date_format = "%d-%m-%Y", in {where}'
    if reason == "far":
        return f'declare how [{finding.table}] writes years: "%d-%m-%y" where they have two digits, in {where}'
    if reason == "zoneless":
        return f'declare time_zone under [{finding.table}], such as time_zone = "market", in {where}'
    if finding.reason == "unreadable_row":
        return f"declare the separator and quote of [{finding.table}] in {where}; a decimal comma needs quotes"
    return ""


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def reasons(columns: Iterable[Column]) -> set[str]:
    """Return every reason that rows of a table with these columns can give."""
    return set(_OF_A_TABLE) | {f"{code}_{c.name}" for c in columns for code in ("unparsable", *_OF_A_COLUMN)}


ALL_REASONS = frozenset(reason for columns in TABLES.values() for reason in reasons(columns))
"""Every reason there is: the names that `[expected]` of a profile may use."""

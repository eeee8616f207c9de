"""What was found wrong while reading, told all at once: counts and reasons, never a customer's data."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from retention_kit.errors import DataError
from retention_kit.ingest.tables import TABLES, Column, Kind

Severity = Literal["refused", "note", "warning"]

_UNPARSABLE = {
    Kind.INSTANT: "that is not a date as declared",
    Kind.DATE: "that is not a date as declared",
    Kind.MONEY: "that is not a number as declared",
    Kind.NUMBER: "that is not a number as declared",
    Kind.FLAG: "that is neither true nor false",
    Kind.TEXT: "that cannot be read",
    Kind.ID: "that cannot be read",
    Kind.MARKET: "that cannot be read",
}


@dataclass(frozen=True)
class Finding:
    """So many of so many rows of a table: `refused` (left out), `warning` or `note` (kept)."""

    table: str
    reason: str
    n: int
    of: int
    severity: Severity
    text: str


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
    """

    rows: tuple[Finding, ...] = ()
    max_refused: float = 0.01
    expected: Mapping[str, float] = field(default_factory=dict)
    where: str = "the profile"

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
        """Return the findings as plain dictionaries, for JSON."""
        return [asdict(finding) for finding in self.rows]

    @classmethod
    def from_dicts(cls, rows: Iterable[Mapping[str, Any]]) -> "Findings":
        """Return the findings that `to_dicts` wrote."""
        return cls(rows=tuple(Finding(**row) for row in rows))

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
    kind = {column.name: column.kind for column in TABLES[finding.table]}
    reason, _, column = finding.reason.partition("_")
    if reason == "unparsable" and kind.get(column) in (Kind.MONEY, Kind.NUMBER):
        return f'declare how [{finding.table}] writes numbers, such as decimal = ",", in {where}'
    if reason == "unparsable" and kind.get(column) in (Kind.INSTANT, Kind.DATE):
        return f'declare how [{finding.table}] writes dates, such as date_format = "%d-%m-%Y", in {where}'
    if reason == "far":
        return f'declare how [{finding.table}] writes years: "%d-%m-%y" where they have two digits, in {where}'
    if reason == "zoneless":
        return f'declare time_zone under [{finding.table}], such as time_zone = "market", in {where}'
    if finding.reason == "unreadable_row":
        return f"declare the separator and quote of [{finding.table}] in {where}; a decimal comma needs quotes"
    return ""


def phrase(reason: str, columns: Iterable[Column]) -> str:
    """Return what rows with this reason do wrong, as the end of a sentence: 'have no customer_id'."""
    return reasons(columns)[reason]


def reasons(columns: Iterable[Column]) -> dict[str, str]:
    """Return every reason that a table with these columns can give, with its words."""
    columns = list(columns)
    return {
        "unreadable_row": "have more or fewer columns than the header, or a broken quote",
        "left_out": "are left out by 'where'",
        "unknown_market": "have a market that is not declared",
        "unknown_currency": "have a currency that is not in ISO 4217",
        "no_exchange_rate": "have a currency that is not the market's own and has no exchange rate",
        "mixed_order": "have lines of different customers, markets or currencies",
        "incomplete_order": "have lines that were refused",
        "repeated_order_id": "repeat an order_id of their market",
        "repeated_customer_id": "repeat a customer_id of their market; the first one counts",
        "repeated_rate": "repeat the date and currency of another rate",
        "unusable_rate": "have a rate that is not above zero",
        "negative_refund": "have a refunded_amount below zero",
        "refunded_more_than_paid": "have more refunded than was paid",
        "refunded_before_ordered": "have a refunded_at before ordered_at",
        "undated_refund": "have a refund without refunded_at; it counts on the day of the order",
        "zero_amount": "have an amount of zero",
        "negative_amount": "have an amount below zero",
        **{f"no_{c.name}": f"have no {c.name}" for c in columns},
        **{f"unparsable_{c.name}": f"have {_a(c.name)} {_UNPARSABLE[c.kind]}" for c in columns},
        **{f"far_{c.name}": f"have {_a(c.name)} out of range, before 1900 or after 2199" for c in columns},
        **{f"zoneless_{c.name}": f"have {_a(c.name)} without an offset, and no time_zone is declared" for c in columns},
        **{f"large_{c.name}": f"have {_a(c.name)} too large to count" for c in columns},
        **{f"rounded_{c.name}": f"have {_a(c.name)} that a decimal column has rounded" for c in columns},
        **{f"decimal_{c.name}": f"have {_a(c.name)} written as 17850.0, taken as 17850" for c in columns},
        **{
            f"finer_{c.name}": f"have {_a(c.name)} with more decimals than is counted; rounded half to even"
            for c in columns
        },
    }


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "aeio" else f"a {name}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


ALL_REASONS = frozenset(reason for name, columns in TABLES.items() for reason in reasons(columns))
"""Every reason there is: the names that `[expected]` of a profile may use."""

"""The eight tables the kit understands: their columns, what each holds, which are required."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds, and so how it is converted."""

    ID = "id"  # text, never a number: 00123 is not 123
    TEXT = "text"
    MARKET = "market"  # a name or code that markets.toml knows
    INSTANT = "instant"  # in the file: a date or time; in the engine: microseconds since 1970-01-01 UTC
    DATE = "date"  # in the engine: days since 1970-01-01
    MONEY = "money"  # decimal in the file; integer minor units of `currency` in the engine
    NUMBER = "number"
    FLAG = "flag"
    OWN = "own"  # text, of a column that a profile declares


@dataclass(frozen=True)
class Column:
    """One column of a table: what it holds and whether every row needs it."""

    name: str
    kind: Kind
    required: bool = True

    @property
    def engine_name(self) -> str:
        """Return its name in the engine, which says the unit: `_us`, `_day`, `_minor`."""
        stem = self.name.removesuffix("_at").removesuffix("_amount")
        suffix = {Kind.INSTANT: f"{stem}_us", Kind.DATE: f"{stem}_day", Kind.MONEY: f"{stem}_minor"}
        return suffix.get(self.kind, self.name)


def _table(required: dict[str, Kind], optional: dict[str, Kind] | None = None) -> tuple[Column, ...]:
    return tuple(
        [Column(name, kind) for name, kind in required.items()]
        + [Column(name, kind, required=False) for name, kind in (optional or {}).items()]
    )


TABLES: dict[str, tuple[Column, ...]] = {
    "orders": _table(
        {
            "order_id": Kind.ID,
            "customer_id": Kind.ID,
            "market": Kind.MARKET,
            "ordered_at": Kind.INSTANT,
            "amount": Kind.MONEY,
            "currency": Kind.TEXT,
        },
        {
            "refunded_amount": Kind.MONEY,
            "refunded_at": Kind.INSTANT,
            "cancelled": Kind.FLAG,
            "discount_amount": Kind.MONEY,
            "coupon": Kind.TEXT,
            "channel": Kind.TEXT,
            "payment_method": Kind.TEXT,
            "promised_at": Kind.INSTANT,
            "delivered_at": Kind.INSTANT,
            "campaign": Kind.TEXT,
        },
    ),
    "customers": _table(
        {"customer_id": Kind.ID, "market": Kind.MARKET},
        {
            "language": Kind.TEXT,
            "acquired_at": Kind.INSTANT,
            "acquisition_channel": Kind.TEXT,
            "acquisition_cost": Kind.MONEY,
            "referred_by": Kind.ID,
            "loyalty_tier": Kind.TEXT,
            "loyalty_joined_at": Kind.INSTANT,
            "consent": Kind.FLAG,
        },
    ),
    "engagement": _table({"customer_id": Kind.ID, "occurred_at": Kind.INSTANT, "kind": Kind.TEXT}),
    "tickets": _table(
        {"customer_id": Kind.ID, "opened_at": Kind.INSTANT},
        {
            "first_response_at": Kind.INSTANT,
            "resolved_at": Kind.INSTANT,
            "language": Kind.TEXT,
            "kind": Kind.TEXT,
            "csat": Kind.NUMBER,
        },
    ),
    "surveys": _table(
        {"customer_id": Kind.ID, "answered_at": Kind.INSTANT, "question": Kind.TEXT, "score": Kind.NUMBER},
        {"language": Kind.TEXT, "followed_up_at": Kind.INSTANT},
    ),
    "assignments": _table(
        {"experiment": Kind.TEXT, "customer_id": Kind.ID, "arm": Kind.TEXT, "assigned_at": Kind.INSTANT},
        {"cost": Kind.MONEY},
    ),
    "subscriptions": _table(
        {
            "subscription_id": Kind.ID,
            "customer_id": Kind.ID,
            "market": Kind.MARKET,
            "started_at": Kind.INSTANT,
        },
        {"ended_at": Kind.INSTANT, "price": Kind.MONEY, "currency": Kind.TEXT, "period": Kind.TEXT},
    ),
    "exchange_rates": _table({"date": Kind.DATE, "currency": Kind.TEXT, "rate": Kind.NUMBER}),
}
"""Each table's columns, in order; `exchange_rates.rate` is units of `currency` for one unit of the base."""

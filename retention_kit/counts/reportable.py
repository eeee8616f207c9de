"""Which markets can be reported, and why the others cannot."""

from collections.abc import Sequence

from retention_kit.counts.counting import Counted
from retention_kit.counts.segments import market_of
from retention_kit.errors import DataError


def with_orders(counted: Counted) -> tuple[str, ...]:
    """Return the markets with at least one kept order.

    Raises
    ------
    DataError : there is none in any market.
    """
    if not counted.markets:
        reasons = counted.tables["left_out_counts"].groupby("reason")["n_orders"].sum()
        raise DataError(
            f"No order counts before {counted.as_of}.",
            found=", ".join(f"{n:,} orders {why}" for why, n in reasons.items()),
            to_try="`retention-kit check` on the same data, or a later --as-of",
        )
    return counted.markets


def reported(counted: Counted, markets: Sequence[str]) -> tuple[str, ...]:
    """Return the codes that are reported: those named, or all with orders; their segments where they are split."""
    segment = counted.asked.segment
    if markets and (segment is None or not segment.is_split):
        return tuple(markets)
    return tuple(code for code in with_orders(counted) if not markets or market_of(code) in markets)


def left_out(counted: Counted) -> list[str]:
    """Return a sentence for each market that has orders of which none counts: how many, and why."""
    rows = counted.tables["left_out_counts"]
    return [
        f"{code}: no order counts: {', '.join(f'{row.n_orders:,} {row.reason}' for row in mine.itertuples())}"
        for code, mine in rows[~rows["market"].isin(counted.markets)].groupby("market")
    ]

"""Many random logs as one, each with markets and customers of its own: a slow engine counts them together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from order_logs import DAY_US, Log, written

_YEAR_US = 366 * DAY_US


def batches(logs: Sequence[Log], *, most: int) -> Iterator[Log]:
    """Yield logs that hold at the most so many others each, neighbours in time, with the policy of their first one.

    `as_of` is the instant of their last order or, of every other batch, one that many of their orders lie after.
    """
    ordered = sorted(logs, key=lambda log: min(order.at for order in log.orders))
    for nth, start in enumerate(range(0, len(ordered), most)):
        some = ordered[start : start + most]
        times = sorted(order.at for log in some for order in log.orders)
        yield replace(
            some[0],
            places=tuple(replace(p, code=_market(p.code, n)) for n, log in enumerate(some) for p in log.places),
            orders=tuple(
                replace(o, market=_market(o.market, n), customer=_customer(o.customer, n))
                for n, log in enumerate(some)
                for o in log.orders
            ),
            contracts=tuple(
                replace(c, market=_market(c.market, n), customer=_customer(c.customer, n))
                for n, log in enumerate(some)
                for c in log.contracts
            ),
            as_of=written(times[-1] if nth % 2 else times[len(times) * 3 // 4] + 1),
            grains=_grains(times[-1] - times[0], len(some)),
        )


def _grains(span_us: int, n_logs: int) -> tuple[str, ...]:
    """Return grains by which the cells of all cohorts stay below a million."""
    if span_us > 5 * _YEAR_US:
        return ("quarter", "year")
    return ("day", "week") if n_logs <= 20 else ("week", "month")


def _market(code: str, nth: int) -> str:
    return f"{code}-{nth}"


def _customer(name: str, nth: int) -> str:
    return f"{nth}-{name}"

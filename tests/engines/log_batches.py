"""Many random logs as one, each with markets and customers of its own: a slow engine counts them together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from order_logs import DAY_US, Log, written

_GAP_US = 500 * DAY_US


def batches(logs: Sequence[Log], *, most: int = 20) -> Iterator[Log]:
    """Yield logs that hold at the most so many others, of about the same years, with the policy of their first one.

    `as_of` is the instant of their last order or, of every other batch, one that many of their orders lie after.
    """
    for nth, alike in enumerate(_alike(logs, most)):
        orders = [order for log in alike for order in log.orders]
        times = sorted(order.at for order in orders)
        as_of = times[-1] if nth % 2 else times[len(times) * 3 // 4] + 1
        yield replace(
            alike[0],
            places=tuple(replace(p, code=_market(p.code, n)) for n, log in enumerate(alike) for p in log.places),
            orders=tuple(
                replace(o, market=_market(o.market, n), customer=f"{n}-{o.customer}")
                for n, log in enumerate(alike)
                for o in log.orders
            ),
            contracts=tuple(
                replace(c, market=_market(c.market, n)) for n, log in enumerate(alike) for c in log.contracts
            ),
            as_of=written(as_of),
            grains=("day", "week", "month") if nth % 2 else ("week", "quarter", "year"),
        )


def _market(code: str, nth: int) -> str:
    return f"{code}-{nth}"


def _alike(logs: Sequence[Log], most: int) -> Iterator[list[Log]]:
    ordered = sorted(logs, key=lambda log: min(order.at for order in log.orders))
    cluster: list[Log] = []
    for log in ordered:
        far = cluster and min(o.at for o in log.orders) - max(o.at for o in cluster[0].orders) > _GAP_US
        if far or len(cluster) == most:
            yield cluster
            cluster = []
        cluster.append(log)
    yield from islice([cluster], bool(cluster))

"""Time zones as tables: from when to when a zone had which offset from UTC.

Taken from `zoneinfo` alone, so no engine's zone database or session time zone can change a number.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400

Offset = tuple[int, int, int]


def utc_offsets(zone: ZoneInfo, start_us: int, end_us: int) -> list[Offset]:
    """Return the zone's offsets from UTC, as (from_utc_us, to_utc_us, offset_us), in order.

    The stretches are half open, touch each other, and cover [start_us, end_us) exactly. All three
    numbers are microseconds; local time = UTC + offset.
    """
    return list(_utc_offsets(zone, start_us, max(end_us, start_us + 1)))


def local_offsets(zone: ZoneInfo, start_us: int, end_us: int) -> list[tuple[int, int]]:
    """Return (local_from_us, offset_us): from which local time on which offset is taken.

    UTC = local time − offset. A local time that comes twice is its first one, and one that is
    skipped takes the offset before the gap: `zoneinfo` with `fold=0`.
    """
    stretches = utc_offsets(zone, start_us - 2 * DAY_US, end_us + 2 * DAY_US)
    starts = [(stretches[0][0] + stretches[0][2], stretches[0][2])]
    for (_, _, before), (from_us, _, offset) in pairwise(stretches):
        starts.append((from_us + max(before, offset), offset))
    return starts


@lru_cache(maxsize=512)
def _utc_offsets(zone: ZoneInfo, start_us: int, end_us: int) -> tuple[Offset, ...]:
    first, last = start_us // SECOND_US, -(-end_us // SECOND_US)
    changes = [(start_us, _offset_us(zone, first))]
    for day in range(first, last, _DAY_S):
        changes += _changes(zone, day, min(day + _DAY_S, last))
    ends = [from_us for from_us, _ in changes[1:]] + [end_us]
    return tuple((from_us, to_us, offset) for (from_us, offset), to_us in zip(changes, ends, strict=True))


def _changes(zone: ZoneInfo, first: int, last: int) -> list[tuple[int, int]]:
    """Return where the offset changes within (first, last], seconds since 1970, found by halving."""
    if _offset_us(zone, first) == _offset_us(zone, last):
        return []
    before, after = first, last
    while after - before > 1:
        middle = (before + after) // 2
        if _offset_us(zone, middle) == _offset_us(zone, first):
            before = middle
        else:
            after = middle
    return [(after * SECOND_US, _offset_us(zone, after)), *_changes(zone, after, last)]


def _offset_us(zone: ZoneInfo, second: int) -> int:
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)

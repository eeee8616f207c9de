"""The counts tables once more, slow and obvious: sets, dicts and zoneinfo, from the definitions alone.

A customer is a list of entries (an order, or money that came back), a period is its first day and its next,
and every number is a count over customers. The group is one company whose markets are rooms: a customer of
two markets is one customer, his days are local to the market of each order, and each order keeps him active
for that market's own window.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from hashlib import md5
from itertools import pairwise
from zoneinfo import ZoneInfo

from order_logs import DAY_US, EPOCH, Log, Order, as_of_us

from retention_kit.config import GROUP
from retention_kit.counts.prelude import AGE_EDGES, FOR_EVER_DAYS, WINDOWS

ONE_DAY = timedelta(days=1)

COLUMNS = {
    "cohort_counts": "market grain cohort age complete left_truncated n_active n_first_return n_orders revenue_minor",
    "last_seen_counts": "market grain cohort last_age n_customers",
    "activity_counts": "market grain rule period complete left_truncated "
    "n_start n_end n_new n_retained n_reactivated n_lapsed",
    "order_counts": "market grain period complete first_day next_day n_customers n_repeat_customers "
    "n_repeat_customers_by_days n_orders n_order_days gross_minor refunded_minor revenue_minor",
    "gap_counts": "market nth gap_days n_closed n_open",
    "lifetime_counts": "market kind duration_days n_ended n_running",
    "rfm_counts": "market unit_days frequency recency age n_customers n_orders revenue_minor",
    "revenue_counts": "market grain period complete opening_minor expansion_minor contraction_minor lapsed_minor "
    "reactivated_minor new_minor closing_minor other_minor",
    "return_counts": "market from_day to_day before_day observed_day n_customers",
    "window_counts": "market grain period window_days n_start n_retained n_end",
    "retained_revenue_counts": "market grain period bucket n_start n_retained then_minor now_minor least_minor",
    "period_bucket_counts": "market grain period bucket n_customers n_orders revenue_minor",
    "age_bucket_counts": "market grain age bucket n start_minor revenue_minor",
    "converted_counts": "market grain period n_orders n_without_rate order_date_minor constant_minor",
    "mover_counts": "market to_market n_customers",
    "left_out_counts": "market reason n_orders",
}
COLUMNS = {table: tuple(columns.split()) for table, columns in COLUMNS.items()}
"""The columns of each table, in the order in which `expected` gives them."""

Rows = list[tuple]


def expected(log: Log) -> dict[str, Rows]:
    """Return the rows of each counts table, sorted."""
    days = [_as_of_day(log, place) for place in log.present]
    observations = dict(zip((place.code for place in log.present), days, strict=True))
    entries = [entry for order in log.orders for entry in _entries(order, log, observations)]
    history_day = min((entry.day for entry in entries), default=None)
    shops = [
        Shop(place.code, log, {place.code: observations[place.code]}, entries, place.window, history_day)
        for place in log.present
    ]
    group = Shop(GROUP, log, observations, entries, max(place.window for place in log.present), history_day)
    tables: dict[str, Callable[[Shop], Iterable[tuple]]] = {
        "cohort_counts": _cohort_counts,
        "last_seen_counts": _last_seen_counts,
        "activity_counts": _activity_counts,
        "order_counts": _order_counts,
        "gap_counts": _gap_counts,
        "lifetime_counts": _lifetime_counts,
        "rfm_counts": _rfm_counts,
        "revenue_counts": _revenue_counts,
        "return_counts": _return_counts,
        "window_counts": _window_counts,
        "retained_revenue_counts": _retained_revenue_counts,
        "period_bucket_counts": _period_bucket_counts,
    }
    found = {name: sorted(row for shop in [*shops, group] for row in rows(shop)) for name, rows in tables.items()}
    found["age_bucket_counts"] = sorted(row for shop in shops for row in _age_bucket_counts(shop))
    found["converted_counts"] = sorted(row for shop in shops for row in _converted_counts(shop))
    found["mover_counts"] = sorted(_mover_counts(shops))
    return found | {"left_out_counts": sorted(_left_out_counts(log))}


def comparable(tables: dict[str, Rows], log: Log) -> dict[str, Rows]:
    """Return the rows without those of the group for a period that has begun in some of its markets only.

    Such a period is 'so far' in the one market and nothing yet in the other: no rule says what it is in both. A bucket
    in which money comes to nothing is as good as none.
    """
    everywhere = min(_as_of_day(log, place).unseen_day for place in log.present)
    begun = {grain: Period.of(everywhere - ONE_DAY, grain).number for grain in log.grains}

    def has_begun(table: str, row: tuple) -> bool:
        of = dict(zip(COLUMNS[table], row, strict=True))
        if table == "period_bucket_counts" and not any(row[4:]):
            return False
        if of["market"] != GROUP or of.get("grain") not in begun or table == "last_seen_counts":
            return True
        return of.get("period", of.get("cohort", 0) + of.get("age", 0)) <= begun[of["grain"]]

    return {table: [row for row in rows if has_begun(table, row)] for table, rows in tables.items()}


@dataclass(frozen=True)
class Observed:
    """Where a market's observation ends: the local day of `as_of`, the first day not seen, a year before."""

    as_of_us: int
    as_of_local: datetime
    as_of_day: date
    unseen_day: date
    year_ago_day: date


@dataclass(frozen=True)
class Entry:
    """What an order does on a local day: it is one, or it moves money, or both."""

    customer: str
    market: str
    us: int
    at: datetime  # by the market's clock
    day: date
    active_until: date  # the last boundary at which it still makes its customer active
    is_order: bool
    gross: int
    refunded: int

    @property
    def net(self) -> int:
        return self.gross - self.refunded


@dataclass(frozen=True)
class Shop:
    """A market, or all of them, with the entries seen before `as_of`."""

    code: str
    log: Log
    observed: dict[str, Observed]
    all_entries: list[Entry]
    window: int
    history_day: date | None

    @cached_property
    def customers(self) -> list["Customer"]:
        """Return everybody with an entry here."""
        by_id = defaultdict(list)
        for entry in self.all_entries:
            if entry.market in self.observed:
                by_id[entry.customer].append(entry)
        return [Customer(entries, self._seen(entries)) for entries in by_id.values()]

    @cached_property
    def buyers(self) -> list["Customer"]:
        """Return everybody with a kept order here."""
        return [customer for customer in self.customers if customer.order_days]

    @cached_property
    def subscriptions(self) -> dict[str, list[tuple[date, date | None]]]:
        """Return of everybody with subscriptions here from which local day to which each ran, None at `as_of`."""
        found = defaultdict(list)
        for contract in self.log.contracts:
            observed = self.observed.get(contract.market)
            if observed is not None and contract.started < observed.as_of_us:
                zone = next(place.zone for place in self.log.places if place.code == contract.market)
                has_ended = contract.ended is not None and contract.ended < observed.as_of_us
                ended = _local_day(contract.ended, zone) if has_ended else None
                found[contract.customer].append((_local_day(contract.started, zone), ended))
        return found

    @property
    def has_contracts(self) -> bool:
        """Return whether any market has a subscription that was seen."""
        ends = {place.code: _as_of_day(self.log, place).as_of_us for place in self.log.present}
        return any(contract.started < ends.get(contract.market, contract.started) for contract in self.log.contracts)

    @cached_property
    def first_day(self) -> date | None:
        """Return the first day with an order, or with money of one."""
        return min((entry.day for customer in self.customers for entry in customer.entries), default=None)

    @property
    def unseen_day(self) -> date:
        return max(observed.unseen_day for observed in self.observed.values())

    @property
    def year_ago_day(self) -> date:
        return min(observed.year_ago_day for observed in self.observed.values())

    def periods(self, grain: str, *, since: date | None = None) -> Iterator["Period"]:
        """Yield the periods from that of the first entry, or of a day, to the last one that was seen."""
        since = since or self.first_day
        if since is None:
            return
        period = Period.of(since, grain)
        while period.first < self.unseen_day:
            yield period
            period = period.next

    def complete(self, period: "Period") -> int:
        """Return whether a period is over, in every market."""
        return int(all(period.next.first <= observed.as_of_day for observed in self.observed.values()))

    def before_history(self, day: date) -> int:
        """Return whether a day lies before the data begin, where they do not hold everybody's first order."""
        return int(not self.log.complete_history and self.history_day is not None and day < self.history_day)

    def _seen(self, entries: Iterable[Entry]) -> Observed:
        """Return where a customer's observation ends: for one of several markets, the latest day, the longest year."""
        of_his = [self.observed[market] for market in {entry.market for entry in entries}]
        of_his = of_his if len(of_his) == 1 else list(self.observed.values())
        return Observed(
            max(observed.as_of_us for observed in of_his),
            max(observed.as_of_local for observed in of_his),
            max(observed.as_of_day for observed in of_his),
            max(observed.unseen_day for observed in of_his),
            min(observed.year_ago_day for observed in of_his),
        )


@dataclass(frozen=True)
class Customer:
    """One customer's entries, and where his observation ends."""

    entries: list[Entry]
    seen: Observed

    @cached_property
    def orders(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.is_order]

    @cached_property
    def order_days(self) -> list[date]:
        return sorted({entry.day for entry in self.orders})

    @cached_property
    def last_boundary(self) -> date:
        return max(entry.active_until for entry in self.orders)

    def within(self, first: date, after: date | None) -> "Customer":
        """Return the customer as if only the days of [first, after) were."""
        inside = [entry for entry in self.entries if first <= entry.day and (after is None or entry.day < after)]
        return Customer(inside, self.seen)

    def in_period(self, period: "Period") -> "Customer":
        return self.within(period.first, period.next.first)

    def is_active_at(self, boundary: date) -> bool:
        """Return whether an order of the window of days before a boundary makes him active at it."""
        return any(entry.day < boundary <= entry.active_until for entry in self.orders)

    def ordered_within(self, window: int, boundary: date) -> bool:
        """Return whether he ordered in a window of days before a boundary."""
        return any(0 < (boundary - entry.day).days <= window for entry in self.orders)

    @property
    def net(self) -> int:
        return sum(entry.net for entry in self.entries)


@dataclass(frozen=True, order=True)
class Period:
    """A day, ISO week, month, quarter or year: its number and its first day."""

    number: int
    grain: str
    first: date

    @classmethod
    def of(cls, day: date, grain: str) -> "Period":
        """Return the period that holds a day."""
        since = (day - date(1970, 1, 1)).days
        if grain == "day":
            return cls(since, grain, day)
        if grain == "week":
            monday = day - day.weekday() * ONE_DAY
            return cls((monday - date(1969, 12, 29)).days // 7, grain, monday)
        if grain == "month":
            return cls(day.year * 12 + day.month - 1, grain, day.replace(day=1))
        if grain == "quarter":
            quarter = (day.month - 1) // 3
            return cls(day.year * 4 + quarter, grain, date(day.year, quarter * 3 + 1, 1))
        return cls(day.year, grain, date(day.year, 1, 1))

    @cached_property
    def next(self) -> "Period":
        longest = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[self.grain]
        return Period.of(self.first + longest * ONE_DAY, self.grain)

    @cached_property
    def before(self) -> "Period":
        return Period.of(self.first - ONE_DAY, self.grain)


def _local(us: int, zone: str) -> datetime:
    return (EPOCH + timedelta(microseconds=us)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _local_day(us: int, zone: str) -> date:
    return _local(us, zone).date()


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _as_of_day(log: Log, place) -> Observed:
    us = as_of_us(log.as_of, place.zone)
    is_date = len(log.as_of) == len("2026-01-01")
    day = date.fromisoformat(log.as_of) if is_date else _local_day(us, place.zone)
    seen_in_part = _local_day(us - 1, place.zone) == day
    year_ago = date(day.year - 1, day.month, min(day.day, 28) if day.month == 2 else day.day)
    return Observed(us, _local(us, place.zone), day, day + ONE_DAY if seen_in_part else day, year_ago)


def _entries(order: Order, log: Log, observations: dict[str, Observed]) -> Iterator[Entry]:
    """Yield what an order does: nothing where it was cancelled or not seen."""
    place = next(place for place in log.places if place.code == order.market)
    end = observations[order.market].as_of_us
    if order.at >= end or order.cancelled or order.amount < 0:
        return
    if order.amount == 0 and log.free_orders == "left_out":
        return
    refunded = _refunded_by(order, end)
    is_order = order.amount == 0 or refunded < order.amount
    at = _local(order.at, place.zone)
    day = at.date()
    until = day + place.window * ONE_DAY
    if log.refund_policy == "order":
        if is_order:
            yield Entry(order.customer, order.market, order.at, at, day, until, True, order.amount, refunded)
        return
    yield Entry(order.customer, order.market, order.at, at, day, until, is_order, order.amount, 0)
    if refunded:
        back = _local(order.at if order.refunded_at is None else max(order.at, order.refunded_at), place.zone)
        yield Entry(order.customer, order.market, order.at, back, back.date(), back.date(), False, 0, refunded)


def _refunded_by(order: Order, end: int) -> int:
    """Return what of an order had come back before an instant; an undated refund came with the order."""
    return order.refunded if order.refunded_at is None or order.refunded_at < end else 0


def _cohort_counts(shop: Shop) -> Iterator[tuple]:
    for grain in shop.log.grains:
        cohorts = defaultdict(list)
        for customer in shop.buyers:
            cohorts[Period.of(customer.order_days[0], grain)].append(customer)
        for cohort, customers in cohorts.items():
            period = cohort
            truncated = shop.before_history(cohort.first - ONE_DAY)
            while period.first < shop.unseen_day:
                inside = [customer.in_period(period) for customer in customers]
                yield (
                    *(shop.code, grain, cohort.number, period.number - cohort.number),
                    *(shop.complete(period), truncated),
                    sum(1 for customer in inside if customer.orders),
                    sum(1 for customer in customers if _first_return(customer, grain) == period),
                    sum(len(customer.orders) for customer in inside),
                    sum(customer.net for customer in inside),
                )
                period = period.next


def _first_return(customer: Customer, grain: str) -> Period | None:
    """Return the second period in which a customer is active; none where there is no second one."""
    periods = sorted({Period.of(day, grain) for day in customer.order_days})
    return periods[1] if len(periods) > 1 else None


def _return_counts(shop: Shop) -> Iterator[tuple]:
    counted = Counter()
    for customer in shop.buyers:
        first = min(entry.at for entry in customer.orders)
        observed = _stretch(max((customer.seen.as_of_local - first) // ONE_DAY, 0))
        before = -1
        for stretch in sorted({_stretch((entry.at - first) // ONE_DAY) for entry in customer.orders}):
            counted[*stretch, before, observed[0]] += 1
            before = stretch[0]
    yield from ((shop.code, *key, n) for key, n in counted.items())


def _stretch(age: int) -> tuple[int, int]:
    """Return the first and last day of the stretch of ages that a day is in."""
    first = max(edge for edge in AGE_EDGES if edge <= age)
    return first, min((edge for edge in AGE_EDGES if edge > age), default=FOR_EVER_DAYS) - 1


def _last_over(shop: Shop, grain: str) -> Period:
    """Return the last period that is over in every market of the company."""
    everywhere = min(_as_of_day(shop.log, place).as_of_day for place in shop.log.present)
    return Period.of(everywhere, grain).before


def _window_counts(shop: Shop) -> Iterator[tuple]:
    for grain in shop.log.grains:
        period = _last_over(shop, grain)
        for window in WINDOWS:
            at_start, at_end = (
                {nth for nth, customer in enumerate(shop.buyers) if customer.ordered_within(window, boundary)}
                for boundary in (period.first, period.next.first)
            )
            if at_start | at_end:
                sizes = (len(at_start), len(at_start & at_end), len(at_end))
                yield shop.code, grain, period.number, window, *sizes


def _retained_revenue_counts(shop: Shop) -> Iterator[tuple]:
    for grain in shop.log.grains:
        period = _last_over(shop, grain)
        sums = defaultdict(lambda: [0] * 5)
        for customer in shop.buyers:
            then, now = customer.in_period(period.before), customer.in_period(period)
            if then.orders:
                kept = (1, now.net, min(then.net, now.net)) if now.orders else (0, 0, 0)
                numbers = (1, kept[0], then.net, *kept[1:])
                bucket = _bucket(customer)
                sums[bucket] = [one + more for one, more in zip(sums[bucket], numbers, strict=True)]
        yield from ((shop.code, grain, period.number, bucket, *numbers) for bucket, numbers in sums.items())


def _bucket(customer: Customer) -> int:
    return int(md5(customer.entries[0].customer.encode()).hexdigest()[:7], 16) % 200


def _period_bucket_counts(shop: Shop) -> Iterator[tuple]:
    for grain in shop.log.grains:
        period = _last_over(shop, grain)
        for _ in range(16):
            sums = defaultdict(lambda: [0] * 3)
            for customer in shop.customers:
                inside = customer.in_period(period)
                if inside.orders or inside.entries:
                    numbers = (1 if inside.orders else 0, len(inside.orders), inside.net)
                    bucket = _bucket(customer)
                    sums[bucket] = [one + more for one, more in zip(sums[bucket], numbers, strict=True)]
            yield from ((shop.code, grain, period.number, bucket, *numbers) for bucket, numbers in sums.items())
            period = period.before


def _age_bucket_counts(shop: Shop) -> Iterator[tuple]:
    for grain in shop.log.grains:
        sums = defaultdict(lambda: [0] * 3)
        for customer in shop.buyers:
            cohort = period = Period.of(customer.order_days[0], grain)
            for age in range(25):
                if not shop.complete(period):
                    break
                if not shop.before_history(cohort.first - ONE_DAY):
                    numbers = (1, customer.in_period(cohort).net, customer.in_period(period).net)
                    key = (age, _bucket(customer))
                    sums[key] = [one + more for one, more in zip(sums[key], numbers, strict=True)]
                period = period.next
        yield from ((shop.code, grain, *key, *numbers) for key, numbers in sums.items())


def _converted_counts(shop: Shop) -> Iterator[tuple]:
    """Yield the revenue of a market in the currency that all markets of a log have: converted, it stays as it is."""
    for grain in shop.log.grains:
        sums = defaultdict(lambda: [0, 0])
        for customer in shop.customers:
            for entry in customer.entries:
                of_period = sums[Period.of(entry.day, grain).number]
                of_period[0] += entry.is_order
                of_period[1] += entry.net
        yield from ((shop.code, grain, period, n, 0, net, net) for period, (n, net) in sums.items())


def _mover_counts(shops: list[Shop]) -> Iterator[tuple]:
    stays = defaultdict(dict)
    for shop in shops:
        for customer in shop.buyers:
            times = [entry.us for entry in customer.orders]
            stays[customer.entries[0].customer][shop.code] = (min(times), max(times))
    moved = Counter(
        tuple(min((sign * ends[end], code) for code, ends in markets.items())[1] for sign, end in ((1, 0), (-1, 1)))
        for markets in stays.values()
        if len(markets) > 1
    )
    yield from ((*pair, n) for pair, n in moved.items())


def _last_seen_counts(shop: Shop) -> Iterator[tuple]:
    for grain in shop.log.grains:
        seen = Counter()
        for customer in shop.buyers:
            first, last = (Period.of(customer.order_days[end], grain).number for end in (0, -1))
            seen[first, last - first] += 1
        yield from ((shop.code, grain, *key, n) for key, n in seen.items())


def _activity_counts(shop: Shop) -> Iterator[tuple]:
    for grain in shop.log.grains:
        for period in shop.periods(grain):
            window_begins = period.first - shop.window * ONE_DAY
            for rule, reaches_back_to in (("window", window_begins), ("period", period.before.first)):
                yield (
                    *(shop.code, grain, rule, period.number),
                    *(shop.complete(period), shop.before_history(reaches_back_to)),
                    *_sets(shop, rule, period),
                )
        for period in shop.periods(grain, since=shop.history_day) if shop.has_contracts else ():
            yield shop.code, grain, "contract", period.number, shop.complete(period), 0, *_subscribers(shop, period)


def _subscribers(shop: Shop, period: Period) -> tuple[int, ...]:
    """Return the sizes of S, E, N, R, X, L by subscriptions that run at the boundaries."""
    start, end, new = set(), set(), set()
    for who, stretches in shop.subscriptions.items():
        at_start, at_end = (
            any(began < boundary and (ended is None or ended >= boundary) for began, ended in stretches)
            for boundary in (period.first, period.next.first)
        )
        start |= {who} if at_start else set()
        end |= {who} if at_end else set()
        if at_end and period.first <= min(began for began, _ in stretches) < period.next.first:
            new.add(who)
    return len(start), len(end), len(new), len(start & end), len(end - start - new), len(start - end)


def _sets(shop: Shop, rule: str, period: Period) -> tuple[int, ...]:
    """Return the sizes of S, E, N, R, X, L."""
    start, end, new = set(), set(), set()
    for nth, customer in enumerate(shop.buyers):
        if rule == "window":
            at_start, at_end = customer.is_active_at(period.first), customer.is_active_at(period.next.first)
        else:
            at_start, at_end = (bool(customer.in_period(one).orders) for one in (period.before, period))
        start |= {nth} if at_start else set()
        end |= {nth} if at_end else set()
        if at_end and period.first <= customer.order_days[0] < period.next.first:
            new.add(nth)
    return len(start), len(end), len(new), len(start & end), len(end - start - new), len(start - end)


def _order_counts(shop: Shop) -> Iterator[tuple]:
    if shop.first_day is None:
        return
    for grain in shop.log.grains:
        for period in shop.periods(grain):
            inside = [customer.in_period(period) for customer in shop.customers]
            bounds = (_number(period.first), _number(period.next.first))
            yield shop.code, grain, period.number, shop.complete(period), *bounds, *_sums(inside)
    unseen = _number(shop.unseen_day)
    yield shop.code, "history", 0, 1, _number(shop.first_day), unseen, *_sums(shop.customers)
    last_year = [customer.within(customer.seen.year_ago_day, None) for customer in shop.customers]
    yield shop.code, "last_year", 0, 1, _number(shop.year_ago_day), unseen, *_sums(last_year)


def _sums(customers: Iterable[Customer]) -> tuple[int, ...]:
    customers = list(customers)
    gross = sum(entry.gross for customer in customers for entry in customer.entries)
    refunded = sum(entry.refunded for customer in customers for entry in customer.entries)
    return (
        sum(1 for customer in customers if customer.orders),
        sum(1 for customer in customers if len(customer.orders) >= 2),
        sum(1 for customer in customers if len(customer.order_days) >= 2),
        sum(len(customer.orders) for customer in customers),
        sum(len(customer.order_days) for customer in customers),
        *(gross, refunded, gross - refunded),
    )


def _gap_counts(shop: Shop) -> Iterator[tuple]:
    closed, still_open = Counter(), Counter()
    for customer in shop.buyers:
        days = customer.order_days
        for nth, (one, next_one) in enumerate(pairwise(days), start=1):
            closed[min(nth, 5), (next_one - one).days] += 1
        still_open[min(len(days), 5), (customer.seen.as_of_day - days[-1]).days] += 1
    for key in closed.keys() | still_open.keys():
        yield shop.code, *key, closed[key], still_open[key]


def _lifetime_counts(shop: Shop) -> Iterator[tuple]:
    ended, running = Counter(), Counter()
    for customer in shop.buyers:
        has_ended = customer.last_boundary < customer.seen.as_of_day
        last = customer.last_boundary if has_ended else customer.seen.as_of_day
        (ended if has_ended else running)["orders", (last - customer.order_days[0]).days] += 1
    for contract in shop.log.contracts:
        if contract.market in shop.observed and contract.started < shop.observed[contract.market].as_of_us:
            end = shop.observed[contract.market].as_of_us
            has_ended = contract.ended is not None and contract.ended < end
            lasted = ((contract.ended if has_ended else end) - contract.started) // DAY_US
            (ended if has_ended else running)["contract", lasted] += 1
    for key in ended.keys() | running.keys():
        yield shop.code, *key, ended[key], running[key]


def _rfm_counts(shop: Shop) -> Iterator[tuple]:
    patterns = defaultdict(list)
    for customer in shop.buyers:
        first, last = customer.order_days[0], customer.order_days[-1]
        recency, age = ((day - first).days // 7 for day in (last, customer.seen.as_of_day))
        patterns[len(customer.order_days) - 1, recency, age].append(customer)
    for pattern, customers in patterns.items():
        n_orders = sum(len(customer.orders) for customer in customers)
        yield shop.code, 7, *pattern, len(customers), n_orders, sum(customer.net for customer in customers)


def _revenue_counts(shop: Shop) -> Iterator[tuple]:
    for grain in shop.log.grains:
        for period in shop.periods(grain):
            moved = Counter()
            for customer in shop.customers:
                _move(moved, customer, period)
            names = ("opening", "expansion", "contraction", "lapsed", "reactivated", "new", "closing", "other")
            yield shop.code, grain, period.number, shop.complete(period), *(moved[name] for name in names)


def _move(moved: Counter, customer: Customer, period: Period) -> None:
    """Add where one customer's revenue of a period came from."""
    then, now = customer.in_period(period.before), customer.in_period(period)
    if then.orders:
        moved["opening"] += then.net
    if not now.orders:
        moved["other"] += now.net
        moved["lapsed"] += then.net if then.orders else 0
        return
    moved["closing"] += now.net
    if then.orders:
        moved["expansion"] += max(now.net - then.net, 0)
        moved["contraction"] += max(then.net - now.net, 0)
    elif customer.order_days[0] < period.first:
        moved["reactivated"] += now.net
    else:
        moved["new"] += now.net


def _left_out_counts(log: Log) -> Iterator[tuple]:
    reasons = Counter()
    for place in log.present:
        end = as_of_us(log.as_of, place.zone)
        for order in log.orders:
            if order.market == place.code:
                reasons[place.code, _reason(order, log, end)] += 1
    return ((*key, n) for key, n in reasons.items() if key[1])


def _reason(order: Order, log: Log, end: int) -> str:
    """Return why an order counts as nothing; nothing where it is kept."""
    if order.at >= end:
        return "at or after as_of"
    if order.cancelled:
        return "cancelled"
    if order.amount < 0 or (order.amount == 0 and log.free_orders == "left_out"):
        return "no positive amount"
    if order.amount > 0 and _refunded_by(order, end) >= order.amount:
        return "fully refunded"
    return ""


def rows_of(tables: dict) -> dict[str, Rows]:
    """Return counted tables as `expected` gives them; every column must be there, and no other."""
    found = {}
    for name, table in tables.items():
        assert set(table.columns) == set(COLUMNS[name]), name
        rows = zip(*(table[column].tolist() for column in COLUMNS[name]), strict=True)
        found[name] = sorted(rows)
    return found

"""Strategies and waits once more, slow and obvious: each customer of a market by himself, from the files alone."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from retention_kit.config import project_root

pytestmark = pytest.mark.xdist_group("sample")

SAMPLE = project_root() / "data" / "sample"
ZONES = {"NL": "Europe/Amsterdam", "JP": "Asia/Tokyo"}  # every order is in the market's own currency
MINOR = {"NL": 100, "JP": 1}
TOLD_BY = ("tickets", "surveys", "engagement")
EPOCH = datetime(1970, 1, 1).date()
DAY = timedelta(days=1)
EDGES = [0, *sorted(step * 10**n for n in range(9) for step in (1, 2, 5))]


def rows_of(table: str) -> list[dict]:
    rows = pd.read_parquet(SAMPLE / f"{table}.parquet").astype(object)
    return rows.where(rows.notna(), None).to_dict("records")


def by_customer(rows) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for row in rows:
        found[row["customer_id"]].append(row)
    return found


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, list[dict]]]:
    """Return what each customer left behind in each table."""
    return {name: by_customer(rows_of(name)) for name in ("orders", "customers", *TOLD_BY)}


@pytest.fixture(scope="module", params=list(ZONES))
def shop(request, tables):
    """Return a market, its zone, where its observation ends, and the tables."""
    zone = ZoneInfo(ZONES[request.param])
    return request.param, zone, datetime(2026, 1, 1, tzinfo=zone), tables


def net(order: dict, end: datetime):
    """Return what is left of an order after what had come back."""
    seen = order["refunded_at"] is None or order["refunded_at"] < end
    return order["amount"] - ((order["refunded_amount"] or 0) if seen else 0)


def is_kept(order: dict, end: datetime) -> bool:
    return not order["cancelled"] and order["ordered_at"] < end and net(order, end) > 0


def cells(shop) -> dict[tuple, list[int]]:
    """Return customers, those who came back, and what they then ordered, by all that the table tells of them."""
    market, zone, end, tables = shop
    engaged = min(row["occurred_at"] for rows in tables["engagement"].values() for row in rows)
    found = defaultdict(lambda: [0, 0, 0])
    for customer, orders in tables["orders"].items():
        orders = [o for o in orders if o["market"] == market and is_kept(o, end)]
        by_day = defaultdict(list)
        for order in orders:
            by_day[order["ordered_at"].astimezone(zone).date()].append(order)
        record = next((c for c in tables["customers"].get(customer, []) if c["market"] == market), {})
        days = sorted(by_day)
        for nth, start in enumerate(days[:2]):
            if end.date() - start < 90 * DAY:
                continue
            basket = sum(round(o["amount"] * MINOR[market]) for o in by_day[start])
            basket = max(edge for edge in EDGES if edge <= basket)
            back = days[nth + 1] if len(days) > nth + 1 else None
            later = sum(
                round(net(o, end) * MINOR[market])
                for day in days
                for o in by_day[day]
                if start < day <= start + 90 * DAY
            )
            told = of_second if nth else of_first
            first = min(by_day[start], key=lambda o: o["ordered_at"])
            at_first = [o for o in by_day[start] if o["ordered_at"] == first["ordered_at"]]
            args = (at_first, record, end, engaged, *(tables[t].get(customer, []) for t in TOLD_BY))
            for strategy, (landmark, value) in told(*args).items():
                if value is None or (landmark and back is not None and back - start <= landmark * DAY):
                    continue
                channel = "any" if strategy == "referral" else record.get("acquisition_channel") or "unknown"
                key = (strategy, market, (start - EPOCH).days // 30, channel, record.get("language") or "unknown")
                sums = found[*key, basket, landmark, value]
                sums[0] += 1
                sums[1] += back is not None and back - start <= 90 * DAY
                sums[2] += later
    return found


def of_second(orders, *_) -> dict:
    return {"second_coupon": (0, "coupon" if any(o["coupon"] for o in orders) else "no coupon")}


def of_first(orders, record, end, engaged, tickets, surveys, engagement) -> dict:
    """Return by strategy the landmark and what the first thirty days say."""
    first = orders[0]["ordered_at"]
    order = min(orders, key=lambda o: o["order_id"])
    month = [t for t in tickets if first <= t["opened_at"] < min(first + 30 * DAY, end) and t["kind"] != "onboarding"]
    month.sort(key=lambda t: t["opened_at"])
    early = sorted((t for t in tickets if t["opened_at"] < first + DAY), key=lambda t: t["opened_at"])
    said = [s for s in surveys if first <= s["answered_at"] < first + 30 * DAY]
    did = [e for e in engagement if first <= e["occurred_at"] < first + 30 * DAY]
    slow = [s for s in (_is_slow(t, end) for t in month) if s is not None]
    low = [s for s in said if s["question"] == "nps" and s["score"] <= 6]
    values = [s["score"] >= 4 for s in said if s["question"] == "values"]
    followed = [s["followed_up_at"] is not None and s["followed_up_at"] < first + 30 * DAY for s in low]
    recorded = first >= engaged
    late = None
    if order["delivered_at"] is not None and order["promised_at"] is not None and order["delivered_at"] < end:
        late = order["delivered_at"] > order["promised_at"]
    joined = record.get("loyalty_joined_at")
    wrote = any(e["kind"].startswith("email") and e["occurred_at"] < first + 7 * DAY for e in did)
    broken = late is True or any(slow)
    return {
        "onboarding": (0, _either(record, early and early[0]["language"] == record.get("language"), early,
                                  "own language", "other language")),
        "communication": (7, _either(recorded, wrote, True, "reached in a week", "not reached")),
        "translation": (30, _either(record, all(t["language"] == record.get("language") for t in month), month,
                                    "own language", "another language")),
        "support": (30, _either(slow, slow and not slow[0], True, "within 24 hours", "slow")),
        "loyalty": (30, _either(record, joined is not None and joined < first + 30 * DAY, True,
                                "joined within 30 days", "not joined")),
        "personalisation": (0, "campaign" if any(o["campaign"] for o in orders) else "no campaign"),
        "feedback": (30, _either(low, any(followed), True, "followed up", "not followed up")),
        "values": (30, _either(values, any(values), True, "agrees", "does not agree")),
        "referral": (0, _either(record, record.get("referred_by") is not None, True, "referred", "not referred")),
        "payment": (0, order["payment_method"]),
        "education": (30, _either(recorded, any(e["kind"] == "content_view" for e in did), True,
                                  "viewed content", "viewed nothing")),
        "delivery": (0, None if late is None else "late" if late else "on time"),
        "discount": (0, "discount" if any(o["coupon"] or o["discount_amount"] for o in orders) else "full price"),
        "consistency": (30, _either(late is not None or slow, not broken, True,
                                    "every promise kept", "a promise broken")),
    }  # fmt: skip


def _either(known, yes, also_known, one: str, other: str) -> str | None:
    return (one if yes else other) if known and also_known else None


def _is_slow(ticket: dict, end: datetime) -> bool | None:
    answered = ticket["first_response_at"]
    if answered is not None and answered < end and answered - ticket["opened_at"] <= DAY:
        return False
    return True if ticket["opened_at"] + DAY <= end else None


def test_strategies_equal_the_oracle(shop, sample_counts):
    keys = ["strategy", "market", "cohort", "acquisition_channel", "language", "basket", "landmark_days", "value"]
    rows = sample_counts.tables["strategy_counts"].query("market == @shop[0]").set_index(keys)
    counted = rows[["n_observed", "n_returned", "later_minor"]]
    assert cells(shop) == dict(zip(counted.index, counted.to_numpy().tolist(), strict=True))


def test_waits_equal_the_oracle(shop, sample_counts):
    market, _, end, tables = shop
    found = Counter()
    for order in (o for orders in tables["orders"].values() for o in orders if o["market"] == market):
        if not order["cancelled"] and order["delivered_at"] is not None and order["delivered_at"] < end:
            hours = (order["delivered_at"] - order["ordered_at"]) // timedelta(hours=1)
            found["delivery", min(hours, 1000), order["delivered_at"] <= order["promised_at"]] += 1
    homes = {customer for customer, (record,) in tables["customers"].items() if record["market"] == market}
    for ticket in (t for customer in homes for t in tables["tickets"].get(customer, [])):
        answered = ticket["first_response_at"]
        if ticket["kind"] != "onboarding" and answered is not None and answered < end:
            waited = answered - ticket["opened_at"]
            found["response", min(waited // timedelta(hours=1), 1000), waited <= DAY] += 1
    for row in sample_counts.tables["service_counts"].query("market == @market").itertuples():
        kept, late = found.pop((row.kind, row.hours, True), 0), found.pop((row.kind, row.hours, False), 0)
        assert (row.n, row.n_promised, row.n_kept) == (kept + late, kept + late, kept)
    assert not found

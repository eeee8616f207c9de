"""Uplift once more, slow and obvious: each assigned customer of the sample by himself, from the files alone."""

from collections import defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from retention_kit.config import project_root

pytestmark = pytest.mark.xdist_group("sample")

SAMPLE = project_root() / "data" / "sample"
DAY = timedelta(days=1)


def records(table: str) -> list[dict]:
    rows = pd.read_parquet(SAMPLE / f"{table}.parquet").astype(object)
    return rows.where(rows.notna(), None).to_dict("records")


@pytest.mark.parametrize(
    ("market", "zone", "minor"),
    [("NL", "Europe/Amsterdam", 100), pytest.param("JP", "Asia/Tokyo", 1, marks=pytest.mark.slow)],
)
def test_uplift_equals_the_oracle(sample_counts, market, zone, minor):
    zone = ZoneInfo(zone)
    end = datetime(2026, 1, 1, tzinfo=zone)
    homes = {row["customer_id"]: row["market"] for row in records("customers")}
    orders = defaultdict(list)
    for order in records("orders"):
        seen = order["refunded_at"] is None or order["refunded_at"] < end
        net = order["amount"] - ((order["refunded_amount"] or 0) if seen else 0)
        if order["market"] == market and not order["cancelled"] and order["ordered_at"] < end and net > 0:
            orders[order["customer_id"]].append((order["ordered_at"], round(net * minor)))
    found = defaultdict(lambda: [0, 0, 0])
    for row in records("assignments"):
        own, at = orders[row["customer_id"]], row["assigned_at"]
        if homes[row["customer_id"]] != market or at >= end:
            continue
        before = [when for when, _ in own if when <= at]
        days = min(len({when.astimezone(zone).date() for when in before}), 5)
        silent = min((at - max(before)) // (30 * DAY) * 30, 180) if before else 0
        for horizon in (30, 60, 90, 180):
            if at + horizon * DAY <= end:
                later = [net for when, net in own if at < when <= at + horizon * DAY]
                sums = found[row["experiment"], row["arm"], horizon, days, silent]
                for nth, value in enumerate((1, bool(later), sum(later))):
                    sums[nth] += value
    keys = ["experiment", "arm", "horizon_days", "order_days", "silent_days"]
    rows = sample_counts.tables["uplift_counts"].query("market == @market").set_index(keys)
    counted = rows[["n_observed", "n_returned", "revenue_minor"]]
    assert found == dict(zip(counted.index, counted.to_numpy().tolist(), strict=True))

import pandas as pd
import pytest

import retention_kit as rk


@pytest.fixture(scope="session")
def shop() -> rk.Shop:
    return rk.open("sample", as_of="2026-01-01")


@pytest.fixture(scope="session")
def denmark(shop) -> rk.Market:
    return shop.market("DK")


@pytest.fixture(scope="session")
def thirty_lines() -> pd.DataFrame:
    """Orders of a shop as its owner has them in a notebook: own names of columns, times without a zone."""
    rows = [
        (f"o{nth}-{month}", f"c{nth}", pd.Timestamp(2025, month, 1 + nth % 27, 12), 100.0 + nth)
        for nth in range(30)
        for month in range(1 + (nth % 3 if nth < 26 else 3), 13, 1 + nth % 4)
    ]
    return pd.DataFrame(rows, columns=["id", "client", "when", "total"])


@pytest.fixture(scope="session")
def own(thirty_lines) -> rk.Market:
    columns = {"order_id": "id", "customer_id": "client", "ordered_at": "when", "amount": "total"}
    shop = rk.open(
        thirty_lines, as_of="2026-01-01", columns=columns, market="SE", currency="SEK", time_zone="Europe/Stockholm"
    )
    return shop.market("SE")

"""Somebody takes all that a run has published, pages, figures, files, and tries to have the hidden numbers back."""

import base64
import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import company
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from retention_kit import counts, ingest, metrics
from retention_kit.cli import main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("hidden_back"),
]  # reports are made once, not once by each worker

MIN_CELL = 10
FACTS = {"as_of": company.AS_OF, "grain": "month", "base_grain": "quarter"}
FEW = {
    "few": (4, ["2024-03-03", "2024-04-04", "2024-10-10"]),
    "august": (7, ["2023-08-03"]),  # all that was ordered in a month of 2023
    "autumn": (33, ["2023-09-10", "2023-10-11", "2024-10-12"]),
}
"""A cohort of four, and a month of seven customers beside larger ones of its quarter."""
NETHERLANDS = {
    "many": (40, ["2023-09-01", "2024-04-02", "2024-06-04"]),
    "may": (5, ["2023-09-02", "2024-05-10", "2024-06-05"]),  # nobody else orders in May
    "late": (30, ["2023-09-03", "2024-09-02"]),
}
KEYS = {"cohort", "age", "period", "rule", "cut", "value", "horizon_days", "question", "definition", "kind", "nth"}
KEYS |= {
    "window_days",
    "first_day",
    "last_day",
    "market",
    "to_market",
    "metric",
    "complete",
    "left_truncated",
    "hidden",
}
ADDED_UP = ("n_customers", "n_orders", "n_new", "n_observed", "n_returned", "revenue", "closing", "new")
"""Columns whose rows add up to something that may be told elsewhere."""


def rows_of_company() -> list[str]:
    rows = company.orders(company.DENMARK | FEW, amount="977.31")
    rows += company.orders(NETHERLANDS, market="NL", amount="31.17")
    rows += company.orders({"always": (7, company.MONTHLY)}, market="JP", amount="977")
    # four customers of the Netherlands order in Denmark too, and thirteen the other way
    movers = [(f"NL-many-{i}", "DK", f"2024-12-{i + 16:02d}") for i in range(4)]
    movers += [(f"DK-always-{i}", "NL", f"2024-12-{i + 16:02d}") for i in range(13)]
    return rows + [
        f"{market}-moved-{who},{who},{market},{day}T12:00:00Z,55.5,{company.CURRENCIES[market]}"
        for who, market, day in movers
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return company.write(tmp_path_factory.mktemp("company") / "shop", rows_of_company())


@pytest.fixture(scope="module")
def out(data, tmp_path_factory) -> Path:
    """Return the folder of a run's pages and files."""
    folder = tmp_path_factory.mktemp("out")
    asked = ["report", "--data", str(data), "--as-of", company.AS_OF, "--out", str(folder), "--workers", "1", "--quiet"]
    result = CliRunner().invoke(main, asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def twins(out) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text("utf-8")) for path in out.glob("*.json") if path.stem != "run"}


@pytest.fixture(scope="module")
def truth(data) -> dict[str, dict[str, pd.DataFrame]]:
    """Return the same tables with nothing hidden: what the attacker must not learn."""
    counted = counts.count(ingest.source(str(data)), as_of=company.AS_OF, grains=["month", "quarter"])
    found = {}
    for code in counted.markets:
        here = counted.of(code)
        found[code] = dict(metrics.market_sheet(here.tables, market=here.market, min_cell=1, **FACTS).tables)
    money = counted.group_money
    group = metrics.group_sheet(counted.tables, markets=counted.of_group(), money=money, min_cell=1, **FACTS)
    return found | {"ALL": dict(group.tables)}


def texts(folder: Path) -> Iterator[str]:
    """Yield all that was published, tables behind links too."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".html", ".json", ".csv") and ".project" not in path.parts:
            text = path.read_text("utf-8")
            linked = re.findall(r"data:text/csv[^,]*;base64,([A-Za-z0-9+/=]+)", text)
            yield from (base64.b64decode(one).decode("utf-8") for one in linked)
            yield re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)


def numbers_in(text: str) -> set[float]:
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", re.sub(r"<[^>]*>", " ", text))
    return {round(float(found), 2) for found in re.findall(r"\d+(?:\.\d+)?", plain)}


@pytest.fixture(scope="module")
def told(out) -> set[float]:
    return set().union(*(numbers_in(text) for text in texts(out)))


def unlike(published: list[dict], true: pd.DataFrame) -> pd.DataFrame:
    """Return the true rows with `secret`: whether the published table keeps the row's numbers to itself."""
    keys = [column for column in true if column in KEYS - {"hidden", "complete", "left_truncated", "kind"}]
    open_rows = {tuple(str(row[k]) for k in keys) for row in published if not row.get("hidden")}
    secret = [tuple(str(v) for v in row) not in open_rows for row in true[keys].itertuples(index=False, name=None)]
    return true.assign(secret=secret)


def leaks(published: list[dict], true: pd.DataFrame, told: set[float]) -> Iterator[str]:
    """Yield each way by which a total that is told, less the rows that are shown, tells of a few customers.

    The rows of each choice of keys are a group: of a cut, of a period's quarter, of a year, of all history.
    """
    rows = unlike(published, true)
    keys = [column for column in rows if column in ("rule", "cut", "horizon_days", "cohort", "age", "part", "year")]
    size = next((c for c in ("n_customers", "n_start", "n_observed", "n", "n_now") if c in rows), None)
    if size is None or not rows["secret"].any():
        return
    for n_keys in range(len(keys) + 1):
        for chosen in combinations(keys, n_keys):
            groups = rows.groupby(list(chosen)) if chosen else [("all", rows)]
            for name, group in groups:
                secret = group[group["secret"] & (group[size] > 0)]
                few = len(secret) == 1 or secret[size].sum() < MIN_CELL
                if secret.empty or not few or len(group) == len(secret):
                    continue
                for column in [c for c in ADDED_UP if c in group]:
                    total, hidden = round(float(group[column].sum()), 2), float(secret[column].sum())
                    if total in told and hidden > 0 and total > 200:  # below, numbers meet by chance
                        yield f"{column} of {chosen} {name}: {total} is told, and {hidden} follows"


def in_parts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the quarter and the year that a month lies in."""
    if "period" not in table or not table["period"].astype(str).str.fullmatch(r"\d{4}-\d{2}").all():
        return table
    month = pd.PeriodIndex(table["period"], freq="M")
    return table.assign(part=month.to_timestamp().to_period("Q").astype(str), year=month.year)


def test_no_total_less_the_rows_that_are_shown_gives_a_hidden_row(twins, truth, told):
    found = [
        f"{code}, {name}: {leak}"
        for code, tables in truth.items()
        for name, true in tables.items()
        for leak in leaks(twins[code]["tables"].get(name, []) if code in twins else [], in_parts(true), told)
        if len(true) and name not in ("survival", "windows", "brackets", "sensitivity", "next_order")  # nested
    ]
    assert found == []


def test_something_is_hidden_to_be_sought(twins, truth):
    kept = {
        (code, name)
        for code, tables in truth.items()
        for name, true in tables.items()
        if code in twins and unlike(twins[code]["tables"].get(name, []), true)["secret"].any()
    }
    assert {("DK", "orders"), ("DK", "cohort_retention"), ("ALL", "movers"), ("ALL", "customers")} <= kept


def test_no_amount_of_a_hidden_row_is_told_anywhere(twins, truth, told):
    """Amounts are the company's finger prints: those of hidden rows, which no shown row has, are in no text."""
    secret, shown = set(), set()
    for code, tables in truth.items():
        for name in ("orders", "revenue_bridge", "revenue_change"):
            if name in tables and code != "JP":
                rows = unlike(twins[code]["tables"].get(name, []), tables[name])
                amounts = rows.select_dtypes("float64").drop(columns=["hidden"], errors="ignore")
                for chosen, into in ((rows["secret"], secret), (~rows["secret"], shown)):
                    into |= {round(float(v), 2) for v in amounts[chosen].to_numpy().ravel() if v > 900}
    assert len(secret) >= 4
    assert not (secret - shown) & told


def test_chains_of_periods_tell_no_closing_of_a_hidden_one(twins, truth):
    """The opening of a period is the closing of the one before."""
    for code in ("DK", "NL"):
        bridge = unlike(twins[code]["tables"]["revenue_bridge"], truth[code]["revenue_bridge"])
        orders = in_parts(unlike(twins[code]["tables"]["orders"], truth[code]["orders"]))
        for nth, row in enumerate(bridge.itertuples()):
            opened = nth + 1 < len(bridge) and not bridge["secret"].iloc[nth + 1]
            months = orders[(orders["part"] == row.period.replace("-", "")) & (orders["n_customers"] > 0)]
            hidden = months[months["secret"]]
            few = len(hidden) == 1 or 0 < hidden["n_customers"].sum() < MIN_CELL
            assert not (few and (opened or not row.secret)), f"{code} {row.period}"


def test_the_markets_less_the_group_tell_of_no_few_movers(twins):
    """Customers of the markets, less those of the group, are the movers: of all pairs, less those that are told."""
    group = twins["ALL"]
    told = {row["market"]: row["n_customers"] for row in group["tables"]["customers"]}
    pairs = [row["n_customers"] for row in group["tables"]["movers"]]
    assert all(n >= MIN_CELL for n in pairs)
    if "ALL" in told:
        rest = sum(n for code, n in told.items() if code != "ALL") - told["ALL"] - sum(pairs)
        assert rest == 0 or rest >= MIN_CELL


def test_the_back_test_less_the_customers_of_now_tells_of_no_few_newcomers(twins):
    for code, twin in twins.items():
        for ahead in [twin["ahead"]] if code != "ALL" else twin["ahead"].values():
            test = ahead["back_test"]
            history = {row["id"]: row["value"] for row in twin["headlines"]}.get("customers")
            newcomers = None if test is None or history is None else history - test["n_customers"]
            assert newcomers is None or newcomers == 0 or newcomers >= MIN_CELL


def test_a_rate_with_its_n_tells_no_small_group_of_another_row():
    """The search itself: a table that hides one row of a total that is told is found out."""
    true = pd.DataFrame(
        {"period": ["2024-01", "2024-02", "2024-03"], "n_customers": [50, 4, 60], "revenue": [500.5, 40.4, 600.6]}
    )
    published = [{"period": p, "hidden": p == "2024-02"} for p in true["period"]]
    total = round(float(np.sum([500.5, 40.4, 600.6])), 2)
    assert list(leaks(published, in_parts(true), {total}))
    assert not list(leaks(published, in_parts(true), {1.0}))

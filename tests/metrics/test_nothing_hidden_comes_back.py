"""Somebody tries to have the hidden numbers back: by sums, complements, other tables, other markets' files, figures."""

import json
import re
from itertools import pairwise

import company
import numpy as np
import pandas as pd
import pytest

from retention_kit import counts, ingest, metrics
from retention_kit.metrics.group import group_sheet
from retention_kit.periods import label
from retention_kit.present import figures, sentences, tables, twin

FEW = {"few": (4, ["2024-03-03", "2024-04-04", "2024-10-10"])}
JAPAN = {"always": (7, company.MONTHLY)}
FACTS = {"as_of": company.AS_OF, "grain": "month", "base_grain": "quarter", "min_cell": 10}


@pytest.fixture(scope="module")
def counted(tmp_path_factory) -> counts.Counted:
    """Return Denmark with a cohort of four, the Netherlands, and Japan, which has seven customers."""
    rows = company.orders(company.DENMARK | FEW) + company.orders(company.DENMARK, market="NL")
    rows += company.orders(JAPAN, market="JP", amount="977")
    source = ingest.source(str(company.write(tmp_path_factory.mktemp("three"), rows)))
    return counts.count(source, as_of=company.AS_OF, grains=["month", "quarter"])


@pytest.fixture(scope="module")
def sheets(counted) -> dict[str, metrics.Sheet]:
    asked = {name: FACTS[name] for name in ("grain", "base_grain", "min_cell")}
    compared = counted.kept(metrics.market_comparison, markets=list(counted.markets), **asked)["compared"]
    return {
        code: metrics.market_sheet(here.tables, market=here.market, compared=compared, **FACTS)
        for code in counted.markets
        for here in [counted.of(code)]
    }


@pytest.fixture(scope="module")
def published(counted, sheets) -> dict[str, str]:
    """Return all that the run publishes: the files of numbers, the texts of tables, sentences and figures."""
    group = group_sheet(counted.tables, markets=counted.of_group(), money=counted.group_money, **FACTS)
    facts = {"data": "x", "data_fingerprint": "", "findings": []}
    files = {code: twin.to_json(twin.twin(sheet, **facts)) for code, sheet in sheets.items()}
    files["ALL"] = twin.to_json(twin.group_twin(group, **facts))
    for code, sheet in sheets.items():
        market = sheet.market
        shown = [figures.cohort_heatmap(sheet.tables["cohort_retention"], market=market, grain="month"),
                 figures.orders_trend(sheet.tables["orders"], market=market),
                 figures.retention_trend(sheet.tables["active_base"], market=market),
                 figures.survival_curve(sheet.tables["survival"], market=market),
                 figures.retention_windows(sheet.tables["windows"], market=market, own_window=None),
                 figures.year_on_year(sheet.tables["year_on_year"], market=market, grain="month")]  # fmt: skip
        files[f"{code}, figures"] = "".join(figures.svg(figure) for figure in shown)
        told = [tables.active_base, tables.second_order, tables.next_order, tables.brackets, tables.sensitivity,
                tables.revenue_bridge, tables.revenue_change, tables.definition_ledger, tables.cards]  # fmt: skip
        files[f"{code}, tables"] = "\n".join(show(sheet).text for show in told)
        files[f"{code}, sentences"] = "\n".join(sentences.sentences(sheet))
    metric = {"metric": "customer_retention_rate", "title": "Kept"}
    files["ALL, figures"] = figures.svg(figures.markets_compared(group.tables["compared"], names=group.names, **metric))
    files["ALL, figures"] += figures.svg(figures.funnel(group.tables["compared"], names=group.names, **metric))
    return files


def test_a_market_of_seven_is_nowhere_but_by_its_name(published):
    n_orders, revenue = 7 * 12, 7 * 12 * 977
    for name, text in published.items():
        if name.startswith("JP"):
            numbers = json.loads(text)["headlines"] if name == "JP" else []
            assert all(row["value"] is None and row["n"] is None for row in numbers)
            assert not re.search(rf"\b{n_orders}\b|{revenue}|{revenue:,}", re.sub(r"<[^>]*>", " ", text)), name
        elif name.startswith("ALL"):
            assert '"JP"' not in text
            assert "Japan" not in text or '"hidden_markets"' in text


def test_no_sum_over_markets_holds_the_hidden_one(published, sheets):
    group = json.loads(published["ALL"])
    assert group["headlines"] == []
    shown = {code: sheets[code].headlines["customers"].value for code in ("DK", "NL")}
    told = {row["market"]: row["n_customers"] for row in group["tables"]["customers"]}
    assert told == shown  # and no total to take them from
    compared = {row["metric"]: row for row in json.loads(published["DK"])["tables"]["compared"]}
    for metric, row in compared.items():
        [other] = [r for r in group["tables"]["compared"] if r["metric"] == metric and r["market"] == "NL"]
        assert row["others"] == other["share"]  # the others of Denmark are the Netherlands alone


def equations(sheet: metrics.Sheet, cells: pd.DataFrame) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return, for each published total of cohorts' cells, which of the hidden cells it holds."""
    known = sheet.tables["cohort_retention"]
    open_cells = set(known.loc[~known["hidden"], ["cohort", "age"]].itertuples(index=False, name=None))
    secret = [(c, a) for c, a in cells[["cohort", "age"]].itertuples(index=False, name=None)
              if (label(c, grain="month"), a) not in open_cells]  # fmt: skip
    sums = [[a == 0 for _, a in secret]]  # all customers: everybody at age 0
    orders = sheet.tables["orders"].query("not hidden")
    sums += [[label(c + a, grain="month") == period for c, a in secret] for period in orders["period"]]
    base = sheet.tables["active_base"].query("not hidden and rule == 'period'")
    for quarter in base["period"]:
        inside = [a == 0 and f"{c // 12}-Q{c % 12 // 3 + 1}" == quarter for c, a in secret]
        sums.append(inside)
    return np.array(sums, dtype=float).reshape(len(sums), len(secret)), secret


@pytest.mark.parametrize("market", ["DK", "NL", "JP"])
def test_no_hidden_cell_of_a_cohort_follows_from_the_totals_that_are_shown(counted, sheets, market):
    cells = counted.of(market).cohort_counts.query("grain == 'month' and complete == 1")
    sums, secret = equations(sheets[market], cells)
    assert bool(secret) == (market != "NL")
    if market == "JP":  # all of Japan's numbers are hidden: there is no total of all customers
        sums = sums[1:]
    rank = np.linalg.matrix_rank(sums) if len(sums) else 0
    for nth, cell in enumerate(secret):
        only_this = np.zeros((1, len(secret)))
        only_this[0, nth] = 1
        follows = len(sums) > 0 and np.linalg.matrix_rank(np.vstack([sums, only_this])) == rank
        assert not follows, f"{label(cell[0], grain='month')} at age {cell[1]}"


def test_the_small_cohort_is_hidden_together_with_enough_others(counted, sheets):
    known = sheets["DK"].tables["cohort_retention"].query("age == 0")
    assert known.loc[known["cohort"] == "2024-03", "hidden"].all()
    together = sheets["DK"].headlines["customers"].value - known["n"].sum()
    assert together >= 10
    sizes = counted.of("DK").cohort_counts.query("grain == 'month' and age == 0").set_index("cohort")["n_active"]
    assert sizes[2024 * 12 + 2] == 4


@pytest.mark.parametrize("name", ["brackets", "windows", "sensitivity"])
def test_no_two_shown_rows_of_a_nested_table_differ_by_a_few(sheets, name):
    column = {"brackets": "n_observed", "windows": "n_start"}.get(name, "n")
    for sheet in sheets.values():
        rows = sheet.tables[name]
        nested = [rows]
        if name == "sensitivity":  # windows hold each other, and days of age do; calendar months are another thing
            texts = rows["definition"].map(str)
            nested = [rows[texts.str.contains("before")], rows[texts.str.startswith("on day")]]
        for of in nested:
            sizes = sorted(set(of[column].dropna()))
            assert all(b - a >= 10 for a, b in pairwise(sizes))
            assert all(size == 0 or size >= 10 for size in sizes)


def test_where_newcomers_are_few_the_rate_of_the_others_is_told(tmp_path):
    # nine newcomers in the last quarter, all of one month; nobody came back, so the base at the end is hidden too
    few = {"always": (30, ["2023-12-15", *company.MONTHLY]), "new": (9, ["2024-11-05"])}
    sheet = company.sheet(tmp_path, few)
    last = sheet.tables["active_base"].query("period == '2024-Q4' and rule == 'window'").iloc[0]
    assert last[["n_start", "n_retained", "n_lapsed"]].tolist() == [30, 30, 0]
    assert pd.isna(last["n_new"])
    assert last[["n_end", "n_reactivated"]].isna().any()
    told = {name: sheet.headlines[name] for name in ("customer_retention_rate", "churn_rate", "active_customers")}
    assert [(one.value, one.n) for one in told.values()] == [(1, 30), (0, 30), (None, None)]
    assert told["active_customers"].note == "hidden: it would tell of fewer than 10 customers"

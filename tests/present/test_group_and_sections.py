"""What a reader sees of all markets together, and the sections of a market's report that came with it."""

import json
import re
from dataclasses import replace
from html import unescape

import company
import pandas as pd
import pytest

from retention_kit import metrics
from retention_kit.metrics.changes import NO_CHANGE, Reading
from retention_kit.metrics.group import GroupSheet
from retention_kit.present import blocks, figures, sentences, tables, twin
from retention_kit.table import Table

FACTS = {"as_of": "2026-01-01", "grain": "month", "base_grain": "quarter", "min_cell": 10}
ASKED = {"metric": "customer_retention_rate", "title": "Customers who stayed"}


def cells(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", html))


@pytest.fixture(scope="module")
def group(sample_counts) -> GroupSheet:
    return metrics.group_sheet(
        sample_counts.tables, markets=sample_counts.of_group(), money=sample_counts.group_money, **FACTS
    )


@pytest.fixture(scope="module")
def romania(sample_counts) -> metrics.Sheet:
    here = sample_counts.of("RO")
    asked = {name: FACTS[name] for name in ("grain", "base_grain", "min_cell")}
    known = sample_counts.kept(metrics.market_comparison, markets=list(sample_counts.markets), **asked)
    return metrics.market_sheet(here.tables, market=here.market, **known, refund_policy="order", **FACTS)


OF_GROUP = [
    lambda sheet: tables.markets_compared(sheet, metric="customer_retention_rate"),
    tables.what_changed,
    tables.mix_and_rate,
    tables.movers,
    tables.group_revenue,
    lambda sheet: twin.publish_group(sheet, data="x", data_fingerprint="", findings=[]),
]
OF_MARKET = [
    tables.brackets,
    tables.next_order,
    tables.sensitivity,
    tables.compared_with_others,
    tables.revenue_bridge,
    tables.revenue_change,
]


def is_clean(shown: Table | blocks.Block) -> bool:
    html = shown.html
    return not re.search(r"<script|<style| style=|http", html) and not re.search(r"\b(nan|None|NaT)\b", cells(html))


@pytest.mark.parametrize("show", OF_GROUP)
def test_every_table_of_the_group_is_clean_and_escapes_names(show, group):
    assert is_clean(show(group))
    awkward = replace(group, names=dict.fromkeys(group.names, "<script>alert(1)</script>"))
    assert "<script" not in show(awkward).html


@pytest.mark.parametrize("show", OF_MARKET)
def test_every_new_table_of_a_market_is_clean_and_short(show, romania):
    shown = show(romania)
    assert is_clean(shown)
    assert len(shown.text.splitlines()) <= 19


@pytest.mark.parametrize("show", OF_MARKET)
def test_a_market_too_small_to_show_has_tables_without_numbers_of_it(show, tmp_path):
    small = company.sheet(tmp_path, {"always": (5, company.MONTHLY)})
    assert is_clean(show(small))
    assert not re.search(r"\b\d+(\.\d+)?%", show(small).text.replace("95% interval", "").replace("95% of draws", ""))


def test_the_group_of_several_currencies_without_one_of_its_own_says_so(group):
    poor = replace(group, tables={name: table for name, table in group.tables.items() if name != "revenue"})
    assert "No currency of the group" in tables.group_revenue(poor).text
    assert not [told for told in sentences.group_sentences(poor) if "exchange" in told]


def test_the_group_in_short_tells_of_what_is_more_than_chance(group):
    told = sentences.group_sentences(group)
    assert told[0].startswith("39,791 customers have ordered in 8 markets; ")
    assert "Denmark" not in told[1]  # its rate lies where chance may have put it
    assert "Romania: retention fell among all cohorts in 2025-03: 0.47 times what was to be expected" in told[3]
    assert told[4].startswith("Brazil: retention fell among customers new since 2025-01")
    assert "at constant exchange rates" in told[-1]


def test_where_no_market_differs_it_is_said(group):
    alike = group.tables["compared"].assign(p_holm=1.0)
    told = sentences.group_sentences(replace(group, tables={**group.tables, "compared": alike}))
    assert "No market differs from the others by more than chance" in told[1]


def test_a_market_says_where_retention_changed_and_how_it_compares(romania):
    told = sentences.sentences(romania)
    assert "points less than in all other markets together" in told[1]
    assert [sentence for sentence in told if "retention fell among all cohorts in 2025-03, and not before" in sentence]


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (Reading("cohorts", 2025 * 12, 0.6, 0.5, 0.7, 0.01, 9), "fell among customers new since 2025-01, and not"),
        (Reading("age", 3, 1.4, 1.2, 1.6, 0.01, 9), "rose among all cohorts at age 3, counted in months"),
        (NO_CHANGE, ""),
    ],
)
def test_each_kind_of_change_has_its_sentence(romania, reading, words):
    assert words in sentences.what_changed(replace(romania, reading=reading))
    assert bool(sentences.what_changed(replace(romania, reading=reading))) == bool(words)


def test_figures_of_all_markets_tell_their_numbers(group, house_style):
    compared = group.tables["compared"]
    told = figures.alt_text(figures.markets_compared(compared, names=group.names, **ASKED))
    assert told.startswith("Customers who stayed, by market: Netherlands 66.4% (64.1% to 68.6%, n 1,695; rank 1 to 2)")
    told = figures.alt_text(figures.funnel(compared, names=group.names, **ASKED))
    assert told.endswith("Outside what chance allows in 99.8%: Brazil, Netherlands.")
    nothing = figures.funnel(compared.head(0), names={}, **ASKED)
    assert figures.alt_text(nothing).startswith("All markets. Customers who stayed: nothing to show")


def test_figures_of_a_market_tell_their_numbers_and_nothing_where_there_is_nothing(romania, house_style):
    market, shown = romania.market, romania.tables
    own = romania.headlines["activity_window"].value
    told = figures.alt_text(figures.retention_windows(shown["windows"], market=market, own_window=own))
    assert told.endswith("In use: 90 days. Its own gaps between orders give a window of 124 days.")
    told = figures.alt_text(figures.survival_curve(shown["survival"], market=market))
    assert told.startswith("Survival of the customers of Romania, n 2,216: longer than 0 days 100.0%")
    told = figures.alt_text(figures.year_on_year(shown["year_on_year"], market=market, grain="month"))
    assert told.startswith("Retention of Romania over that of a year before, at ages 1, 2, 3, …: 2024-12: ")
    empty = [figures.survival_curve(shown["survival"].head(0), market=market),
             figures.year_on_year(shown["year_on_year"].head(0), market=market, grain="month"),
             figures.retention_windows(shown["windows"].head(0), market=market, own_window=None)]  # fmt: skip
    assert all("nothing to show" in figures.alt_text(figure) for figure in empty)


def test_a_fold_is_closed_in_a_page_and_open_in_text(romania):
    shown = blocks.folded(tables.brackets(romania), summary="a < b")
    assert shown.html.startswith("<details><summary>a &lt; b</summary>")
    assert shown.text == tables.brackets(romania).text


def test_the_ledger_says_when_a_refund_counts_and_who_is_active(romania):
    assert "A refund lowers the order it belongs to. Active: a kept order in the 90 days before." in (
        tables.definition_ledger(romania).text
    )


def test_the_group_s_twin_is_strict_json_with_its_tables(group, tmp_path):
    file = tmp_path / "ALL.json"
    twin.publish_group(group, data="sample", data_fingerprint="f", findings=[], to=str(file))
    found = json.loads(file.read_text(encoding="utf-8"))
    assert (found["market"], found["currency"], found["hidden_markets"]) == ("ALL", "EUR", [])
    assert set(found["tables"]) == set(group.tables)
    customers = {row["id"]: row["value"] for row in found["headlines"]}
    assert customers["customers"] == 39_791
    read = pd.DataFrame(found["tables"]["compared"])
    assert read["p_holm"].tolist() == pytest.approx(group.tables["compared"]["p_holm"].tolist())


def test_a_market_s_twin_says_where_retention_changed(romania):
    found = twin.twin(romania, data="x", data_fingerprint="", findings=[])
    assert (found["changed"]["kind"], found["changed"]["at"]) == ("period", "2025-03")
    assert json.loads(twin.to_json(found)) == found


def test_the_lead_of_all_markets_names_those_that_changed_beyond_chance(group):
    changes, readings = group.tables["changes"], group.tables["readings"]
    calm = {"changes": changes.assign(alarm=False), "readings": readings.assign(kind="none")}
    in_romania = changes.assign(alarm=changes["market"] == "RO")
    in_brazil = readings.assign(kind=["age" if code == "BR" else "none" for code in readings["market"]])
    assert sentences.group_lead(replace(group, tables={**group.tables, **calm})) == (
        "In no market did retention change beyond chance against the year before."
    )
    changed = {"changes": in_romania, "readings": in_brazil}
    assert sentences.group_lead(replace(group, tables={**group.tables, **changed})) == (
        "Against the year before retention changed beyond chance in Romania and Brazil."
    )

import re
from dataclasses import replace
from html import unescape

import pandas as pd
import pytest

from retention_kit.metrics import METRICS
from retention_kit.present import headlines, tables, twin

FINDINGS = [{"table": "orders", "text": '<script>alert(2)</script> "quoted" $5$'}]


def cells(html: str) -> str:
    """Return the text of a table's page, as a reader sees it."""
    return unescape(re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize(
    "shown",
    [
        tables.cards,
        tables.definition_ledger,
        tables.active_base,
        tables.second_order,
        lambda sheet: tables.compared([sheet, sheet], headline="customer_retention_rate"),
        lambda sheet: twin.publish(sheet, data=sheet.market.name, data_fingerprint="", findings=[]),
        lambda sheet: tables.data_quality(FINDINGS, pd.DataFrame({"reason": [sheet.market.name], "n_orders": [3]})),
    ],
    ids=["cards", "definition_ledger", "active_base", "second_order", "compared", "publish", "data_quality"],
)
class TestTable:
    def test_escapes_every_name(self, shown, awkward_sheet, awkward):
        html = shown(awkward_sheet).html
        assert "<script" not in html
        assert not re.search(r"<[^>]*onload=", html)
        assert awkward not in repr(shown(awkward_sheet)) or awkward in cells(html)

    def test_is_the_same_each_time_in_a_page_and_as_text(self, shown, denmark):
        assert shown(denmark).html == shown(denmark).html
        assert shown(denmark)._repr_html_() == shown(denmark)._repr_html_()
        assert repr(shown(denmark)) == shown(denmark).text

    def test_brings_no_style_no_script_and_no_address(self, shown, denmark):
        html = shown(denmark).html
        assert "<style" not in html
        assert "<script" not in html
        assert "http" not in html
        assert " style=" not in html

    def test_never_shows_nan_or_none(self, shown, denmark):
        assert not re.search(r"\b(nan|None|NaT)\b", cells(shown(denmark).html))


def test_cards_show_the_headlines_with_interval_and_n(denmark):
    told = repr(tables.cards(denmark)).splitlines()
    rate = denmark.headlines["customer_retention_rate"]
    assert told[0] == f"Customer retention rate: {headlines.shown(rate)} ({headlines.interval(rate)}; n {rate.n:,})"
    assert len(told) == 6


def test_the_ledger_holds_every_headline_with_its_definition(denmark):
    text = cells(tables.definition_ledger(denmark).html)
    for headline in denmark.headlines.values():
        assert headline.label in text
        assert headline.definition in text
        assert headlines.shown(headline) in text


def test_a_hidden_row_says_that_it_is_hidden(denmark):
    cells = denmark.hidden["active_base"].copy()
    cells.loc[cells.index[-1], cells.columns.difference(["rule", "period", "left_truncated"])] = True
    hidden = replace(denmark, hidden={**denmark.hidden, "active_base": cells})
    base = denmark.tables["active_base"]
    last = repr(tables.active_base(hidden, rule=base["rule"].iloc[-1])).splitlines()[-1].split()
    assert last[1:] == ["hidden"] * 7


def test_nothing_found_is_said(denmark):
    shown = tables.data_quality([], pd.DataFrame({"reason": [], "n_orders": []}))
    assert "nothing was refused, and every order counts" in shown.html


def test_the_glossary_defines_each_metric_that_is_a_column_of_the_files(denmark):
    told = cells(tables.glossary(denmark).html)
    for name in ("pooled_retention", "customer_retention_rate", "returned_share", "average_order_value"):
        assert name in told
        assert METRICS[name].definition in told
        assert METRICS[name].unit in told
    assert "win_back" not in told

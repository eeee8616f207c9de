from dataclasses import replace
from html import escape

import company
import pandas as pd
import pytest

from retention_kit.metrics.changes import NO_CHANGE
from retention_kit.present import headlines
from retention_kit.present.sentences import in_short, lead, sentences


def base(sheet, **last) -> pd.DataFrame:
    """Return the sheet's active base with other numbers in the last quarter of the window rule."""
    table = sheet.tables["active_base"].copy()
    table.loc[table.query("rule == 'window'").index[-1], list(last)] = list(last.values())
    return table


def changed(sheet, **last):
    return replace(sheet, tables={**sheet.tables, "active_base": base(sheet, **last)})


def a_year_before(told: list[str]) -> list[str]:
    return [sentence for sentence in told if "a year before" in sentence]


def test_the_sentences_of_named_characters(tmp_path):
    markets = company.declared(DK={"lifespan": '{ value = 2, unit = "year" }'})
    folder = company.write(tmp_path, company.orders(company.DENMARK), markets=markets)
    sheet = company.sheets(folder, "DK")[0]
    so_far, worth = (headlines.shown(sheet.headlines[name]) for name in ("revenue_per_customer", "clv_simple"))
    # S = 32, R = 20, E = 45; of 57 customers, those observed 90 days: all but the 15 new ones: 20 of 42 came back
    assert sentences(sheet) == [
        "Denmark: of the 32 customers who were active on 1 October 2024, 20 were still active on 1 January 2025: "
        "a retention rate of 62.5% (95% interval 45.3% to 77.1%).",
        "In 2024-Q4 the active base grew by 13 to 45: of those active at its end 15 were new and 10 had come back "
        "after a pause; 12 of those active at its start were no longer.",
        "After their first order, 47.6% came back on another day within 90 days (33.4% to 62.3%; 42 customers observed "
        "that long).",
        "Who ordered in the last year did so 5.04 times on average; an order is worth DKK\u00a0100.00, and a customer "
        f"has brought {so_far} in net revenue so far. The simple formula makes a customer worth {worth} of revenue "
        "over his lifespan.",
    ]


def test_the_same_sheet_gives_the_same_sentences(denmark):
    assert sentences(denmark) == sentences(denmark)


def test_a_market_without_a_rate_says_so_and_speaks_of_no_change(tmp_path):
    told = sentences(company.sheet(tmp_path, {"new": (15, ["2024-12-05"])}))
    assert told[0] == "Denmark: no retention rate (nobody to take a share of)."
    assert told[1] == (
        "In 2024-Q4 the active base grew by 15 to 15: of those active at its end 15 were new and 0 had come back "
        "after a pause; 0 of those active at its start were no longer."
    )
    assert len(told) == 2


def test_a_market_too_small_to_show_says_only_that(tmp_path):
    few = {"always": (5, ["2023-12-15", *company.MONTHLY])}
    assert sentences(company.sheet(tmp_path, few)) == ["Denmark: no retention rate (hidden: fewer than 10 customers)."]


def test_a_difference_that_may_be_chance_is_not_spoken_of(denmark):
    then = base(denmark).query("rule == 'window'").iloc[-5]
    same = changed(denmark, n_start=then["n_start"], n_retained=then["n_retained"] + 1)
    assert a_year_before(sentences(same)) == []


def test_a_difference_beyond_chance_is_told_with_its_interval(denmark):
    then = base(denmark).query("rule == 'window'").iloc[-5]
    share = then["n_retained"] / then["n_start"]
    [less] = a_year_before(sentences(changed(denmark, n_start=1000, n_retained=100)))
    assert less.startswith(f"That is {(share - 0.1) * 100:.1f} points less than a year before, in 2024-Q4 (")
    assert less.endswith(" points).")
    [more] = a_year_before(sentences(changed(denmark, n_start=1000, n_retained=990)))
    assert more.startswith(f"That is {(0.99 - share) * 100:.1f} points more than a year before, in 2024-Q4 (")


@pytest.mark.parametrize("row", [-1, -5])
def test_a_hidden_quarter_is_compared_with_nothing(denmark, row):
    far = changed(denmark, n_start=1000, n_retained=100)
    table = far.tables["active_base"].copy()
    at = table.query("rule == 'window'").index[row]
    table.loc[at, ["n_start", "n_retained", "customer_retention_rate"]] = float("nan")
    table.loc[at, "hidden"] = True
    told = sentences(replace(far, tables={**far.tables, "active_base": table}))
    assert a_year_before(told) == []
    assert not any("–" in sentence or "nan" in sentence for sentence in told)


def test_a_quarter_that_begins_with_nobody_is_compared_with_nothing(denmark):
    assert a_year_before(sentences(changed(denmark, n_start=0, n_retained=0))) == []


def test_a_base_that_reaches_back_before_the_data_is_compared_with_nothing(denmark):
    far = changed(denmark, n_start=1000, n_retained=100)
    table = far.tables["active_base"].copy()
    table.loc[table.query("rule == 'window'").index[-5], "left_truncated"] = 1
    assert a_year_before(sentences(replace(far, tables={**far.tables, "active_base": table}))) == []


@pytest.mark.parametrize(
    ("end", "told"), [(90, "shrank by 10 to 90:"), (100, "kept its size:"), (110, "grew by 10 to 110:")]
)
def test_the_base_grows_shrinks_or_keeps_its_size(denmark, end, told):
    [flow] = [
        sentence
        for sentence in sentences(changed(denmark, n_start=100, n_retained=60, n_end=end))
        if "active base" in sentence
    ]
    assert flow.startswith(f"In 2025-Q4 the active base {told} ")


def test_names_are_escaped_in_the_page_and_plain_in_text(awkward_sheet, awkward):
    shown = in_short(awkward_sheet)
    assert escape(awkward, quote=False) in shown.html.replace("&#34;", '"').replace("&quot;", '"')
    assert "<script>" not in shown.html
    assert f"- {awkward}: of the " in repr(shown)
    assert shown.html.count("<li>") == len(sentences(awkward_sheet))


def test_the_lead_says_whether_there_is_a_change_and_of_how_many_customers(denmark):
    # then, in 2024-Q4: 390 of 612 stayed, the sample's own
    then = denmark.tables["active_base"].query("rule == 'window'").iloc[-5]
    rate = then["n_retained"] / then["n_start"]
    for kept, expected in ((0.9, "more"), (0.3, "fewer")):
        told = lead(changed(denmark, n_start=1000, n_retained=1000 * kept, customer_retention_rate=kept))
        points, customers = f"{abs(kept - rate) * 100:.1f}", f"{abs(kept - rate) * 1000:,.0f}"
        word = "more" if kept > rate else "less"
        assert told == (
            f"In 2025-Q4 {kept:.1%} of the active customers stayed, {points} points {word} than a year before, and "
            f"beyond chance: {customers} customers {expected} than at the rate of then."
        )


def test_the_lead_calls_nothing_a_change_that_chance_may_have_made(denmark):
    then = denmark.tables["active_base"].query("rule == 'window'").iloc[-5]
    same = {name: then[name] for name in ("n_start", "n_retained", "customer_retention_rate")}
    calm = replace(changed(denmark, **same), reading=NO_CHANGE)
    assert lead(calm).startswith(
        f"In 2025-Q4 {then['customer_retention_rate']:.1%} of the active customers stayed. Against the year before "
        "nothing changed beyond chance: the difference lies between −"
    )


def test_the_lead_of_a_calm_whole_does_not_hide_that_a_part_changed(denmark):
    then = denmark.tables["active_base"].query("rule == 'window'").iloc[-5]
    same = {name: then[name] for name in ("n_start", "n_retained", "customer_retention_rate")}
    told = lead(replace(changed(denmark, **same), reading=replace(denmark.reading, kind="age")))
    assert "all of them together did not change beyond chance" in told
    assert told.endswith(" points; a part of them did.")


def test_the_lead_is_silent_where_the_rate_is_hidden_and_alone_where_there_is_no_year_before(denmark):
    rate = replace(denmark.headlines["customer_retention_rate"], value=None, hidden=True)
    assert lead(replace(denmark, headlines={**denmark.headlines, "customer_retention_rate": rate})) == ""
    young = denmark.tables["active_base"].query("rule == 'window'").tail(3)
    told = lead(replace(denmark, tables={**denmark.tables, "active_base": young}))
    assert told.endswith("of the active customers stayed. There is no year before to hold it against.")


def test_the_lead_stands_before_the_list(denmark):
    shown = in_short(denmark)
    assert shown.html.startswith(f'<p class="rk-lead">{escape(lead(denmark))}</p><ul class="rk-in-short"><li>')
    assert shown.text.startswith(f"{lead(denmark)}\n- Denmark: of the ")

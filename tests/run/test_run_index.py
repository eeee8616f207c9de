import json
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from retention_kit.run import record
from retention_kit.run.index import HEADLINES, Column, write_index


def entry(name: str, *, status: str = "fresh", reason: str = "") -> dict[str, Any]:
    notebook = {"name": "market_report.ipynb", "sha256": "ab" * 32}
    return {
        "name": name,
        "status": status,
        "reason": reason,
        "seconds": 1.0,
        "parameters": {},
        "kit_version": "0.1.0",
        "notebook": notebook,
    }


def headline(key: str, value: float | None, unit: str = "", **facts: Any) -> dict[str, Any]:
    return {"id": key, "label": key.replace("_", " "), "value": value, "unit": unit, "note": "", **facts}


def write_report(out: Path, market: str, *headlines: dict[str, Any], currency: str = "EUR") -> None:
    twin = {"format": 1, "market": market, "currency": currency, "as_of": "2026-01-01", "headlines": headlines}
    (out / f"{market}.html").write_text("a report", encoding="utf-8")
    (out / f"{market}.json").write_text(json.dumps(twin), encoding="utf-8")


def soup_of(out: Path) -> BeautifulSoup:
    return BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "html.parser")


def rows_of(out: Path) -> list[str]:
    return [row.get_text(" ", strip=True) for row in soup_of(out).select("tbody tr")]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    rate = headline("customer_retention_rate", 0.61, "share", n=1812, lower=0.58, upper=0.64)
    order = headline("average_order_value", 1284.5, "currency per order", n=9, currency="DKK")
    write_report(tmp_path, "DK", order, rate, headline("not_of_the_index", 7), currency="DKK")
    write_report(tmp_path, "BE", headline("customer_retention_rate", None, "share", note="fewer than 10"))
    entries = {
        "DK": entry("Denmark"),
        "BE": entry("Belgium", status="stale", reason="orders lacks 'ordered_at'."),
        "RO": entry("Romania", status="failed", reason="The notebook's kernel died."),
    }
    record.write(tmp_path, entries, made="by the nightly run")
    write_index(tmp_path)
    return tmp_path


def test_markets_stand_by_name_with_the_headlines_their_twins_show(out: Path) -> None:
    assert rows_of(out) == [
        "Belgium BE as of 2026-01-01 · EUR – fewer than 10 – kept from an earlier run JSON",
        "Denmark DK as of 2026-01-01 · DKK 61.0% 58.0% to 64.0% n 1,812 DKK\u00a01,284.50 up to date JSON",
        "Romania RO – – no report",
    ]


def test_the_index_says_what_failed_and_what_was_kept(out: Path) -> None:
    trouble = soup_of(out).select_one(".rk-trouble").get_text(" ", strip=True)
    assert trouble == (
        "2 markets could not be reported "
        "Belgium BE orders lacks 'ordered_at'. The last good report is kept. "
        "Romania RO The notebook's kernel died. There is no earlier report."
    )


def test_the_index_links_only_what_is_there(out: Path) -> None:
    links = {link["href"] for link in soup_of(out).select("tbody a")}
    assert links == {"BE.html", "BE.json", "DK.html", "DK.json"}


def test_a_market_of_an_earlier_run_stays_in_the_index(out: Path) -> None:
    record.write(out, {"RO": entry("Romania", status="failed", reason="again")}, made="")
    write_index(out)
    assert [row.split()[0] for row in rows_of(out)] == ["Belgium", "Denmark", "Romania"]
    assert "from an earlier run" in rows_of(out)[1]


def test_a_frequency_is_shown_per_year_and_repeat_customers_by_days(tmp_path: Path) -> None:
    write_report(
        tmp_path,
        "NL",
        headline("purchase_frequency", 4.73, "orders per customer in 914 days"),
        headline("purchase_frequency_per_year", 4.17, "orders per customer and year"),
        headline("repeat_customer_rate", 0.542, "share", n=90, lower=0.5, upper=0.6),
        headline("repeat_customer_rate_by_days", 0.532, "share", n=90, lower=0.5, upper=0.6),
    )
    record.write(tmp_path, {"NL": entry("Netherlands")}, made="")
    write_index(tmp_path)
    assert "53.2% 50.0% to 60.0% n 90 4.17 up to date" in rows_of(tmp_path)[0]
    assert "54.2%" not in rows_of(tmp_path)[0]


def test_a_frequency_that_is_not_per_year_says_in_which_time(tmp_path: Path) -> None:
    write_report(tmp_path, "NL", headline("purchase_frequency", 4.73, "orders per customer in 914 days"))
    record.write(tmp_path, {"NL": entry("Netherlands")}, made="")
    write_index(tmp_path)
    assert "4.73 orders per customer in 914 days up to date" in rows_of(tmp_path)[0]


def test_frequency_and_worth_have_their_interval_and_n(tmp_path: Path) -> None:
    interval = {"lower": 4.52, "upper": 4.9, "n": 3690}
    frequency = headline("purchase_frequency_per_year", 4.72, "orders per customer and year", **interval)
    worth = headline("clv_simple", 221.44, "currency per customer", n=3690, currency="EUR")
    write_report(tmp_path, "NL", frequency, worth)
    record.write(tmp_path, {"NL": entry("Netherlands")}, made="")
    write_index(tmp_path)
    assert "4.72 4.52 to 4.90 n 3,690 €221.44 up to date" in rows_of(tmp_path)[0]


def test_the_head_of_a_column_says_the_time_where_all_markets_agree_and_else_each_cell_does(tmp_path: Path) -> None:
    for market, since in [("NL", "2023-07-01"), ("DK", "2023-07-02")]:
        days = {"as_of": "2026-01-01", "n": 90, "lower": 0.5, "upper": 0.6}
        retained = headline("customer_retention_rate", 0.61, "share", window="2025-10-01 to 2026-01-01", **days)
        repeated = headline("repeat_customer_rate", 0.54, "share", window=f"{since} to 2026-01-01", **days)
        write_report(tmp_path, market, retained, repeated)
    record.write(tmp_path, {"NL": entry("Netherlands"), "DK": entry("Denmark")}, made="")
    write_index(tmp_path)
    heads = [head.get_text(" ", strip=True) for head in soup_of(tmp_path).select("thead th")]
    assert heads == ["Market", "customer retention rate 2025-10-01 to 2026-01-01", "repeat customer rate", "Status"]
    in_cells = [(tag.string, "rk-in-head" in tag["class"]) for tag in soup_of(tmp_path).select("td .rk-window")]
    assert in_cells == [
        ("2025-10-01 to 2026-01-01", True),
        ("since 2023-07-02", False),
        ("2025-10-01 to 2026-01-01", True),
        ("since 2023-07-01", False),
    ]


@pytest.mark.parametrize(
    ("label", "lines"),
    [
        ("Customers", ("Customers",)),
        ("Purchase frequency per year", ("Purchase frequency", "per year")),
        ("Customer lifetime value (simple)", ("Customer lifetime", "value (simple)")),
    ],
)
def test_a_column_is_named_in_at_most_two_lines(label: str, lines: tuple[str, ...]) -> None:
    assert Column("id", label, "").lines == lines


def test_the_index_names_the_data_its_reports_are_of(out: Path) -> None:
    assert soup_of(out).select_one(".rk-eyebrow").get_text(" ", strip=True) == "3 markets"
    record.write(out, {"DK": {**entry("Denmark"), "parameters": {"data": "mycompany.toml"}}}, made="")
    write_index(out)
    assert soup_of(out).select_one(".rk-eyebrow").get_text(" ", strip=True) == "2 markets Data: mycompany"


def test_a_name_is_cut_where_it_is_long_and_turns_nothing_round(tmp_path: Path) -> None:
    write_report(tmp_path, "NL", headline("customers", 812, "customers"))
    record.write(tmp_path, {"NL": entry("\u202eN" + "e" * 1000)}, made="")
    write_index(tmp_path)
    name = soup_of(tmp_path).select_one("tbody th bdi")
    assert name.string == "\u202eN" + "e" * 57 + "…"
    assert name["title"] == "N" + "e" * 198 + "…"
    assert soup_of(tmp_path).select_one(".rk-twin")["aria-label"] == f"{name['title']} as JSON"


def test_one_market_alone_makes_an_index(tmp_path: Path) -> None:
    write_report(tmp_path, "NL", headline("customers", 812, "customers"))
    record.write(tmp_path, {"NL": entry("Netherlands")}, made="")
    write_index(tmp_path)
    assert rows_of(tmp_path) == ["Netherlands NL as of 2026-01-01 · EUR 812 up to date JSON"]
    assert soup_of(tmp_path).select_one(".rk-eyebrow").get_text(strip=True) == "1 market"
    assert not soup_of(tmp_path).select(".rk-trouble")


def test_names_reasons_and_values_are_text_whatever_they_are(tmp_path: Path) -> None:
    write_report(tmp_path, "NL", {**headline("customers", None), "label": "<u>8</u>", "note": "<b>8</b>"})
    entries = {"NL": entry("<script>alert(1)</script>", status="stale", reason="<img src=x> $x_1$")}
    record.write(tmp_path, entries, made="<i>me</i>")
    write_index(tmp_path)
    soup = soup_of(tmp_path)
    assert not soup.find_all(["img", "i"])
    assert "alert" not in soup.script.string
    assert rows_of(tmp_path)[0].startswith("<script>alert(1)</script> NL")
    assert "<img src=x> $x_1$" in soup.select_one(".rk-trouble").get_text()
    assert "<b>8</b>" in soup.get_text()
    assert "<u>8</u>" in soup.select_one("thead").get_text()
    assert "<i>me</i>" in soup.footer.get_text()


def test_a_record_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{torn", encoding="utf-8")
    assert record.read(tmp_path)["markets"] == {}


def base(*rates: float | None) -> dict[str, Any]:
    quarters = [f"202{4 + n // 4}-Q{n % 4 + 1}" for n in range(len(rates))]
    rows = [{"rule": "window", "period": q, "customer_retention_rate": r} for q, r in zip(quarters, rates, strict=True)]
    return {"active_base": [*rows, {"rule": "period", "period": "2024-Q1", "customer_retention_rate": 0.1}]}


def write_markets(out: Path, *codes: str, **tables: dict[str, Any]) -> None:
    for code in codes:
        write_report(out, code, headline("customers", 800 + len(code), "customers"))
        twin = json.loads((out / f"{code}.json").read_text(encoding="utf-8"))
        (out / f"{code}.json").write_text(json.dumps({**twin, "tables": tables.get(code, {})}), encoding="utf-8")


def test_a_small_curve_shows_the_rate_period_by_period_and_says_its_ends(tmp_path: Path) -> None:
    write_markets(tmp_path, "NL", "DK", NL=base(0.5, None, 0.7, 0.6), DK=base(0.5))
    record.write(tmp_path, {"NL": entry("Netherlands"), "DK": entry("Denmark")}, made="")
    write_index(tmp_path)
    (curve,) = soup_of(tmp_path).select("tbody svg")
    assert curve["aria-label"] == curve.title.string == "50.0% in 2024-Q1, 60.0% in 2024-Q4"
    assert curve.polyline["points"] == "2,19 44,3 86,11"  # lowest at 19, highest at 3, halfway at 11
    assert curve.parent["data-sort"] == "0.1"
    assert [head.get_text(" ", strip=True) for head in soup_of(tmp_path).select("thead th")][-2:] == [
        "Retention, period by period", "Status",
    ]  # fmt: skip


def test_the_index_is_sorted_by_numbers_but_not_across_currencies(tmp_path: Path) -> None:
    for code, currency, value in (("NL", "EUR", 62.75), ("DK", "DKK", 500.0)):
        order = headline("average_order_value", value, "currency per order", currency=currency)
        write_report(tmp_path, code, headline("customers", 812, "customers"), order, currency=currency)
    record.write(tmp_path, {"NL": entry("Netherlands"), "DK": entry("Denmark")}, made="")
    write_index(tmp_path)
    table = soup_of(tmp_path).select_one("table")
    assert "rk-sortable" in table["class"]
    assert [head.has_attr("data-fixed") for head in table.select("thead th")] == [False, False, True, False]
    assert [cell.get("data-sort") for cell in table.select("tbody tr")[0].find_all("td")] == ["812", "500.0", None]


def test_the_report_of_all_markets_is_linked_above_them(tmp_path: Path) -> None:
    write_markets(tmp_path, "ALL", "NL")
    record.write(tmp_path, {"ALL": entry("All markets"), "NL": entry("Netherlands")}, made="")
    write_index(tmp_path)
    soup = soup_of(tmp_path)
    assert soup.select_one(".rk-group h2 a")["href"] == "ALL.html"
    assert soup.select_one(".rk-group dl").get_text(" ", strip=True) == "customers 803"
    assert [row.split()[0] for row in rows_of(tmp_path)] == ["Netherlands"]
    assert soup.select_one(".rk-eyebrow").get_text(" ", strip=True) == "1 market"


def test_a_report_in_several_languages_and_formats_is_linked_in_each(tmp_path: Path) -> None:
    write_markets(tmp_path, "BE")
    for name in ("BE.fr.html", "BE.xlsx", "BE.pdf"):
        (tmp_path / name).write_text("a file", encoding="utf-8")
    spoken = {"nl-BE": "BE.html", "fr-BE": "BE.fr.html", "de-BE": "BE.de.html"}
    record.write(tmp_path, {"BE": {**entry("Belgium"), "languages": spoken}}, made="")
    write_index(tmp_path)
    links = [(link.get_text(), link["href"], link.get("lang")) for link in soup_of(tmp_path).select(".rk-twin")]
    assert links[:3] == [("JSON", "BE.json", None), ("XLSX", "BE.xlsx", None), ("PDF", "BE.pdf", None)]
    assert [href for _, href, _ in links[3:]] == ["BE.html", "BE.fr.html"]


def test_the_index_of_forty_markets_is_small(tmp_path: Path) -> None:
    share = {"n": 1695, "lower": 0.641, "upper": 0.686, "window": "2025-10-01 to 2026-01-01", "as_of": "2026-01-01"}
    codes = [f"{first}{second}" for first in "ABCDE" for second in "ABCDEFGH"]
    for code in codes:
        write_report(tmp_path, code, *(headline(names[0], 0.664, "share", **share) for names in HEADLINES))
        twin = json.loads((tmp_path / f"{code}.json").read_text(encoding="utf-8"))
        (tmp_path / f"{code}.json").write_text(json.dumps({**twin, "tables": base(*[0.5 + n / 40 for n in range(12)])}))
        for ending in ("xlsx", "pdf"):
            (tmp_path / f"{code}.{ending}").write_text("a file", encoding="utf-8")
    record.write(tmp_path, {code: entry(f"A market called {code}") for code in codes}, made="")
    write_index(tmp_path)
    assert len(soup_of(tmp_path).select("tbody svg")) == 40
    assert (tmp_path / "index.html").stat().st_size <= 200_000


@pytest.mark.parametrize(
    ("spoken", "shown"), [(["da-DK", "da-DK"], "Kundefastholdelse"), (["da-DK", "nl-NL"], "Customer")]
)
def test_the_index_speaks_the_language_of_all_reports_or_english(tmp_path, spoken, shown):
    known = {
        code: {"name": code, "status": "fresh", "reason": "", "languages": {language: f"{code}.html"},
               "parameters": {}, "notebook": {"name": "a.ipynb", "sha256": ""}}
        for code, language in zip(("DK", "NL"), spoken, strict=True)
    }  # fmt: skip
    record.write(tmp_path, known, made="")
    write_index(tmp_path)
    assert shown in (tmp_path / "index.html").read_text(encoding="utf-8").partition("<h1")[2].partition("</h1>")[0]

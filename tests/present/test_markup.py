"""A table in a page: every cell, its sort key and its file are made of one number, in every language."""

import base64
import csv
import io
import math

import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag
from hypothesis import given, settings
from hypothesis import strategies as st

from retention_kit.errors import UsageError
from retention_kit.messages import N_
from retention_kit.present.cells import spreadsheet_safe
from retention_kit.present.frames import table_of
from retention_kit.present.languages import available, speaking
from retention_kit.table import Column, Role, Table, as_raw, interval, raw_name

LANGUAGES = [name.replace("_", "-") for name in available()]
RATES = pd.DataFrame(
    {
        "market": ["Denmark", "Netherlands", "Andorra"],
        "n": [1204.0, 961.0, None],
        "rate": [0.664, 0.58, None],
        "lower": [0.641, 0.552, None],
        "upper": [0.686, 0.615, None],
        "value": [500.88, -62.75, None],
        "note": ["+1 to −2 of 8", "=cmd|' /C calc'!A0", "@home"],
    }
)
COLUMNS = [
    Column("market", N_("Market"), Role.MARKET),
    Column("n", "Active", Role.N),
    Column("rate", "Rate", Role.SHARE),
    interval("95% interval", Role.SHARE),
    Column("value", "Order value", Role.MONEY, currency="DKK"),
    Column("note", "Note", Role.KEY),
]


def rates(**facts) -> Table:
    hidden = pd.DataFrame({name: [False, False, name == "n"] for name in RATES})
    return Table(RATES, COLUMNS, name="rates", title="Rates", hidden=hidden, twin="tables.rates", **facts)


def soup_of(table: Table) -> Tag:
    return BeautifulSoup(table.html, "html.parser")


def keys(table: Table, column: int) -> list[str | None]:
    return [row.find_all(["th", "td"])[column].get("data-sort") for row in soup_of(table).select("tbody tr")]


def file_of(table: Table) -> list[list[str]]:
    content = base64.b64decode(soup_of(table).select_one("a[download]")["href"].partition("base64,")[2])
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.parametrize("language", LANGUAGES)
def test_cells_are_written_in_the_language_and_sorted_by_their_numbers(language):
    with speaking(language):
        table = rates()
        assert "rk-sortable" in soup_of(table).table["class"]
        assert keys(table, 0) == [None, None, None]
        assert keys(table, 1) == ["1204", "961", None]
        assert keys(table, 2) == ["0.664", "0.58", None]
        assert keys(table, 3) == ["0.641", "0.552", None]
        assert keys(table, 4) == ["500.88", "-62.75", None]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_file_of_a_table_has_numbers_as_numbers_shares_as_shares_and_intervals_as_two_columns(language):
    with speaking(language):
        head, first, second, third = file_of(rates())
    assert head[1:] == ["Active", "Rate", "95% interval ≥", "95% interval ≤", "Order value", "Note"] or language != "en"
    assert first[1:6] == ["1204", "0.664", "0.641", "0.686", "500.88"]
    assert second[1:6] == ["961", "0.58", "0.552", "0.615", "-62.75"]
    assert third[1:6] == ["", "", "", "", ""]


def test_a_danish_cell_and_its_file_are_the_same_number():
    with speaking("da"):
        row = soup_of(rates()).select("tbody tr")[0].find_all("td")
        assert [cell.get_text() for cell in row[:2]] == ["1.204", "66,4\xa0%"]
        assert file_of(rates())[1][1:3] == ["1204", "0.664"]


def test_a_hidden_cell_says_so_and_a_missing_one_is_a_dash():
    last = soup_of(rates()).select("tbody tr")[2].find_all("td")
    assert [cell.get_text() for cell in last[:3]] == ["hidden", "–", ""]


def test_every_number_names_its_place_in_the_report_s_data():
    cells = soup_of(rates()).select("[data-id]")
    assert [cell["data-id"] for cell in cells[:4]] == [
        "tables.rates.0.n", "tables.rates.0.rate", "tables.rates.0.lower tables.rates.0.upper", "tables.rates.0.value",
    ]  # fmt: skip


def test_no_text_of_a_file_is_taken_for_a_formula():
    assert [row[-1] for row in file_of(rates())] == ["Note", "'+1 to −2 of 8", "'=cmd|' /C calc'!A0", "'@home"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\ta", "\ra", "＝1"])
def test_what_begins_like_a_formula_is_quoted(text):
    assert spreadsheet_safe(text) == f"'{text}"
    assert spreadsheet_safe(f"a{text}") == f"a{text}"


def test_a_file_is_named_after_the_table_alone():
    table = Table(RATES, COLUMNS, name="../../etc/Passwd $x", title="")
    assert soup_of(table).select_one("a[download]")["download"] == "etc-passwd-x.csv"


def test_a_table_without_rows_says_what_is_said_in_their_place_and_has_no_file():
    table = Table(RATES.head(0), COLUMNS, name="rates", title="Rates", nothing="There is no other market.")
    assert table.text == "Rates\nThere is no other market."
    assert "There is no other market." in table.html
    assert soup_of(table).select_one("a[download]") is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("labels", [["2024-Q4", "2025-Q1"], ["2024-12", "2025-01"], ["2024-12-31", "2024-02-29"]])
def test_periods_are_written_in_words_sorted_by_time_and_stand_in_the_file_as_their_labels(language, labels):
    columns = [Column("period", N_("Period"), Role.PERIOD), Column("n", "n", Role.N)]
    rows = pd.DataFrame({"period": [*labels, labels[0]], "n": [1, 2, 3]})
    with speaking(language):
        table = Table(rows, columns, name="x", title="x")
        assert [row[0] for row in file_of(table)[1:]] == [*labels, labels[0]]
        by_key = sorted(zip(keys(table, 0), rows["period"], strict=True), key=lambda pair: int(pair[0]))
    assert [label for _, label in by_key] == sorted(rows["period"])


def test_a_table_refuses_a_column_that_its_frame_has_not():
    with pytest.raises(UsageError) as why:
        Table(RATES, [Column("naem", "Name", Role.KEY)], name="rates", title="")
    assert str(why.value) == (
        "The table 'rates' has no column 'naem'.\n  found: market, n, rate, lower, upper, value, note"
    )


def test_a_table_without_a_picture_says_how_to_draw_one():
    with pytest.raises(UsageError, match=r"The table 'rates' has no picture of its own"):
        rates().plot()


def test_a_table_is_json_by_its_columns():
    told = rates(definition="A rate.", as_of="2026-01-01").to_dict()
    assert (told["schema_version"], told["name"], told["as_of"]) == (1, "rates", "2026-01-01")
    assert told["columns"][3] == {
        "name": "", "title": "95% interval", "role": "share", "lower": "lower", "upper": "upper", "unit": "",
        "currency": "",
    }  # fmt: skip
    assert told["rows"][1]["rate"] == 0.58
    assert told["rows"][2]["rate"] is None
    assert told["hidden"] == [{"row": 2, "columns": ["n"]}]


def test_the_files_of_a_table_hold_its_numbers(tmp_path):
    table = rates()
    table.to_csv(tmp_path / "rates.csv")
    table.to_parquet(tmp_path / "rates.parquet")
    table.to_excel(tmp_path / "rates.xlsx")
    assert pd.read_csv(tmp_path / "rates.csv")["Rate"].tolist()[:2] == [0.664, 0.58]
    assert pd.read_parquet(tmp_path / "rates.parquet")["rate"].tolist()[:2] == [0.664, 0.58]
    sheet = pd.read_excel(tmp_path / "rates.xlsx")
    assert sheet["Rate"].tolist()[:2] == [0.664, 0.58]
    assert sheet["Note"].tolist() == RATES["note"].tolist()


def test_a_frame_is_a_copy_of_one_s_own():
    table = rates()
    frame = table.to_frame()
    frame.loc[0, "rate"] = 9.0
    assert table.frame.loc[0, "rate"] == 0.664


def test_raw_counts_are_known_through_what_pandas_makes_of_them():
    raw = as_raw(pd.DataFrame({"market": ["DK"], "n": [3]}), "cohort_counts")
    assert raw_name(raw.query("n > 1")) == "cohort_counts"
    assert raw_name(raw.style) == "cohort_counts"
    assert raw_name(pd.DataFrame({"n": [3]})) == ""


class TestFrame:
    """A pandas frame, a Series, a Styler of somebody's own notebook."""

    FRAME = pd.DataFrame({"n": [1050, 20], "share": [0.6069, 0.5], "who": ["a & b", "<i>"]}, index=["x", "y"])

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("made", [lambda f: f, lambda f: f.style.format({"share": "{:.1%}", "n": "{:,}"})])
    def test_its_file_holds_its_numbers(self, language, made):
        with speaking(language):
            assert file_of(table_of(made(self.FRAME)))[1:] == [["x", "1050", "0.6069", "a & b"],
                                                               ["y", "20", "0.5", "<i>"]]  # fmt: skip

    def test_a_series_keeps_its_name_and_its_index(self):
        assert file_of(table_of(self.FRAME["share"])) == [["", "share"], ["x", "0.6069"], ["y", "0.5"]]

    def test_its_numbers_are_written_in_the_language(self):
        with speaking("da"):
            cells = [cell.get_text() for cell in soup_of(table_of(self.FRAME)).select("tbody td")[:2]]
        assert cells == ["1050", "0,6069"]

    def test_what_a_styler_writes_is_shown(self):
        styler = self.FRAME.style.format({"share": "{:.1%}"}).hide(axis="index")
        cells = [cell.get_text() for cell in soup_of(table_of(styler)).select("tbody tr")[0].find_all(["th", "td"])]
        assert cells == ["1050", "60.7%", "a & b"]

    def test_names_and_columns_may_repeat_and_be_of_several_levels(self):
        twice = pd.DataFrame([[1, 2.5]], columns=["a", "a"])
        assert file_of(table_of(twice)) == [["a", "a"], ["1", "2.5"]]
        deep = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")]))
        assert file_of(table_of(deep)) == [["a · b", "a · c"], ["1", "2"]]

    def test_what_is_no_number_is_shown_as_it_is(self):
        odd = pd.DataFrame({"when": [pd.Timestamp("2026-01-01")], "maybe": [pd.NA], "yes": [True], "mixed": [[1]]})
        assert file_of(table_of(odd))[1] == ["2026-01-01 00:00:00", "", "1", "[1]"]

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.floats(allow_infinity=False, width=64) | st.integers(-(2**53), 2**53), min_size=1, max_size=5),
        st.sampled_from(LANGUAGES),
    )
    def test_the_file_behind_the_link_holds_every_number_to_its_last_digit(self, numbers, language):
        with speaking(language):
            rows = file_of(table_of(pd.DataFrame({"who": "a", "x": numbers})))[1:]
        for (_, written), number in zip(rows, map(float, numbers), strict=True):
            assert written == "" if math.isnan(number) else float(written) == number

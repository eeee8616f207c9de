import json

import pandas as pd
import pytest

from retention_kit import __version__, models
from retention_kit.present import headlines, tables, twin, value
from retention_kit.present.sentences import sentences

FINDING = {"table": "orders", "reason": "no_amount", "n": 1, "of": 9, "severity": "refused", "text": "1 of 9"}


@pytest.fixture
def denmarks_twin(denmark) -> dict:
    return twin.twin(denmark, data="sample", data_fingerprint="f00", findings=[FINDING])


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def test_the_twin_says_what_it_is_of(denmarks_twin):
    facts = {key: denmarks_twin[key] for key in list(denmarks_twin)[:12]}
    assert facts == {
        "schema_version": 1,
        "market": "DK",
        "name": "Denmark",
        "currency": "DKK",
        "as_of": "2026-01-01",
        "grain": "month",
        "base_grain": "quarter",
        "min_cell": 10,
        "segment": None,
        "data": "sample",
        "data_fingerprint": "f00",
        "kit_version": __version__,
    }
    assert denmarks_twin["findings"] == [FINDING]


def test_every_headline_has_all_that_is_needed_to_argue_with_it(denmark, denmarks_twin):
    wanted = {"id", "label", "value", "n", "lower", "upper", "conf_level", "unit", "currency", "definition", "window"}
    wanted |= {"as_of", "numerator", "denominator", "note", "shown", "shown_interval", "hidden"}
    assert all(set(row) == wanted for row in denmarks_twin["headlines"])
    assert [row["id"] for row in denmarks_twin["headlines"]] == list(denmark.headlines)


def test_the_twin_is_strict_json_that_reads_back_the_same(denmarks_twin):
    text = twin.to_json(denmarks_twin)
    assert json.loads(text, parse_constant=no_constant) == denmarks_twin
    assert text.endswith("}\n")
    assert text == twin.to_json(denmarks_twin)


def test_a_number_that_is_none_never_becomes_json(denmarks_twin):
    with pytest.raises(ValueError, match="not JSON compliant"):
        twin.to_json(denmarks_twin | {"n": float("nan")})


def test_every_table_is_there_row_by_row_with_absent_numbers_as_null(denmark, denmarks_twin):
    assert set(denmarks_twin["tables"]) == set(denmark.tables)
    for name, rows in denmarks_twin["tables"].items():
        table = denmark.tables[name]
        assert len(rows) == len(table)
        read = pd.DataFrame(rows, columns=list(table))
        for column in table.select_dtypes("float64"):
            pd.testing.assert_series_equal(read[column].astype(float), table[column], rtol=1e-14)
    first = denmarks_twin["tables"]["active_base"][0]
    assert (first["n_start"], first["customer_retention_rate"]) == (0, None)


def test_the_numbers_on_the_page_are_the_twins(denmark, denmarks_twin):
    ledger, cards = tables.definition_ledger(denmark).text, tables.cards(denmark).html
    for row in denmarks_twin["headlines"]:
        assert f" {row['shown']} " in ledger
        assert row["shown"] == headlines.shown(denmark.headlines[row["id"]])
    for name in ("customer_retention_rate", "average_order_value", "clv_simple", "active_customers"):
        [row] = [row for row in denmarks_twin["headlines"] if row["id"] == name]
        assert f">{row['shown']}</data></div>" in cards
    assert denmarks_twin["in_short"] == sentences(denmark)
    [rate] = [row for row in denmarks_twin["headlines"] if row["id"] == "customer_retention_rate"]
    assert (
        f"a retention rate of {rate['shown']} (95% interval {rate['shown_interval']})." in denmarks_twin["in_short"][0]
    )


def test_the_twin_is_written_whole_where_a_file_is_named_and_nowhere_else(denmark, denmarks_twin, tmp_path):
    file = tmp_path / "DK.json"
    facts = {"data": "sample", "data_fingerprint": "f00", "findings": [FINDING]}
    shown = twin.publish(denmark, **facts, to=str(file))
    assert file.read_text(encoding="utf-8") == twin.to_json(denmarks_twin)
    assert "Denmark (DK)" in shown.text
    assert "10 customers" in shown.text
    assert str(tmp_path) not in shown.html
    twin.publish(denmark, **facts)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("unit", "number", "written"),
    [
        ("share", 0.6069, "60.7%"),
        ("ratio", -0.25, "−25.0%"),
        ("customers", 3920, "3,920"),
        ("years", 0.6667, "0.7 years"),
        ("currency per order", 439.0479, "DKK\u00a0439.05"),
        ("currency", 7308391.554, "DKK\u00a07,308,392"),
        ("orders per customer and year", 4.2464, "4.25"),
        ("share", None, "–"),
    ],
)
def test_each_unit_is_written_its_own_way(denmark, unit, number, written):
    headline = denmark.headlines["average_order_value"].__class__(
        id="x", label="X", value=number, unit=unit, definition="", window="", as_of="", currency="DKK"
    )
    assert headlines.shown(headline) == written
    assert headlines.interval(headline) == ""


def test_a_terminal_shows_value_interval_n_and_window(denmark):
    lines = headlines.as_text(denmark).splitlines()
    assert lines[0] == "Denmark (DK), observed before 2026-01-01"
    assert len(lines) == len(denmark.headlines) + 1
    rate = denmark.headlines["customer_retention_rate"]
    [line] = [line for line in lines if line.strip().startswith("Customer retention rate")]
    assert line.split() == [
        *rate.label.split(), headlines.shown(rate), *headlines.interval(rate).split(), "n", f"{rate.n:,}",
        *rate.window.split(),
    ]  # fmt: skip


def test_what_is_forecast_stands_in_the_twin_as_on_the_page(denmark, sample_counts):
    here = sample_counts.of("DK")
    asked = {"markets": {"DK": here.market}, "as_of": "2026-01-01", "holdout_weeks": 26, "min_cell": 10}
    forecast = models.purchase_forecasts(sample_counts.tables, sample_counts.tables, **asked).of("DK")
    terms = {"horizon_weeks": 104, "yearly_rate": 0.1, "months": 24, "min_cell": 10}
    customer_value = models.customer_value(forecast, here.rfm_counts, here.acquisition_counts, **terms)
    facts = {"data": "sample", "data_fingerprint": "f00", "findings": []}
    told = twin.twin(denmark, **facts, customer_value=customer_value)
    ahead = json.loads(twin.to_json(told), parse_constant=no_constant)["ahead"]
    assert ahead["in_short"] == value.sentences(customer_value)
    assert ahead["orders_in_the_next_year"] == dict(
        zip(("value", "lower", "upper"), customer_value.orders_ahead, strict=True)
    )
    assert ahead["worth_of_a_new_customer"]["value"] == customer_value.clv.value
    assert len(ahead["payback"]) == 25
    assert len(ahead["retention"]) == 24
    assert (ahead["back_test"]["split"], ahead["back_test"]["actual"]) == (
        "2025-07-03",
        customer_value.forecast.tested.actual,
    )
    buckets = ahead["back_test"]["by_repeat_orders_before"]
    assert sum(row["n_customers"] for row in buckets) == ahead["back_test"]["n_customers"]
    assert twin.twin(denmark, **facts)["ahead"] is None
    group = sample_counts.of("ALL")
    none = models.deserialized_forecast(
        pd.DataFrame(columns=["market", "forecast"]), group.rfm_counts, market=group.market
    )
    ahead = twin.twin(
        denmark,
        **facts,
        customer_value=models.customer_value(none, group.rfm_counts, group.acquisition_counts, **terms),
    )
    assert ahead["ahead"]["withheld"].startswith("All markets: customers differ by market")
    assert ahead["ahead"]["orders_in_the_next_year"] is None

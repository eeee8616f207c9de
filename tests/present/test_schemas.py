"""What the kit writes as JSON is what its published schemas say, and they say what its types are."""

import json
from copy import deepcopy
from functools import cache
from importlib.resources import files
from inspect import signature
from typing import Any

import company
import pytest
import schemas
from jsonschema import Draft202012Validator

from retention_kit import counts, ingest, metrics, models
from retention_kit.metrics import METRICS
from retention_kit.present import tables, twin
from retention_kit.present.restatement import restated
from retention_kit.table import Table

FACTS = {"grain": "month", "base_grain": "quarter", "min_cell": 10}
TERMS = {"horizon_weeks": 104, "yearly_rate": 0.1, "months": 24, "min_cell": 10}


@cache
def published(name: str) -> dict[str, Any]:
    return json.loads((files("retention_kit") / "schemas" / f"{name}.json").read_text(encoding="utf-8"))


@cache
def strict(name: str, kind: str = "") -> Draft202012Validator:
    """Return what refuses a key that the schema does not name; of one kind of report where it is named."""
    told = deepcopy(published(name))
    for thing in [told, *told["$defs"].values()]:
        if "properties" in thing:
            thing["additionalProperties"] = False
    return Draft202012Validator({"$defs": told["$defs"], "$ref": f"#/$defs/{kind}"} if kind else told)


def faults(validator: Draft202012Validator, told: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(json.loads(told))]


@pytest.fixture(scope="module")
def compared(sample_counts) -> Any:
    return metrics.market_comparison(sample_counts.tables, markets=list(sample_counts.markets), **FACTS)


@pytest.fixture(scope="module")
def fitted(sample_counts) -> Any:
    asked = {"markets": sample_counts.of_group(), "as_of": sample_counts.as_of, "holdout_weeks": 26, "min_cell": 10}
    return models.serialized_forecasts(sample_counts.tables, **asked)["forecasts"]


@pytest.fixture(scope="module")
def group(sample_counts) -> Any:
    facts = FACTS | {"as_of": sample_counts.as_of, "money": sample_counts.group_money}
    return metrics.group_sheet(sample_counts.tables, markets=sample_counts.of_group(), **facts)


@pytest.mark.parametrize("name", schemas.SCHEMAS)
def test_a_published_schema_is_the_one_of_the_types(name):
    Draft202012Validator.check_schema(published(name))
    assert schemas.file_of(name).read_text(encoding="utf-8") == schemas.written(name), "make schemas"


def sheet_of(code: str, sample_counts: Any, compared: Any) -> metrics.Sheet:
    here = sample_counts.of(code)
    return metrics.market_sheet(here.tables, market=here.market, as_of=here.as_of, **compared, **FACTS)


@pytest.mark.parametrize(
    "code",
    ["NL", "JP", *(pytest.param(code, marks=pytest.mark.slow) for code in ("DK", "RO", "CN", "US", "BR", "DE", "ALL"))],
)
def test_the_data_of_every_market_s_report_are_as_published(sample_counts, compared, fitted, code):
    here = sample_counts.of(code)
    sheet = sheet_of(code, sample_counts, compared)
    forecast = models.deserialized_forecast(fitted, here.rfm_counts, market=here.market)
    found = sample_counts.findings.to_dicts()
    customer_value = models.customer_value(forecast, here.rfm_counts, here.acquisition_counts, **TERMS)
    for ahead in (None, customer_value):
        told = twin.twin(sheet, data="sample", data_fingerprint="f", findings=found, customer_value=ahead)
        assert faults(strict("report", "MarketReport"), twin.to_json(told)) == []
    assert faults(Draft202012Validator(published("report")), twin.to_json(told)) == []


def test_the_data_of_the_group_s_report_are_as_published(sample_counts, fitted, group):
    codes = models.customer_values(
        fitted, sample_counts.tables, markets=sample_counts.of_group(), codes=group.names, **TERMS
    )
    told = twin.group_twin(group, data="sample", data_fingerprint="f", findings=[], customer_values=codes)
    assert faults(strict("report", "GroupReport"), twin.to_json(told)) == []
    assert faults(Draft202012Validator(published("report")), twin.to_json(told)) == []
    assert len(told["ahead"]) == 8


def test_the_data_of_a_market_too_small_to_show_with_findings_are_as_published(tmp_path):
    refused = ",,DK,2024-01-01T12:00:00Z,1,DKK"
    folder = company.write(tmp_path, [*company.orders({"always": (5, company.MONTHLY)}), refused])
    source = ingest.source(str(folder), max_refused=0.5)
    counted = counts.count(source, as_of=company.AS_OF, grains=["month", "quarter"])
    sheet = company.sheet_of(counted.of("DK"))
    findings = counted.findings.to_dicts()
    assert findings
    told = twin.twin(sheet, data="shop", data_fingerprint="f", findings=findings)
    assert faults(strict("report", "MarketReport"), twin.to_json(told)) == []


def test_a_restated_number_is_as_published(denmark, tmp_path):
    told = twin.twin(denmark, data="sample", data_fingerprint="f", findings=[])
    earlier = json.loads(twin.to_json(told))
    earlier["tables"]["orders"][0]["n_orders"] += 1
    (tmp_path / "DK.json").write_text(json.dumps(earlier), encoding="utf-8")
    moved = restated(told, earlier=str(tmp_path / "DK.json"))
    assert len(moved)
    twin.publish(denmark, data="sample", data_fingerprint="f", findings=[], to=str(tmp_path / "now"), restated=moved)
    assert faults(strict("report", "MarketReport"), (tmp_path / "now").read_text(encoding="utf-8")) == []


def test_an_earlier_report_whose_schema_had_another_name_is_still_compared(denmark, tmp_path):
    told = twin.twin(denmark, data="sample", data_fingerprint="f", findings=[])
    earlier = json.loads(twin.to_json(told))
    earlier["format"] = earlier.pop("schema_version")
    earlier["tables"]["orders"][0]["n_orders"] += 1
    (tmp_path / "DK.json").write_text(json.dumps(earlier), encoding="utf-8")
    assert len(restated(told, earlier=str(tmp_path / "DK.json"))) == 1


OF_MARKET = [
    tables.definition_ledger, tables.glossary, tables.active_base, tables.second_order, tables.brackets,
    tables.next_order, tables.sensitivity, tables.compared_with_others, tables.revenue_bridge,
    lambda sheet: twin.publish(sheet, data="sample", data_fingerprint="f", findings=[]),
]  # fmt: skip
OF_GROUP = [
    lambda sheet: tables.markets_compared(sheet, metric="customer_retention_rate"),
    tables.what_changed, tables.anomalies, tables.mix_and_rate, tables.movers, tables.group_revenue,
]  # fmt: skip


@pytest.mark.parametrize("show", OF_MARKET)
def test_every_table_of_a_market_s_page_is_as_published(sample_counts, compared, show):
    assert_published(show(sheet_of("DK", sample_counts, compared)))


@pytest.mark.parametrize("show", OF_GROUP)
def test_every_table_of_the_group_s_page_is_as_published(group, show):
    assert_published(show(group))


def test_every_metric_s_table_is_as_published(sample_counts):
    here = sample_counts.of("DK").tables
    makes_one_table = [metric for metric in METRICS.values() if len(signature(metric.function).parameters) == 1]
    of_counts = [metric for metric in makes_one_table if metric.takes in here]
    assert len(of_counts) >= 9
    for metric in of_counts:
        assert_published(metric(here[metric.takes]))


def assert_published(shown: Table) -> None:
    assert isinstance(shown, Table)
    assert faults(strict("table"), shown.to_json()) == []
    assert shown.to_dict()["schema_version"] == 1


def test_a_table_with_hidden_cells_is_as_published(tmp_path):
    small = company.sheet(tmp_path, {"always": (5, company.MONTHLY)})
    told = tables.active_base(small)
    assert told.to_dict()["hidden"]
    assert_published(told)


def test_what_is_not_as_published_is_refused():
    assert faults(strict("table"), '{"schema_version": 2}')
    assert faults(Draft202012Validator(published("report")), '{"schema_version": 1, "market": "DK"}')

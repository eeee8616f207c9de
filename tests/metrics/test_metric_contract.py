from inspect import Parameter, signature

import pandas as pd
import pytest

from retention_kit.config import Lifespan
from retention_kit.metrics import METRICS, Frequency

QUANTITIES = {
    "clv_simple": lambda function: function(
        50.0, frequency=Frequency(4, per="year"), lifespan=Lifespan(value=3, unit="year"), gross_margin=0.5
    ),
    "cltv": lambda function: function(300.0, acquisition_cost=345.0),
}
"""How each metric that takes a quantity, not a counts table, is called."""

OF_TABLES = [metric for metric in METRICS.values() if metric.takes.endswith("_counts")]
OF_QUANTITIES = [metric for metric in METRICS.values() if not metric.takes.endswith("_counts")]
GIVEN = {"minor_per_unit": 100, "periods_back": 1, "activity_window_days": 90}


def called(metric, table: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    _, *wanted = signature(metric.function).parameters
    return metric.function(table, **{name: value for name, value in (GIVEN | dict(tables)).items() if name in wanted})


def within(values: pd.Series, bounds: tuple[float | None, float | None]) -> bool:
    least, greatest = bounds
    known = values.dropna()
    return len(known) > 0 and (least is None or known.min() >= least) and (greatest is None or known.max() <= greatest)


@pytest.mark.parametrize("metric", OF_TABLES, ids=lambda metric: metric.name)
class TestMetricOfACountsTable:
    def test_takes_a_counts_table_by_its_name(self, metric, sample_counts):
        assert metric.takes in sample_counts.tables

    def test_leaves_its_input_as_it_was(self, metric, sample_counts):
        table = sample_counts.tables[metric.takes]
        before = table.copy(deep=True)
        called(metric, table, sample_counts.tables)
        pd.testing.assert_frame_equal(table, before)

    def test_adds_a_column_named_as_itself_with_values_in_its_range(self, metric, sample_counts):
        rates = called(metric, sample_counts.tables[metric.takes], sample_counts.tables)
        assert metric.name not in sample_counts.tables[metric.takes]
        assert within(rates[metric.name], metric.range)

    def test_has_intervals_around_its_values(self, metric, sample_counts):
        rates = called(metric, sample_counts.tables[metric.takes], sample_counts.tables)
        assert ("lower" in rates) == ("upper" in rates) == (metric.unit == "share of customers")
        if "lower" in rates:
            known = rates.dropna(subset=[metric.name])
            assert ((known["lower"] <= known[metric.name]) & (known[metric.name] <= known["upper"])).all()
            assert within(rates["lower"], metric.range)
            assert within(rates["upper"], metric.range)

    def test_counts_in_any_order_of_rows_give_the_same_rates(self, metric, sample_counts):
        table = sample_counts.tables[metric.takes]
        rates, of_turned = (called(metric, t, sample_counts.tables) for t in (table, table.iloc[::-1]))
        keys = [column for column in rates if column in ("market", "grain", "rule", "period", "cohort", "age", "cut")]
        keys += [c for c in rates if c in ("value", "horizon_days", "first_day", "last_day", "nth", "kind")]
        keys += [c for c in rates if c in ("duration_days", "n_days", "state", "quantile", "window_days")]
        pd.testing.assert_frame_equal(*(t.sort_values(keys).reset_index(drop=True) for t in (rates, of_turned)))


def test_every_metric_of_a_quantity_is_called_here():
    assert {metric.name for metric in OF_QUANTITIES} == set(QUANTITIES)


@pytest.mark.parametrize("metric", OF_QUANTITIES, ids=lambda metric: metric.name)
def test_a_metric_of_a_quantity_is_in_its_range(metric):
    assert within(pd.Series([QUANTITIES[metric.name](metric.function)]), metric.range)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
class TestEveryMetric:
    def test_is_defined_in_one_sentence_and_says_unit_and_source(self, metric):
        assert metric.definition.endswith(".")
        assert "\n" not in metric.definition
        assert metric.unit
        assert metric.source
        assert not any(word in metric.definition for word in ("user", "region", "vintage", "pct"))

    def test_first_parameter_is_a_counts_table_or_another_quantity(self, metric):
        quantities = {*METRICS, "clv_simple"}
        assert metric.takes.endswith("_counts") or metric.takes in quantities

    def test_takes_all_but_the_first_parameter_by_name(self, metric):
        _, *others = signature(metric.function).parameters.values()
        assert all(parameter.kind is Parameter.KEYWORD_ONLY for parameter in others)

    def test_documents_what_it_takes(self, metric):
        text = metric.function.__doc__
        for name in signature(metric.function).parameters:
            assert name in text or name == "conf_level" or "Parameters" not in text

"""Forecasts as text read back as what was fitted; they are fitted once for all reports."""

import json
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from retention_kit import models
from retention_kit.errors import MetricError
from retention_kit.messages import Listed, Message, Number, Period
from retention_kit.models import serialization

TERMS = {"horizon_weeks": 104, "yearly_rate": 0.1, "months": 24, "min_cell": 10}


@pytest.fixture(scope="module")
def asked(sample_counts) -> dict:
    markets = {code: sample_counts.source.markets[code] for code in ("DK", "RO")}
    return {"markets": markets, "as_of": "2026-01-01", "holdout_weeks": 26, "min_cell": 10}


@pytest.fixture(scope="module")
def serialized(sample_counts, asked) -> pd.DataFrame:
    return models.serialized_forecasts(sample_counts.tables, **asked)["forecasts"]


def test_a_serialized_forecast_is_the_one_that_was_fitted(sample_counts, asked, serialized):
    fitted = models.purchase_forecasts(sample_counts.tables, sample_counts.tables, **asked)
    for code in ("DK", "RO"):
        here = sample_counts.of(code)
        read, own = models.deserialized_forecast(serialized, here.rfm_counts, market=here.market), fitted.of(code)
        assert (read.market, read.law, read.notes, read.next_year) == (
            own.market,
            own.law,
            own.notes,
            own.next_year,
        )
        for part in fields(own.patterns):
            np.testing.assert_array_equal(getattr(read.patterns, part.name), getattr(own.patterns, part.name))
        np.testing.assert_array_equal(read.market_model.model.parameters, own.market_model.model.parameters)
        np.testing.assert_array_equal(read.market_model.model.fit.covariance, own.market_model.model.fit.covariance)
        assert read.spend.fit.estimates == own.spend.fit.estimates
        pd.testing.assert_frame_equal(read.tested.buckets, own.tested.buckets)
        numbers = [part.name for part in fields(own.tested) if part.name != "buckets"]
        assert [getattr(read.tested, name) for name in numbers] == [getattr(own.tested, name) for name in numbers]
        here_ahead, own_ahead = (
            models.customer_value(f, here.rfm_counts, here.acquisition_counts, **TERMS) for f in (read, own)
        )
        assert here_ahead.orders_ahead == own_ahead.orders_ahead
        assert here_ahead.clv == own_ahead.clv
        pd.testing.assert_frame_equal(here_ahead.payback, own_ahead.payback)
        pd.testing.assert_frame_equal(here_ahead.predictions, own_ahead.predictions)


def test_what_is_serialized_is_text_that_any_reader_of_json_takes(serialized):
    assert list(serialized) == ["market", "forecast"]
    for text in serialized["forecast"]:
        assert json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))["kind"] == "mapping"
        assert len(text) < 10_000


def test_a_message_is_written_with_its_facts_for_every_language():
    told = Message("{market}: {n} of them.", market="Romania", n=1204)
    deep = Message("{a} in {b}: {c}", a=Number(0.5, 1, is_share=True), b=Period("2024-Q1"), c=Listed(["x", told]))
    again = serialization._from_json(json.loads(json.dumps(serialization._to_json(deep))))
    assert (again, again.facts) == ("50.0% in 2024-Q1: x, Romania: 1,204 of them.", deep.facts)
    assert again.facts["c"].parts[1].facts == told.facts
    assert isinstance(again.facts["b"], Period)
    read = serialization._from_json(
        json.loads(json.dumps(serialization._to_json({"why": told, "at": (1, 2.5), "none": None})))
    )
    assert read == {"why": "Romania: 1,204 of them.", "at": (1, 2.5), "none": None}
    assert (read["why"].template, read["why"].facts) == (told.template, told.facts)


def test_the_group_says_that_each_market_has_a_forecast_of_its_own(sample_counts, serialized):
    group = sample_counts.of("ALL")
    found = models.deserialized_forecast(serialized, group.rfm_counts, market=group.market)
    assert found.withheld == (
        "All markets: customers differ by market, and so do currencies: each market has a forecast of its own."
    )
    ahead = models.customer_value(found, group.rfm_counts, group.acquisition_counts, **TERMS)
    assert (ahead.orders_ahead, ahead.clv, ahead.n_still) == (None, None, 0.0)
    assert ahead.predictions.empty


def test_a_market_that_was_not_fitted_is_named(sample_counts, serialized):
    here = sample_counts.of("NL")
    with pytest.raises(MetricError, match=r"^There is no forecast of 'NL'\.\n  found: forecasts of DK, RO\n"):
        models.deserialized_forecast(serialized, here.rfm_counts, market=here.market)


def test_markets_asked_for_together_say_what_each_says_alone(sample_counts, asked, serialized):
    found = models.customer_values(serialized, sample_counts.tables, markets=asked["markets"], codes=["RO"], **TERMS)
    here = sample_counts.of("RO")
    alone = models.customer_value(
        models.deserialized_forecast(serialized, here.rfm_counts, market=here.market),
        here.rfm_counts,
        here.acquisition_counts,
        **TERMS,
    )
    assert list(found) == ["RO"]
    assert found["RO"].clv == alone.clv


def test_few_newcomers_since_the_hold_out_hide_who_was_there_before(sample_counts, asked):
    """Customers of now, less those that the back-test tells of, would be these few."""
    facts = asked | {"min_cell": 2622 - 1909 + 1, "markets": {"DK": asked["markets"]["DK"]}}
    found = models.purchase_forecasts(sample_counts.tables, sample_counts.tables, **facts).of("DK")
    assert found.tested is None
    assert found.notes["test"] == "Denmark: fewer than 714 customers came in the last 26 weeks."


def test_a_retention_curve_has_the_periods_that_are_asked_for(sample_counts, serialized):
    here = sample_counts.of("RO")
    forecast = models.deserialized_forecast(serialized, here.rfm_counts, market=here.market)
    curves = {
        grain: models.customer_value(forecast, here.rfm_counts, here.acquisition_counts, grain=grain, **TERMS).activity
        for grain in ("day", "week", "month", "quarter", "year")
    }
    assert {grain: len(curve) for grain, curve in curves.items()} == {
        "day": 36, "week": 36, "month": 24, "quarter": 8, "year": 2,
    }  # fmt: skip
    first = [curve["activity"].iloc[0] for curve in curves.values()]
    assert first == sorted(first)  # more customers order in a longer period


def test_what_a_note_holds_is_read_as_what_it_is():
    names = Listed([Message("{n} markets", n=3), "DK"])
    note = Message(
        "{off} in {when}: {names}", off=Number(0.125, digits=1, is_share=True), when=Period("2024-Q1"), names=names
    )
    read = serialization._from_json(json.loads(json.dumps(serialization._to_json({"test": note}))))["test"]
    assert (read, read.template, read.facts) == (note, note.template, note.facts)
    assert [type(fact) for fact in read.facts.values()] == [Number, Period, Listed]
    assert isinstance(read.facts["names"].parts[0], Message)

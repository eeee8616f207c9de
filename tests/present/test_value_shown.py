"""The models as a reader sees them: sentences, tables and figures of the sample, and of a forecast that is withheld."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import company
import pytest
from matplotlib import pyplot as plt

from retention_kit import counts, ingest, models
from retention_kit.counts.patterns import purchase_counts, segment_counts, worth_counts
from retention_kit.models import CustomerValue
from retention_kit.present import figures, value

TERMS = {"horizon_weeks": 104, "yearly_rate": 0.1, "months": 24, "min_cell": 10}
NUMBERS_OF_THE_FORECAST = ("expected to order", "is worth")


@pytest.fixture(scope="module")
def purchases(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retention_kit.counts.counting.store_root", lambda: tmp_path_factory.getbasetemp())
        return purchase_counts(ingest.source("sample"), as_of="2026-01-01", holdout_weeks=26)


@pytest.fixture(scope="module")
def forecast(sample_counts, purchases):
    markets = {code: sample_counts.source.markets[code] for code in sample_counts.markets}
    facts = {"markets": markets, "as_of": "2026-01-01", "holdout_weeks": 26, "min_cell": 10}
    return models.purchase_forecasts(sample_counts.tables, purchases.tables, **facts).of("DK")


@pytest.fixture(scope="module")
def denmark_ahead(sample_counts, forecast) -> CustomerValue:
    here = sample_counts.of("DK")
    return models.customer_value(forecast, here.rfm_counts, here.acquisition_counts, **TERMS)


@pytest.fixture(scope="module")
def withheld(sample_counts, forecast) -> CustomerValue:
    """Return what is forecast of Denmark, had as many orders been made as in the period before."""
    lost = replace(forecast.tested, actual=forecast.tested.last_period * 3, last_period=forecast.tested.last_period * 3)
    here = sample_counts.of("DK")
    return models.customer_value(replace(forecast, tested=lost), here.rfm_counts, here.acquisition_counts, **TERMS)


@pytest.fixture(scope="module")
def joined(denmark_ahead, sample_counts, purchases):
    rfm = sample_counts.tables["rfm_counts"].query("market != 'ALL'")
    cuts = models.rfm_cuts(rfm, purchases.tables["spend_counts"])
    with counts.engine(ingest.source("sample"), as_of="2026-01-01", grains=["quarter"]) as engine:
        scored = segment_counts(engine, cuts).query("market == 'DK'")
        return worth_counts(engine, denmark_ahead.predictions), scored


def test_the_answer_tells_orders_the_back_test_worth_and_payback(denmark_ahead):
    told = [sentence.replace("\xa0", " ") for sentence in value.sentences(denmark_ahead)]
    assert told[0].startswith("Denmark: the 2,622 customers of today are expected to order on ")
    assert told[1].startswith("Back-test: fitted to what was known on 3 July 2025, the forecast was ")
    assert " were made (" in told[1]
    assert "Naive forecasts: as many as in the period before, −" in told[1]
    assert told[2].startswith("A new customer is worth DKK ")
    assert "95% interval DKK" in told[2]
    assert "discounted by 10% a year" in told[2]
    assert told[3].endswith(" are paid back by the first order.")
    assert len(told) == 4
    assert value.in_short(denmark_ahead).text.count("\n- ") == 3


def test_the_badge_says_whether_the_forecast_holds(denmark_ahead, withheld):
    assert 'data-holds="true"' in value.badge(denmark_ahead.forecast).html
    assert 'data-holds="false"' in value.badge(withheld.forecast).html
    assert value.badge(withheld.forecast).text.endswith(" The forecast is withheld: a naive one was nearer.")


def test_a_withheld_forecast_says_so_and_shows_nothing_of_itself(withheld, sample_counts, house_style):
    told = value.sentences(withheld)
    assert told[0].startswith(
        "Denmark: the forecast is withheld: on the 26 weeks held out a naive forecast was nearer ("
    )
    assert not any(words in sentence for sentence in told for words in NUMBERS_OF_THE_FORECAST)
    assert withheld.clv is None
    assert "the forecast is withheld" in value.still_customers(withheld, min_cell=10).text
    sheet = company.sheet_of(sample_counts.of("DK"))
    assert "the forecast is withheld" in value.worth_beside(withheld, sheet).text
    for figure in (
        value.payback_curve(withheld),
        value.retention_forecast(sheet.tables["pooled_retention"], withheld),
    ):
        assert "nothing to show" in figures.alt_text(figure)
    with counts.engine(ingest.source("sample"), as_of="2026-01-01", grains=["quarter"]) as engine:
        worth = worth_counts(engine, withheld.predictions)
    assert worth.empty
    assert "the forecast is withheld" in value.concentrated(worth, withheld, min_cell=10).text
    assert "the forecast is withheld" in value.worth_by(worth, withheld, by="cohort", min_cell=10).text


@pytest.mark.usefixtures("house_style")
def test_figures_say_what_they_show_and_are_the_same_bytes_each_time(denmark_ahead, sample_counts):
    pooled = company.sheet_of(sample_counts.of("DK")).tables["pooled_retention"]
    for drawn in (
        lambda: value.retention_forecast(pooled, denmark_ahead),
        lambda: value.payback_curve(denmark_ahead),
    ):
        told = figures.alt_text(drawn())
        svg = figures.svg(drawn())
        assert svg == figures.svg(drawn())
        assert ET.fromstring(svg).get("aria-label") == told
        assert "nan" not in told
        assert plt.get_fignums() == []


def test_tables_have_no_number_that_is_none_and_add_up(denmark_ahead, joined, forecast, sample_counts, purchases):
    worth, scored = joined
    shown = [
        value.buckets(forecast, min_cell=10),
        value.parameters(forecast),
        value.laws(models.laws_compared(purchases.tables, forecast, holdout_weeks=26)),
        value.still_customers(denmark_ahead, min_cell=10),
        value.worth_beside(denmark_ahead, company.sheet_of(sample_counts.of("DK"))),
        value.concentrated(worth, denmark_ahead, min_cell=10),
        value.worth_by(worth, denmark_ahead, by="acquisition_channel", min_cell=10),
        value.worth_by(worth, denmark_ahead, by="cohort", min_cell=10),
        value.rfm_segments(scored, denmark_ahead, min_cell=10),
    ]
    for table in shown:
        assert "nan" not in table.text.lower().replace("finance", "")
        assert "<table" in table.html
    assert worth["n_customers"].sum() == scored["n_customers"].sum() == 2622
    discounted = (denmark_ahead.predictions["expected_orders"] * denmark_ahead.predictions["n_customers"]).sum()
    per_order = worth["worth_minor"].sum() / 100 / discounted
    assert per_order == pytest.approx(denmark_ahead.clv.order_value * 0.44, rel=0.15)


def test_small_groups_are_hidden(denmark_ahead, joined):
    worth, scored = joined
    assert "hidden" in value.worth_by(worth, denmark_ahead, by="acquisition_channel", min_cell=200).text
    assert "hidden" in value.rfm_segments(scored, denmark_ahead, min_cell=300).text
    assert "hidden" in value.buckets(denmark_ahead.forecast, min_cell=100).text
    assert "hidden" in value.still_customers(denmark_ahead, min_cell=400).text


def test_the_group_has_no_forecast_of_its_own(sample_counts, purchases):
    markets = {"DK": sample_counts.source.markets["DK"]}
    facts = {"markets": markets, "as_of": "2026-01-01", "holdout_weeks": 26, "min_cell": 10}
    found = models.purchase_forecasts(sample_counts.tables, purchases.tables, **facts)
    with pytest.raises(
        ValueError, match=r"^There is no forecast of 'ALL'\.\n  found: forecasts of DK\n  try:   each market"
    ):
        found.of("ALL")


def test_a_market_of_a_few_customers_is_hidden(sample_counts, purchases):
    facts = {"markets": {"DK": sample_counts.source.markets["DK"]}, "as_of": "2026-01-01", "holdout_weeks": 26}
    hidden = models.purchase_forecasts(sample_counts.tables, purchases.tables, min_cell=3000, **facts).of("DK")
    here = sample_counts.of("DK")
    customer_value = models.customer_value(hidden, here.rfm_counts, here.acquisition_counts, **TERMS)
    told = value.sentences(customer_value)
    assert told == [
        "Denmark: hidden: fewer than 3000 customers.",
        "Not back-tested. Denmark: hidden: fewer than 3000 customers.",
    ]
    assert "hidden" in value.parameters(hidden).text
    assert customer_value.predictions.empty


def test_what_the_back_test_was_off_widens_the_interval_ahead(denmark_ahead, sample_counts, forecast):
    here = sample_counts.of("DK")
    off = replace(forecast, tested=replace(forecast.tested, forecast=forecast.tested.actual * 1.1))
    wide = models.customer_value(off, here.rfm_counts, here.acquisition_counts, **TERMS)
    expected, lower, upper = denmark_ahead.orders_ahead
    assert wide.orders_ahead[0] == expected
    assert wide.orders_ahead[1] < lower < expected < upper < wide.orders_ahead[2]
    assert wide.orders_ahead[2] - expected > 1.9 * 0.1 * expected


def test_without_a_model_the_page_says_why(sample_counts, purchases):
    """Of one market alone with a handful of customers there is nothing to learn, and nobody to borrow from."""
    few = {name: table.query("market == 'DK'") for name, table in sample_counts.tables.items()}
    few["rfm_counts"] = few["rfm_counts"].query("frequency < 2").head(20)
    alone = {name: table.query("market == 'DK'").head(0) for name, table in purchases.tables.items()}
    facts = {
        "markets": {"DK": sample_counts.source.markets["DK"]},
        "as_of": "2026-01-01",
        "holdout_weeks": 26,
        "min_cell": 10,
    }
    lost = models.purchase_forecasts(few, alone, **facts).of("DK")
    here = sample_counts.of("DK")
    customer_value = models.customer_value(lost, few["rfm_counts"], here.acquisition_counts, **TERMS)
    told = value.sentences(customer_value)
    assert told == [
        "Denmark: fewer than 10 repeat buyers, and no purchase model that they or other markets determine.",
        "Not back-tested. Denmark: no model could be fitted 26 weeks ago, so that none was tested.",
    ]
    assert "no purchase model" in value.parameters(lost).text
    assert "no model could be fitted" in value.buckets(lost, min_cell=10).text
    assert value.laws(models.laws_compared(alone, lost, holdout_weeks=26)).text.endswith(
        "no law could be fitted to this market alone"
    )


def test_markets_stand_side_by_side_each_in_its_own_money(sample_counts, denmark_ahead, withheld):
    shown = value.markets_ahead({"DK": denmark_ahead, "XX": withheld})
    told = shown.text.replace("\xa0", " ")
    assert "Denmark                                6,552 6,145 to 6,959            DKK 1,365.61" in told
    assert told.count("the forecast is withheld") == 1
    assert "Worth: of the next 104 weeks, less 10% a year" in told
    assert value.markets_ahead({}).text.startswith("What customers will order, and what one is worth")


def test_a_figure_of_weeks_says_weeks(sample_counts, forecast):
    here = sample_counts.of("DK")
    weekly = models.customer_value(forecast, here.rfm_counts, here.acquisition_counts, grain="week", **TERMS)
    pooled = company.sheet_of(here).tables["pooled_retention"]
    figure = value.retention_forecast(pooled, weekly)
    assert figure.axes[0].get_title(loc="left") + figure.axes[0].get_title() == (
        "Customers who order in each week after their first"
    )
    assert figure.axes[0].get_xlabel() == "age, in weeks since the week of the first order"

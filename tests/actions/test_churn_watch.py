"""The churn watch: a risk that can be believed, reasons by hand, a list that names nobody and nobody twice."""

import json
import stat
from dataclasses import replace

import company
import duckdb
import numpy as np
import pandas as pd
import pytest

from retention_kit import actions, counts, ingest, models
from retention_kit.actions import (
    alert,
    at_risk,
    lapse_predictions,
    lapse_probability,
    risk_then,
    risk_validation,
    watch_terms,
    write_alerts,
)
from retention_kit.actions.churn import lapse_and_orders
from retention_kit.counts.patterns import purchase_counts
from retention_kit.counts.watch import KEY_VARIABLE, keep_list, past_list_counts, watch_counts, watch_list, watched
from retention_kit.errors import DataError, MetricError, UsageError
from retention_kit.models.patterns import checked
from retention_kit.present import actions as shown
from retention_kit.present import offers as offered

KEY = "0123456789abcdef"


def forecasts_of(source, *, as_of, holdout_weeks, law=actions.LAW):
    counted = counts.count(source, as_of=as_of, grains=["month", "quarter"])
    purchases = purchase_counts(source, as_of=as_of, holdout_weeks=holdout_weeks)
    known = {code: source.markets[code] for code in counted.markets}
    asked = {"markets": known, "as_of": as_of, "holdout_weeks": holdout_weeks, "min_cell": source.min_cell}
    found = models.purchase_forecasts(counted.tables, purchases.tables, law=law, **asked)
    return counted, found, risk_then(purchases.tables["holdout_counts"], found, holdout_weeks=holdout_weeks)


@pytest.fixture(scope="module")
def sample():
    return forecasts_of(ingest.source("sample"), as_of="2026-01-01", holdout_weeks=13)


@pytest.mark.xdist_group("sample")
def test_on_the_sample_the_risk_is_better_than_silence_and_can_be_taken_at_its_word(sample):
    _, _, told = sample
    for window_days in (None, 90):
        found = risk_validation(told, window_days=window_days)
        assert found.auc > found.silence_auc + 0.02
        assert found.brier < found.silence_brier - 0.01
        assert 0.8 < found.slope < 1.2
    assert found.precision > found.silence_precision + 0.1  # of those who are watched
    for market in told["market"].unique():
        found = risk_validation(told[told["market"] == market], window_days=90)
        assert found.auc > found.silence_auc
        assert found.brier < found.silence_brier
        assert 0.8 < found.slope < 1.2, market


@pytest.mark.parametrize("name", [pytest.param("master", marks=pytest.mark.slow), "sample"])
def test_on_cdnow_the_risk_is_better_than_silence_and_its_slope_is_right(shared, name):
    source = ingest.source("cdnow", files={"orders": str(shared / "data" / f"cdnow_{name}.parquet")})
    split = {"as_of": "1998-07-01", "holdout_weeks": 39}  # from 1 October 1997 on all is held out
    told = forecasts_of(source, **split)[2]
    watched = risk_validation(told, window_days=90)
    assert watched.auc > watched.silence_auc + 0.08
    assert watched.brier < watched.silence_brier - 0.005
    assert watched.precision > watched.silence_precision + 0.05
    assert 0.8 < watched.slope < 1.2
    # of all who ever bought, most are long gone, and few weeks of silence tell them apart: the risk is a little better
    everybody = risk_validation(told)
    assert everybody.auc > everybody.silence_auc
    assert 0.8 < everybody.slope < 1.2
    # what it is not: nearer in the mean square than the share that lapsed after as many weeks, told the answer
    assert everybody.silence_brier < everybody.brier < everybody.silence_brier + 0.01
    # and MBG/NBD tells them apart a little worse than silence
    other = risk_validation(forecasts_of(source, **split, law="mbg_nbd")[2])
    assert other.auc < everybody.silence_auc
    assert 0.8 < other.slope < 1.2


@pytest.mark.parametrize("law", ["pareto_nbd", "mbg_nbd"])
def test_the_chance_of_no_order_is_that_of_customers_drawn_from_the_law(law):
    law, parameters = models.LAWS[law], np.array([0.5, 6, 0.9, 1.6 if law == "mbg_nbd" else 9.0])
    known = checked([0, 2, 5], [0, 10, 30], [20, 30, 31], [1, 1, 1])
    draws = [law.drawn(parameters, known, 13, np.random.default_rng(seed)) == 0 for seed in range(8000)]
    lapse, orders = lapse_and_orders(law, parameters, known, weeks=13)
    assert lapse == pytest.approx(np.mean(draws, axis=0), abs=0.02)
    assert orders == pytest.approx((0.5 + known.x) / (6 + known.T) * 13)


def test_the_chance_of_no_order_of_a_model_is_that_of_its_law():
    law = models.LAWS["pareto_nbd"]
    drawn = law.simulated(np.array([0.5, 6, 0.9, 9.0]), np.full(4000, 40.0), np.random.default_rng(1))
    fitted = models.fit_purchases(drawn, name="Denmark", law="pareto_nbd")
    known = checked([0, 2], [0, 10], [20, 30], [1, 1])
    assert lapse_probability(fitted, known, weeks=13).tolist() == (
        lapse_and_orders(law, fitted.parameters, known, weeks=13)[0].tolist()
    )


def test_nobody_is_alerted_because_bg_nbd_says_so():
    law = models.LAWS["bg_nbd"]
    known = law.simulated(np.array([0.5, 6, 0.9, 2.6]), np.full(4000, 40.0), np.random.default_rng(1))
    model = models.fit_purchases(known, name="Denmark", law="bg_nbd")
    with pytest.raises(UsageError) as error:
        lapse_probability(model, known, weeks=13)
    assert str(error.value) == (
        "Nobody is alerted because BG/NBD says so.\n"
        "  found: a model of BG/NBD\n"
        "  try:   law='pareto_nbd' or 'mbg_nbd', which can doubt a customer who ordered once"
    )


def told(*rows) -> pd.DataFrame:
    columns = ["recency", "age", "n_customers", "n_active", "lapse"]
    return pd.DataFrame(rows, columns=columns).assign(unit_days=7)


def test_a_risk_is_judged_by_hand():
    # three of .8 of whom two lapsed, two of .2 of whom one did; silent for 1 week and for 9
    found = risk_validation(told((9, 10, 3, 1, 0.8), (1, 10, 2, 1, 0.2)))
    # of 3 × 2 pairs of one who lapsed and one who stayed: 2 × 1 right, 1 × 1 wrong, 2 × 1 and 1 × 1 tied
    assert found.auc == pytest.approx((2 + 3 / 2) / 6)
    assert found.silence_auc == pytest.approx((1 + 3 / 2) / 6)
    assert found.brier == pytest.approx((2 * 0.04 + 1 * 0.64 + 1 * 0.64 + 1 * 0.04) / 5)
    assert found.silence_brier == pytest.approx((3 * (2 / 3) * (1 / 3) + 2 * (1 / 2) * (1 / 2)) / 5)
    assert (found.precision, found.silence_precision) == pytest.approx((2 / 3, 1 / 2))
    # log odds log 2 at log 4, and 0 at −log 4: slope 1/4, intercept log 2 / 2
    assert (found.slope, found.intercept) == pytest.approx((0.25, np.log(2) / 2))
    assert found.calibration["lapsed"].tolist() == pytest.approx([1 / 2, 2 / 3])
    only = risk_validation(told((9, 10, 3, 1, 0.8), (1, 10, 2, 1, 0.2)), window_days=30)
    assert only.n_customers == 3


def test_a_risk_cannot_be_judged_where_all_did_the_same():
    with pytest.raises(MetricError) as error:
        risk_validation(told((9, 10, 3, 3, 0.8)))
    assert str(error.value) == (
        "A risk cannot be judged where all did the same.\n"
        "  found: 0 of 3 lapsed\n"
        "  try:   a longer hold-out, or another horizon"
    )


# ---- reasons, by hand


CHARACTERS = {
    "steady": (1, ["2024-10-05", "2024-11-05", "2024-12-05"]),
    "silent": (1, ["2024-10-01", "2024-10-08", "2024-10-15"]),
    "gone": (1, ["2024-03-01", "2024-04-01"]),
    "angry": (1, ["2024-12-20"]),
    "waiting": (1, ["2024-12-20"]),
    "welcome": (1, ["2024-12-20"]),
    "quiet": (1, ["2024-12-20"]),
}
TICKETS = """customer_id,opened_at,first_response_at,resolved_at,kind
DK-angry-0,2024-12-21T10:00:00Z,2024-12-21T11:00:00Z,2024-12-21T12:00:00Z,complaint
DK-waiting-0,2024-12-21T10:00:00Z,2024-12-21T11:00:00Z,,question
DK-welcome-0,2024-12-20T10:00:00Z,,,onboarding
DK-steady-0,2024-05-21T10:00:00Z,,,complaint
"""
VISITS = "\n".join(
    [
        "customer_id,occurred_at,kind",
        *(f"DK-quiet-0,2024-10-{day:02d}T10:00:00Z,visit" for day in range(1, 8)),
        "DK-quiet-0,2024-12-25T10:00:00Z,visit",
        *(f"DK-steady-0,2024-10-{day:02d}T10:00:00Z,visit" for day in range(1, 7)),
        "DK-steady-0,2024-12-25T10:00:00Z,visit",
        "",
    ]
)
TERMS = {"DK": {"margin": 0.5, "effect": 0.1, "cost_minor": 100, "n_offers": 2}}


@pytest.fixture(scope="module")
def danes(tmp_path_factory):
    rows = company.orders(CHARACTERS)
    rows.append("small-1,DK-small-0,DK,2024-10-05T12:00:00Z,100,DKK")
    rows.append("small-2,DK-small-0,DK,2024-11-05T12:00:00Z,100,DKK")
    rows.append("small-3,DK-small-0,DK,2024-12-05T12:00:00Z,20,DKK")
    folder = company.write(tmp_path_factory.mktemp("danes"), rows, tickets=TICKETS, engagement=VISITS)
    source = ingest.source(str(folder))
    rfm = counts.count(source, as_of=company.AS_OF, grains=["month"]).of("DK").rfm_counts
    return source, rfm[["market", "frequency", "recency", "age"]].assign(lapse=0.25, orders_if_here=4.0)


def test_reasons_are_counted_by_hand(danes):
    source, predictions = danes
    with counts.engine(source, as_of=company.AS_OF, grains=["quarter"]) as engine:
        found = watch_counts(engine, predictions, terms=TERMS)
        flags = "silent, smaller, quieter, unhappy, trouble"
        people = engine.values(f"SELECT customer_id, {flags}, value_minor, saved_minor FROM watched_customers")
    by_name = {name.split("-")[1]: rest for name, *rest in people}
    # gone is not watched; 4 orders of 100.00 at a margin of 1/2 are 200.00, of which .25 × .1 less 1.00 is 4.00
    assert {name: tuple(flags[:5]) for name, flags in by_name.items()} == {
        "steady": (0, 0, 0, 0, 0),  # 6 visits before, and one since: 1 × 6 is not less than 6; an old complaint
        "silent": (1, 0, 0, 0, 0),
        "small": (0, 1, 0, 0, 0),  # 20 is less than half of the mean of 73.33
        "quiet": (0, 0, 1, 0, 0),  # 7 before, one since
        "angry": (0, 0, 0, 1, 0),
        "waiting": (0, 0, 0, 0, 1),  # answered, and not resolved for eleven days
        "welcome": (0, 0, 0, 0, 0),
    }
    assert by_name["steady"][5:] == [200_00, 4_00]
    assert found["n_customers"].sum() == 7
    assert found["lapse"].sum() == 7 * 250_000
    assert set(found["risk_tenth"]) == {2}
    rows = at_risk(found, reasons=actions.REASONS, minor_per_unit=100).set_index("reason")
    assert rows["n_customers"].tolist() == [7, 1, 1, 1, 1, 1]
    assert rows.loc["all who are watched", "risk"] == pytest.approx(0.25)


def test_a_prediction_that_is_no_chance_is_refused(danes):
    source, predictions = danes
    with (
        counts.engine(source, as_of=company.AS_OF, grains=["quarter"]) as engine,
        pytest.raises(DataError) as error,
    ):
        watch_counts(engine, predictions.assign(lapse=1.5), terms=TERMS)
    assert error.value.what == "A prediction is not a chance or a number of orders."


# ---- the list of some weeks ago


def test_what_became_of_an_earlier_list_is_counted_by_hand(tmp_path):
    # on 2 October, 13 weeks before 2025: 'early' and 'late' are watched, 'gone' is not, 'after' had never ordered
    people = {
        "early": (2, ["2024-07-10", "2024-11-05"]),
        "late": (3, ["2024-09-20"]),
        "gone": (1, ["2024-03-01", "2024-11-01"]),
        "after": (1, ["2024-11-01"]),
    }
    source = ingest.source(str(company.write(tmp_path, company.orders(people))))
    now = counts.count(source, as_of=company.AS_OF, grains=["month"]).of("DK").rfm_counts.assign(lapse=0.5)
    then = purchase_counts(source, as_of=company.AS_OF, holdout_weeks=13).tables["holdout_counts"]
    told_then = then.assign(lapse=np.where(then["age"] > 8, 0.9, 0.5), orders_if_here=1.0)
    with counts.engine(source, as_of=company.AS_OF, grains=["quarter"]) as engine:
        watch_counts(engine, now.assign(orders_if_here=1.0), terms=TERMS)
        found = past_list_counts(engine, told_then, holdout_weeks=13, capacity=2)
        all_of_them = past_list_counts(engine, told_then, holdout_weeks=13, capacity=9)
        nobody = past_list_counts(engine, told_then, holdout_weeks=13, capacity=0)
    rows = {table: t.set_index("rule")[["n_customers", "n_lapsed"]].T.to_dict("list") for table, t in
            {"found": found, "all": all_of_them, "nobody": nobody}.items()}  # fmt: skip
    # the two of the higher risk are also the two who were silent longest, and both came back
    assert rows["found"] == {"all": [5, 3], "list": [2, 0], "silence": [2, 0]}
    assert rows["all"] == {"all": [5, 3], "list": [5, 3], "silence": [5, 3]}
    assert rows["nobody"] == {"all": [5, 3]}
    told = actions.past_list(all_of_them, min_cell=3)
    assert (told.n_listed, told.lapsed, told.silence, told.everybody) == (5, 0.6, 0.6, 0.6)
    assert told.lower < 0.6 < told.upper
    assert "60.0% have not ordered since" in offered.past_list(told, horizon_days=91).text
    assert actions.past_list(found, min_cell=3) is None
    assert actions.past_list(nobody, min_cell=3) is None
    assert "too few to be told" in offered.past_list(None, horizon_days=91).text


# ---- the list


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def watch_of(danes, folder, *, capacity=10, again_after_days=30, **terms):
    source, predictions = danes
    asked = {"as_of": company.AS_OF, "market": "DK", "holdout_weeks": 13, "folder": folder}
    terms = {"DK": TERMS["DK"] | terms}
    limits = {"capacity": capacity, "again_after_days": again_after_days}
    return watched(source, predictions, predictions, terms=terms, **asked, **limits)


def listed_of(danes, **terms):
    return watch_of(danes, None, **terms).listed


@pytest.fixture
def no_key(monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def kept_rows(folder, table="alerts") -> list[tuple]:
    with duckdb.connect(str(folder / "DK.duckdb"), read_only=True) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


def test_without_a_key_the_list_stays_in_a_table_of_the_engine_for_its_owner_alone(danes, no_key, tmp_path):
    folder = tmp_path / "alerts"
    found = watch_of(danes, folder)
    assert found.listed is None
    assert [path.name for path in folder.iterdir()] == ["DK.duckdb"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "DK.duckdb").stat().st_mode) == 0o600
    facts = {"market": danes[0].markets["DK"], "as_of": company.AS_OF, "capacity": 10, "again_after_days": 30}
    told = alert(found.listed, found.kept, folder=folder, **facts)
    assert (told.n_listed, told.n_again, told.n_spared, told.place) == (7, 0, 0, "table")
    text = offered.alerted(told, currency="DKK", min_cell=3, key_variable=KEY_VARIABLE).text
    assert "The list holds 7 customers" in text
    assert "It stays with the engine" in text
    rows = kept_rows(folder)
    assert {row[1] for row in rows} == {f"DK-{name}-0" for name in [*CHARACTERS, "small"] if name != "gone"}
    before = (rows, kept_rows(folder, "alerted"))
    again = watch_of(danes, folder)
    pd.testing.assert_frame_equal(again.kept, found.kept)
    assert (kept_rows(folder), kept_rows(folder, "alerted")) == before


def test_the_kept_list_is_that_of_the_files(danes, monkeypatch, tmp_path):
    """Four lists, cut at three, a month and less apart; then all got worse: files and table name as many each time."""
    source, predictions = danes
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    told = []
    with counts.engine(source, as_of=company.AS_OF, grains=["quarter"]) as engine:
        for lapse, day in ((0.25, 20089), (0.25, 20090), (0.25, 20100), (0.25, 20119), (0.45, 20120), (0.45, 20120)):
            watch_counts(engine, predictions.assign(lapse=lapse), terms=TERMS)
            files = write(watch_list(engine, market="DK"), tmp_path / "files", day=day, capacity=3)
            limits = {"as_of_day": day, "capacity": 3, "again_after_days": 30}
            kept = keep_list(engine, folder=tmp_path / "table", market="DK", **limits)
            table = alert(None, kept, folder=tmp_path, market=source.markets["DK"], as_of=company.AS_OF, capacity=3,
                          again_after_days=30)  # fmt: skip
            assert replace(table, place="files") == files
            told.append((files.n_listed, files.n_again, files.n_spared))
    # run again on the same day, those who were on an earlier list are known from today already
    assert told == [(3, 0, 0), (3, 0, 3), (1, 0, 6), (3, 3, 4), (3, 3, 0), (3, 0, 0)]


def test_a_list_that_another_run_holds_or_that_is_torn_is_told(danes, no_key, tmp_path, monkeypatch):
    monkeypatch.setattr("retention_kit.counts.watch._PATIENCE_SECONDS", 0.3)
    (tmp_path / "DK.duckdb").write_bytes(b"this is no database, and long enough to be read as one" * 100)
    with pytest.raises(DataError) as error:
        watch_of(danes, tmp_path)
    assert error.value.what.startswith("The list of earlier alerts, 'DK.duckdb', ")
    assert error.value.what.endswith("cannot be opened.")
    assert "then everybody may be alerted again" in error.value.to_try


def test_an_engine_that_is_only_read_keeps_no_list(danes, no_key, tmp_path):
    class OnlyRead:
        """An engine that is none of the embedded ones."""

    facts = {"market": danes[0].markets["DK"], "as_of": company.AS_OF, "capacity": 5, "again_after_days": 30}
    limits = {"market": "DK", "as_of_day": 20089, "capacity": 5, "again_after_days": 30}
    assert keep_list(OnlyRead(), folder=tmp_path / "alerts", **limits) is None
    assert alert(None, None, folder=tmp_path / "alerts", **facts) is None
    assert not (tmp_path / "alerts").exists()
    assert "keeps no table of ours" in offered.alerted(None, currency="DKK", min_cell=3, key_variable="KEY").text


def test_a_short_key_hides_nobody(danes, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    with pytest.raises(UsageError) as error:
        listed_of(danes)
    assert str(error.value) == (
        "RETENTION_KIT_ALERTS_KEY is too short to hide who a customer is.\n"
        "  found: 6 bytes\n"
        "  try:   at least 16, drawn at random"
    )


def test_nobody_is_listed_whom_an_offer_costs_more_than_it_saves(danes, key):
    assert len(listed_of(danes)) == 7
    assert listed_of(danes, cost_minor=1000).empty


def write(listed, folder, *, day=20089, capacity=10, **facts):
    return write_alerts(
        listed, folder=folder, market="DK", as_of_day=day, minor_per_unit=100, capacity=capacity, **facts
    )


def test_the_list_names_pseudonyms_is_its_owners_alone_and_is_the_same_when_run_again(danes, key, tmp_path):
    folder = tmp_path / "alerts"
    listed = listed_of(danes)
    first = write(listed, folder)
    assert (first.n_listed, first.n_again, first.n_spared) == (7, 0, 0)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {"DK.csv", "DK.parquet", ".DK.alerted.json"}
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for name in (*CHARACTERS, "small", "DK-"):
            assert name.encode() not in path.read_bytes().replace(b"silent for longer", b"")
    assert write(listed, folder) == first
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    table = pd.read_csv(folder / "DK.csv")
    pd.testing.assert_frame_equal(table, pd.read_parquet(folder / "DK.parquet"), check_dtype=False)
    assert table["expected_saved_value"].is_monotonic_decreasing
    assert "complained, or gave a low score" in set(table["reasons"])


def test_nobody_is_alerted_twice_within_a_month_unless_he_got_worse(danes, key, tmp_path):
    listed = listed_of(danes)
    write(listed, tmp_path)
    assert write(listed, tmp_path, day=20089 + 29).n_spared == 7
    worse = listed.assign(lapse=[400_000, *[250_000] * 6])
    found = write(worse, tmp_path, day=20089 + 29)
    assert (found.n_listed, found.n_again, found.n_spared) == (1, 1, 6)
    assert write(listed, tmp_path, day=20089 + 30).n_listed == 6  # the one who got worse was alerted a day ago


def test_the_list_is_cut_at_what_the_team_can_do_and_a_budget_of_nothing_lists_nobody(danes, key, tmp_path):
    listed = listed_of(danes)
    assert write(listed, tmp_path, capacity=3).n_listed == 3
    assert write(listed, tmp_path, day=20090, capacity=3).n_listed == 3  # the next ones: three were alerted yesterday
    assert write(listed, tmp_path / "none", capacity=0).n_listed == 0
    with pytest.raises(UsageError) as error:
        write(listed, tmp_path, capacity=-1)
    assert str(error.value) == "A team's capacity is at least 0.\n  found: -1\n  try:   100"


def test_a_record_of_alerts_that_is_torn_is_told(danes, key, tmp_path):
    (tmp_path / ".DK.alerted.json").write_text("{")
    with pytest.raises(DataError) as error:
        write(listed_of(danes), tmp_path)
    assert str(error.value) == (
        "The record of earlier alerts, '.DK.alerted.json', cannot be read.\n"
        "  try:   restore it, or delete it: then everybody may be alerted again"
    )


def test_terms_that_cannot_be_are_refused(danes):
    markets = {"DK": danes[0].markets["DK"]}
    assert watch_terms(markets, effect=0.1, offer_cost=2) == {"DK": {"margin": 1.0, "effect": 0.1, "cost_minor": 200}}
    with pytest.raises(UsageError) as error:
        watch_terms(markets, effect=8, offer_cost=2)
    assert str(error.value) == "An effect is the share of lapses that are averted.\n  found: 8\n  try:   0.08"
    with pytest.raises(UsageError, match="An offer costs at least 0"):
        watch_terms(markets, effect=0.1, offer_cost=-2)


@pytest.mark.xdist_group("sample")
def test_no_customer_of_the_sample_is_in_what_is_shown(sample, no_key, tmp_path):
    counted, forecasts, told_then = sample
    source = ingest.source("sample")
    predicted = lapse_predictions(counted.tables["rfm_counts"], forecasts, horizon_days=91)
    terms = watch_terms({code: source.markets[code] for code in counted.markets}, effect=0.08, offer_cost=2)
    terms = actions.offer_terms(terms, source.markets, budget=500)
    asked = {"as_of": "2026-01-01", "market": "NL", "holdout_weeks": 13, "capacity": 200, "again_after_days": 30}
    now = watched(source, predicted, told_then, terms=terms, folder=tmp_path, **asked)
    rows = now.counts
    table = at_risk(rows, reasons=actions.REASONS, minor_per_unit=100)
    page = [
        shown.reasons(table, currency="EUR", min_cell=10),
        shown.calibration(risk_validation(told_then), min_cell=10),
        shown.watch_in_short(table, risk_validation(told_then), market="NL", currency="EUR", horizon_days=91),
    ]
    made = actions.offers(
        now.offers,
        forecasts,
        effect=actions.assumed_effect(0.08, lower=0, upper=0.16),
        market=source.markets["NL"],
        offer_cost=2,
        horizon_days=91,
    )
    page += [
        offered.offers_in_short(made, currency="EUR", min_cell=10, budget=500),
        offered.offers_by_segment(made, currency="EUR", min_cell=10),
        offered.past_list(actions.past_list(now.past, min_cell=10), horizon_days=91),
    ]
    ids = set(pd.read_parquet("data/sample/customers.parquet", columns=["customer_id"])["customer_id"])
    tables = [rows, now.offers, now.past, now.kept]
    text = " ".join([*(part.html + part.text for part in page), *(json.dumps(t.to_dict("list")) for t in tables)])
    words = set(pd.Series(text).str.findall(r"\w+").explode())
    assert not words & ids

"""Hold-outs, spend and predictions joined back: against plain pandas on CDNOW, and by hand."""

import company
import numpy as np
import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.counts.patterns import purchase_counts, segment_counts, worth_counts
from retention_kit.errors import DataError, UsageError
from retention_kit.models import fit_spend
from retention_kit.models.forecasts import _fitted_spend

AS_OF = "2025-01-01"


@pytest.fixture(autouse=True)
def store_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr("retention_kit.counts.counting.project_root", lambda: tmp_path)


@pytest.fixture(scope="module")
def cdnow(shared) -> tuple[pd.DataFrame, dict]:
    path = shared / "data" / "cdnow_sample.parquet"
    rows = pd.read_parquet(path)
    rows["day"] = (pd.to_datetime(rows["date"]) - pd.Timestamp("1997-01-01")).dt.days
    return rows, {"orders": str(path)}


@pytest.fixture
def denmark(tmp_path):
    """Return a company of 57 Danes; by 1 October 2024, always has ordered on 10 days, gap and left on one."""
    return ingest.source(str(company.write(tmp_path / "company", company.orders(company.DENMARK))))


def test_the_hold_out_of_cdnow_is_that_of_plain_pandas(cdnow):
    rows, files = cdnow
    found = purchase_counts(ingest.source("cdnow", files=files), as_of="1998-07-01", holdout_weeks=39)
    holdout = found.of("US")["holdout_counts"]
    days = rows.drop_duplicates(["customer_id", "day"])
    split = 273
    known = days[days["day"] < split].groupby("customer_id")["day"].agg(["min", "max", "size"])
    expected = pd.DataFrame(
        {
            "frequency": known["size"] - 1,
            "recency": (known["max"] - known["min"]) // 7,
            "age": (split - known["min"]) // 7,
            "n_later": days[days["day"] >= split].groupby("customer_id").size().reindex(known.index, fill_value=0),
        }
    )
    expected = expected.assign(n_customers=1, n_active=(expected["n_later"] > 0).astype(int))
    keys, sums = ["frequency", "recency", "age"], ["n_customers", "n_later", "n_active"]
    expected = expected.groupby(keys)[sums].sum().reset_index()
    pd.testing.assert_frame_equal(holdout[keys + sums], expected, check_dtype=False)
    early, late = (
        round(100 * rows.loc[chosen, "value"].sum()) for chosen in (rows["day"] < split, rows["day"] >= split)
    )
    assert (holdout["before_minor"].sum(), holdout["later_minor"].sum()) == (early, late)
    assert holdout["n_before"].sum() == 2457
    assert holdout["n_active_before"].sum() == 2357


def test_a_hold_out_by_hand(denmark):
    """Ninety-one days before 1 January 2025 is 2 October 2024: new came after it, and is not known then."""
    found = purchase_counts(denmark, as_of=AS_OF, holdout_weeks=13).of("DK")["holdout_counts"]
    rows = found.set_index("frequency")[["n_customers", "n_before", "n_active_before", "n_later", "n_active"]]
    # always: 9 repeat days since 15 December 2023, 3 of them in the 91 days before, 3 after; left: 1 August is in them
    assert rows.loc[9].tolist() == [20, 60, 20, 60, 20]
    assert rows.loc[0].sum().tolist() == [22, 0, 12, 10, 10]
    assert found["before_minor"].sum() == (60 + 12) * 100 * 100


def test_spend_is_binned_to_two_digits_and_adds_up(cdnow):
    rows, files = cdnow
    spend = purchase_counts(ingest.source("cdnow", files=files), as_of="1998-07-01", holdout_weeks=39).of("US")[
        "spend_counts"
    ]
    assert spend["n_customers"].sum() == 2357
    assert spend["revenue_minor"].sum() == round(100 * rows["value"].sum())
    mean = spend["revenue_minor"] / spend["n_customers"] / spend["n_days"]
    paid = spend["spend_bin"] > 0
    width = 10 ** np.maximum(np.floor(np.log10(spend.loc[paid, "spend_bin"])) - 1, 0)
    assert (mean[paid] >= spend.loc[paid, "spend_bin"]).all()
    assert (mean[paid] < spend.loc[paid, "spend_bin"] + width + 1).all()
    assert (spend.loc[~paid, "revenue_minor"] == 0).all()


def test_spend_after_the_first_day_is_that_of_plain_pandas_now_and_one_hold_out_ago(cdnow):
    rows, files = cdnow
    tables = purchase_counts(ingest.source("cdnow", files=files), as_of="1998-07-01", holdout_weeks=39).of("US")
    cents = (
        rows.assign(cents=(100 * rows["value"]).round()).groupby(["customer_id", "day"])["cents"].sum().reset_index()
    )
    later = cents[cents["day"] > cents.groupby("customer_id")["day"].transform("min")]
    for ago, end in ((0, 546), (1, 273)):
        spent = later[later["day"] < end].groupby("customer_id")["cents"].agg(["size", "sum"])
        expected = spent.groupby("size")["sum"].agg(["size", "sum"])
        found = tables["repeat_spend_counts"]
        found = found[(found["holdouts_ago"] == ago) & (found["n_days"] > 0)].groupby("n_days")
        assert found["n_customers"].sum().tolist() == expected["size"].tolist()
        assert found["revenue_minor"].sum().tolist() == expected["sum"].tolist()
    first = tables["repeat_spend_counts"].query("holdouts_ago == 0 and n_days == 0")
    assert first["n_customers"].sum() == 2357
    assert first["revenue_minor"].sum() == cents["cents"].sum() - later["cents"].sum()
    before = later[later["day"] < 273]
    assert tables["holdout_counts"]["before_repeat_minor"].sum() == before["cents"].sum()
    known = later[later["day"] < 273].groupby("customer_id")["cents"].agg(["size", "sum"])
    found = tables["holdout_counts"].groupby("frequency")["repeat_minor"].sum()
    assert found[found.index > 0].tolist() == known.groupby("size")["sum"].sum().tolist()


def test_the_model_of_spend_of_the_counts_is_that_of_the_paper(cdnow):
    """Fader & Hardie fit p 6.25, q 3.74, gamma 15.44 to the 946 repeat buyers; the counts bin means to two digits."""
    tables = purchase_counts(ingest.source("cdnow", files=cdnow[1]), as_of="1998-07-01", holdout_weeks=39).of("US")
    spend = tables["repeat_spend_counts"].query("holdouts_ago == 1 and n_days > 0 and spend_bin > 0")
    model = fit_spend(spend.rename(columns={"revenue_minor": "value"}))
    assert model.n_customers == 946
    assert list(model.fit.estimates.values()) == pytest.approx([6.25, 3.74, 1544], rel=0.003)


def test_the_second_call_reads_what_the_first_has_counted(denmark, monkeypatch):
    first = purchase_counts(denmark, as_of=AS_OF, holdout_weeks=13)
    monkeypatch.setattr("retention_kit.counts.session.Session.counts", None)
    second = purchase_counts(denmark, as_of=AS_OF, holdout_weeks=13)
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(second.tables[name], table)


def test_a_hold_out_of_no_week_is_refused(denmark):
    with pytest.raises(UsageError) as error:
        purchase_counts(denmark, as_of=AS_OF, holdout_weeks=0)
    assert str(error.value) == "A hold-out is a whole number of weeks, at least 1.\n  found: 0\n  try:   26"


def predicted(denmark, **numbers) -> pd.DataFrame:
    rfm = counts.count(denmark, as_of=AS_OF, grains=["month"]).of("DK").rfm_counts
    return rfm[["market", "frequency", "recency", "age"]].assign(**numbers)


def test_predictions_are_joined_to_every_customer_and_come_back_as_counts(denmark):
    table = predicted(denmark, expected_orders=2.0, value_base_minor=1000.0, own_weight=0.5)
    with counts.engine(denmark, as_of=AS_OF, grains=["quarter"]) as engine:
        found = worth_counts(engine, table)
    # every order is of 100.00: two orders of 10.00 + half of 100.00 each, of 10.00 for who has ordered on one day only
    assert found["n_customers"].sum() == 57
    assert found["worth_minor"].sum() == 30 * 2 * 6000 + 27 * 2 * 1000
    assert sorted(found["worth_bin"].unique()) == [2_000, 12_000]
    assert found["acquisition_channel"].unique().tolist() == ["unknown"]
    by_cohort = found.set_index("cohort")["n_customers"].to_dict()
    assert by_cohort == {2023 * 4 + 3: 20, 2024 * 4: 10, 2024 * 4 + 2: 12, 2024 * 4 + 3: 15}
    assert found["revenue_minor"].sum() == (20 * 13 + 10 * 2 + 15 + 12) * 10_000


def test_a_prediction_that_is_no_number_is_refused(denmark):
    with (
        counts.engine(denmark, as_of=AS_OF, grains=["quarter"]) as engine,
        pytest.raises(DataError) as error,
    ):
        worth_counts(engine, predicted(denmark, expected_orders=np.nan, value_base_minor=1.0, own_weight=0.0))
    assert error.value.what == "A prediction is not a number of orders or an amount."
    assert error.value.found == "4 of 4 patterns below 0, or not finite"


def test_scores_come_from_cut_points_and_equals_score_alike(denmark):
    cuts = pd.DataFrame(
        {"score": [2, 3, 4, 5], "recency": [20, 8, 6, 4], "frequency": [2, 2, 3, 13], "money": [1, 500, 1000, 2000]}
    )
    with counts.engine(denmark, as_of=AS_OF, grains=["quarter"]) as engine:
        found = segment_counts(engine, cuts)
    by_scores = found.set_index(["r_score", "f_score", "m_score"])["n_customers"].to_dict()
    # the mean revenue of a customer is 307 orders of 100 over 57: always brings 2.41 of it, gap .37, new and left .19;
    # always ordered 2 weeks ago on 13 days, gap 8 weeks ago on 2, new 8 weeks ago, left 21 weeks ago
    assert by_scores == {(5, 5, 5): 20, (3, 3, 2): 10, (3, 1, 2): 15, (1, 1, 2): 12}


def test_a_hold_out_counted_with_all_else_is_the_same(denmark):
    alone = purchase_counts(denmark, as_of=AS_OF, holdout_weeks=13)
    together = counts.count(denmark, as_of=AS_OF, grains=["quarter"], holdout_weeks=13)
    assert list(together.tables) == [*counts.COUNTS_TABLES, *counts.PURCHASE_TABLES]
    for name in counts.PURCHASE_TABLES:
        pd.testing.assert_frame_equal(together.tables[name], alone.tables[name])
    with pytest.raises(UsageError, match=r"^A hold-out is a whole number of weeks, at least 1\.\n  found: 0"):
        counts.count(denmark, as_of=AS_OF, grains=["quarter"], holdout_weeks=0)


def test_what_is_refunded_is_no_worth_whenever_refunds_count(tmp_path, monkeypatch):
    """A fifth of every order came back a month later: by its own day, or lowering the order, it is the same worth."""
    monkeypatch.setattr("retention_kit.counts.counting.project_root", lambda: tmp_path)
    random = np.random.default_rng(5)
    days = [f"2024-{month:02}-{day:02}" for month in range(1, 10) for day in (3, 17)]
    rows, firsts = [], []
    for nth in range(80):
        usual = random.gamma(4, 25)
        for day in days[: 2 + nth % 9]:
            amount = 5 * round(random.gamma(6, usual / 6) / 5 + 1)
            firsts += [amount] if day == days[0] else []
            refunded = f"{pd.Timestamp(day) + pd.Timedelta(days=30):%Y-%m-%d}T12:00:00Z"
            rows.append(f"{len(rows)},c{nth},DK,{day}T12:00:00Z,{amount},DKK,{amount // 5},{refunded}")
    header = "order_id,customer_id,market,ordered_at,amount,currency,refunded_amount,refunded_at"
    folder = company.write(tmp_path / "shop", [])
    (folder / "orders.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    found = {}
    for policy in ("order", "processed"):
        (folder / "source.toml").write_text(f'refund_policy = "{policy}"\n', encoding="utf-8")
        source = ingest.source(str(folder / "source.toml"), files={"orders": str(folder / "orders.csv")})
        tables = purchase_counts(source, as_of="2025-01-01", holdout_weeks=13).of("DK")
        found[policy] = _fitted_spend(tables["spend_counts"], tables["repeat_spend_counts"])
        assert found[policy].first_day[0] == pytest.approx(100 * 0.8 * np.mean(firsts), rel=0.002)
    assert found["processed"].scale == pytest.approx(0.8, rel=0.002)
    assert found["processed"].mean == pytest.approx(found["order"].mean, rel=0.01)

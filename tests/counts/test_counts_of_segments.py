"""A segment is a market more: segments add up to the whole, and a filter is the segment of whom it is true."""

import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.config import project_root
from retention_kit.counts import Segment, Session
from retention_kit.counts.files import header
from retention_kit.errors import DataError, UsageError

ASKED = {"as_of": "2026-01-01", "grains": ["month", "quarter"]}
OF_CUSTOMERS = ["cohort_counts", "activity_counts", "order_counts", "gap_counts", "lifetime_counts"]
NO_VALUE = "A segment is one value of each customer."


@pytest.fixture(scope="module")
def source() -> ingest.Source:
    return ingest.source("sample")


@pytest.fixture(scope="module")
def session(source):
    with Session(source) as opened:
        yield opened


@pytest.fixture(scope="module", autouse=True)
def store_of_its_own(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retention_kit.counts.counting.store_root", lambda: tmp_path_factory.getbasetemp() / "segments")
        yield


def counted(source, session, **asked) -> counts.Counted:
    return counts.counted(source, **ASKED, session=session, **asked)


def by(sql: str) -> Segment:
    return Segment(sql, is_split=True)


def where(sql: str) -> Segment:
    return Segment(sql, is_split=False)


@pytest.mark.parametrize(
    "sql",
    [
        "payment_method",
        pytest.param("loyalty_tier", marks=pytest.mark.slow),
        pytest.param("customers.language", marks=pytest.mark.slow),
        pytest.param("acquisition_channel = 'search'", marks=pytest.mark.slow),
    ],
)
def test_segments_add_up_to_the_whole(source, session, sql):
    split = counted(source, session, segment=by(sql))
    for name in OF_CUSTOMERS:
        parts = split.tables[name]
        parts = parts.assign(market=parts["market"].str.partition(":")[0])
        told = header(name)
        both = [table.groupby(list(told.keys))[list(told.sums)].sum() for table in
                (counted(source, session).tables[name], parts)]  # fmt: skip
        pd.testing.assert_frame_equal(*(table[(table != 0).any(axis=1)] for table in both))


@pytest.mark.slow
def test_a_filter_is_the_segment_of_whom_it_is_true(source, session):
    gold = counted(source, session, segment=where("loyalty_tier = 'gold'")).of("DK")
    split = counted(source, session, segment=by("loyalty_tier")).of("DK:gold")
    for name in ("cohort_counts", "activity_counts", "order_counts", "rfm_counts"):
        one, other = (table.drop(columns="market") for table in (gold.tables[name], split.tables[name]))
        pd.testing.assert_frame_equal(one, other)
    assert split.market.name == "Denmark, gold"


def test_the_payment_method_is_that_of_the_first_kept_order(source, session):
    by_cut = counted(source, session).of("DK").cut_counts.query("cut == 'payment_method' and horizon_days == 90")
    split = counted(source, session, segment=by("payment_method"))
    for row in by_cut.itertuples():
        everybody = split.of(f"DK:{row.value}").cut_counts.query("cut == 'everybody' and horizon_days == 90")
        assert everybody["n_observed"].item() == row.n_observed
        assert everybody["n_returned"].item() == row.n_returned


def test_a_segment_can_be_frozen_at_a_day(source, session):
    now = Segment("payment_method", is_split=True, frozen="2025-01-01")
    sizes = [
        counted(source, session, segment=segment).tables["order_counts"].query("grain == 'history'").set_index("market")
        for segment in (by("payment_method"), now)
    ]
    first, later = (table["n_customers"] for table in sizes)
    assert first["ALL"] == later["ALL"]
    assert later["DK:none"] > 0  # who came since
    assert "DK:none" not in first


def test_what_an_event_says_is_that_of_the_last_one_before_the_first_order(source, session):
    found = counted(source, session, segment=by("engagement.kind")).tables["order_counts"]
    kinds = {code.partition(":")[2] for code in found["market"]} - {""}
    assert kinds <= {"content_view", "email_open", "app_open", "visit", "email_click", "none"}
    assert found.query("market == 'ALL' and grain == 'history'")["n_customers"].item() == (
        counted(source, session)
        .tables["order_counts"]
        .query("market == 'ALL' and grain == 'history'")["n_customers"]
        .item()
    )


def test_visits_are_counted_as_orders_are_and_without_money(source, session):
    found = counted(source, session, activity="visit")
    raw = pd.read_parquet(project_root() / "data" / "sample" / "engagement.parquet").query("kind == 'visit'")
    assert not [column for column in found.of("DK").order_counts if column.endswith("_minor")]
    history = found.tables["order_counts"].query("grain == 'history'").set_index("market")
    known = raw[raw["occurred_at"] < pd.Timestamp("2025-12-31T12:00Z")]
    assert len(known) <= history.loc["ALL", "n_orders"] <= len(raw)
    assert known["customer_id"].nunique() <= history.loc["ALL", "n_customers"] <= raw["customer_id"].nunique()


def test_who_subscribes_is_active_in_each_period_in_which_the_subscription_runs(source, session):
    active = counted(source, session, activity="subscription").of("NL").order_counts
    active = active.query("grain == 'quarter' and complete == 1").set_index("period")["n_customers"]
    contract = counted(source, session).of("NL").activity_counts
    contract = contract.query("grain == 'quarter' and rule == 'contract' and complete == 1").set_index("period")
    at_end = contract["n_end"].reindex(active.index).fillna(0)
    assert (active >= at_end).all()
    assert (active <= at_end + contract["n_lapsed"].reindex(active.index).fillna(0) + 15).all()


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("loyalty_teir", "There is no column to segment by 'loyalty_teir'."),
        ("COUNT(*) > 1", NO_VALUE),
        ("COLUMNS(*)", NO_VALUE),
        ("unnest([1, 2])", NO_VALUE),
        ("(SELECT 1)", NO_VALUE),
        ("ROW_NUMBER() OVER ()", NO_VALUE),
        ("loyalty_tier, language", NO_VALUE),
        ("currency || ", NO_VALUE),
        ("customer_id = language", "A segment's expression cannot be worked out."),
    ],
)
def test_what_is_no_value_of_a_customer_is_refused(source, session, sql, text):
    with pytest.raises(UsageError) as why:
        _ = counted(source, session, segment=by(sql)).markets
    assert str(why.value).startswith(text)


def test_an_expression_that_fails_on_a_row_shows_no_row(source, session):
    with pytest.raises(DataError) as why:
        _ = counted(source, session, segment=by("CAST(loyalty_tier AS INTEGER)")).markets
    assert str(why.value) == (
        "A segment's expression fails on some row.\n"
        "  found: CAST(loyalty_tier AS INTEGER)\n"
        "  try:   TRY_CAST instead of CAST, or a CASE that leaves such rows out"
    )


def test_a_segment_of_nobody_says_so(source, session):
    with pytest.raises(DataError, match="Nobody is in the segment"):
        _ = counted(source, session, segment=where("acquisition_channel = 'email'")).markets


def test_an_activity_that_the_data_do_not_have_names_the_near_miss(source, session):
    with pytest.raises(UsageError) as why:
        _ = counted(source, session, activity="visits").markets
    assert str(why.value).startswith("There is no activity 'visits'.")
    assert "'visit'" in str(why.value)


def test_after_a_segment_the_whole_is_counted_as_before(source, session):
    first = counts.count(source, **ASKED, tables=["order_counts"]).tables["order_counts"]
    _ = counted(source, session, segment=by("language")).markets
    _ = counted(source, session, activity="visit").markets
    fresh = session.counts(["order_counts"], counted(source, session).asked)["order_counts"]
    pd.testing.assert_frame_equal(fresh, first[first["market"] != "ALL"].reset_index(drop=True))

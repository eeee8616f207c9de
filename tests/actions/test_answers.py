"""Answers: net promoter scores against the reference, stated intention held against orders, counted by hand."""

import company
import numpy as np
import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.actions import intention, intentions, leavers_and_stayers, net_promoter_score, response_bias
from retention_kit.errors import MetricError
from retention_kit.present import answers as shown


def scores(*given, market="DK") -> pd.DataFrame:
    return pd.DataFrame({"market": market, "score": given, "n_customers": 1})


@pytest.fixture(scope="module")
def bank(shared):
    answers = pd.read_parquet(shared / "data" / "nps_bank.parquet").rename(columns={"nps_score": "score"})
    return answers.assign(n_customers=1), pd.read_csv(shared / "data" / "reference" / "nps_market.csv")


def test_scores_by_market_equal_the_reference(bank):
    answers, reference = bank
    found = net_promoter_score(answers).set_index("market")
    expected = reference.query("quarter == 'ALL' and market != 'ALL'").set_index("market")
    for column, theirs in {"n": "n", "n_promoters": "promoters", "net_promoter_score": "nps"}.items():
        assert found[column].to_dict() == pytest.approx(expected[theirs].to_dict(), rel=1e-12)
    told = found["net_promoter_score"].round(2).to_dict()
    assert told == {"MEX": 17.10, "UK": 8.49, "US": 9.93}
    assert ((found["lower"] < found["net_promoter_score"]) & (found["net_promoter_score"] < found["upper"])).all()


def test_scores_by_quarter_equal_the_reference(bank):
    answers, reference = bank
    expected = reference.query("quarter != 'ALL'").assign(quarter=lambda t: t["quarter"].astype(int))
    for market, rows in expected.groupby("market"):
        found = net_promoter_score(answers[answers["market"] == market], by="quarter").set_index("quarter")
        assert found["net_promoter_score"].to_dict() == pytest.approx(rows.set_index("quarter")["nps"].to_dict())


def test_a_score_by_hand():
    found = net_promoter_score(scores(10, 9, 9, 8, 7, 6, 0)).iloc[0]
    assert found[["n", "n_promoters", "n_passives", "n_detractors"]].tolist() == [7, 3, 2, 2]
    assert found["net_promoter_score"] == pytest.approx(100 / 7)


def test_everybody_alike_leaves_an_interval_all_the_same():
    found = net_promoter_score(scores(*[10] * 20)).iloc[0]
    assert (found["net_promoter_score"], found["upper"] <= 100) == (100, True)
    assert 60 < found["lower"] < 95


@pytest.mark.parametrize("n", [15, 200])
def test_the_interval_holds_the_score_as_often_as_it_says(n):
    random, shares = np.random.default_rng(2016), [0.2, 0.3, 0.5]
    drawn = random.multinomial(n, shares, size=2000)
    rows = pd.DataFrame(
        {
            "market": np.repeat(np.arange(2000), 3),
            "score": np.tile([3, 7, 9], 2000),
            "n_customers": drawn.ravel(),
        }
    )
    found = net_promoter_score(rows)
    held = (found["lower"] < 30) & (found["upper"] > 30)
    assert held.mean() == pytest.approx(0.95, abs=0.02)


def test_a_score_of_another_question_is_refused():
    with pytest.raises(MetricError) as error:
        net_promoter_score(scores(5, 11, 3))
    assert str(error.value) == (
        "A score lies between 0 and 10.\n  found: 1 of 3 rows outside\n  try:   query(\"question == 'nps'\") before"
    )


def test_an_intention_by_hand():
    rows = pd.DataFrame({"score": [10, 5, 0], "n_observed": [10, 20, 5], "n_returned": [6, 4, 0]})
    found = intention(rows)
    # 10 × 1 + 20 × 1/2 + 5 × 0 = 20 orders were stated, 10 were made
    assert (found.kept, found.n_observed) == (0.5, 35)
    assert found.lower < 0.5 < found.upper
    assert found.curve["returned_share"].tolist() == [0, 0.2, 0.6]
    assert intention(rows.assign(n_observed=0, n_returned=0)) is None


def test_what_an_intention_is_worth_by_hand():
    # nl: stated (10 × 1 + 30 × 1/2) / 40, done 20/40; da: 9 customers, too few
    rows = pd.DataFrame(
        {
            "language": ["nl", "nl", "da"],
            "score": [10, 5, 10],
            "n_observed": [10, 30, 9],
            "n_returned": [8, 12, 9],
        }
    )
    table, curves = intentions(rows.assign(n_returned=[8, 12, 9]), by="language", min_cell=10)
    found = table.set_index("language")
    assert found["hidden"].to_dict() == {"da": True, "nl": True}  # nl with it: their total would tell of the nine
    more = pd.concat([rows, rows.iloc[:2].assign(language="de")])
    table, curves = intentions(more, by="language", min_cell=10)
    found = table.set_index("language")
    assert found["hidden"].sum() == 2
    assert list(curves) == ["nl"]
    row = found.loc["nl"]
    assert row[["n", "stated", "returned_share", "kept"]].tolist() == [40, 0.625, 0.5, 0.8]
    assert row["lower"] < 0.8 < row["upper"]
    text = shown.said_and_done(table, by="language", horizon_days=90).text
    assert "0.80" in text
    assert "da " not in text
    assert "nl from 40% to 80%" in shown.intention_curves(curves, market="Denmark", min_cell=10).get_label()


def test_leavers_and_stayers_by_hand():
    rows = pd.DataFrame({"score": [10, 8, 3], "n_observed": [30, 20, 30], "n_returned": [25, 10, 5]})
    found = leavers_and_stayers(rows, min_cell=10).set_index("group")
    assert found.index.tolist() == ["stayed", "left"]
    assert found["n"].tolist() == [40, 40]
    assert found["net_promoter_score"].tolist() == [100 * 20 / 40, -100 * 20 / 40]
    assert "did not order again" in shown.leavers(found.reset_index(), horizon_days=90).text
    few = leavers_and_stayers(rows.assign(n_observed=[26, 10, 5]), min_cell=10)
    assert few["hidden"].all()


def test_who_answers_differs_by_hand():
    rows = pd.DataFrame({"answered": [1, 0], "n_customers": [100, 200], "n_returned": [80, 100]})
    found = response_bias(rows, min_cell=10)
    assert (found.n_answered, found.n_silent, found.difference) == (100, 200, pytest.approx(0.3))
    assert found.lower < 0.3 < found.upper
    assert "more often by +30.0 points" in shown.bias(found).text
    alike = response_bias(rows.assign(n_returned=[50, 100]), min_cell=10)
    assert "about as often" in shown.bias(alike).text
    assert response_bias(rows, min_cell=101) is None
    assert response_bias(rows.iloc[:0], min_cell=3) is None
    assert "Too few answered" in shown.bias(None).text


ANSWERS = """customer_id,answered_at,question,score,language
DK-back-0,2024-03-01T12:00:00Z,intent,9,da
DK-back-0,2024-12-20T12:00:00Z,intent,2,da
DK-gone-0,2024-03-01T12:00:00Z,intent,8,
DK-gone-0,2025-03-01T12:00:00Z,intent,1,da
DK-gone-0,2024-03-01T12:00:00Z,nps,10,da
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    rows = company.orders(
        {
            "back": (1, ["2024-03-01", "2024-03-31", "2024-09-01", "2024-12-01"]),
            "gone": (1, ["2024-02-01", "2024-09-01"]),
            "silent": (2, ["2024-09-15", "2024-11-01"]),
        }
    )
    folder = company.write(tmp_path_factory.mktemp("answers"), rows, surveys=ANSWERS)
    asked = ["answer_counts", "answering_counts"]
    return counts.count(ingest.source(str(folder)), as_of=company.AS_OF, grains=["month"], tables=asked).tables


def test_answers_are_counted_by_hand(counted):
    rows = counted["answer_counts"].query("horizon_days == 30 and question == 'intent'")
    found = rows.set_index("score")[["language", "n_customers", "n_observed", "n_returned"]].T.to_dict("list")
    # back's last answer is not 30 days old; after the one before he ordered 30 days later, that of the same instant
    # is not after it; gone said 8 in no language, and came back after 184 days; what he says in 2025 is not known
    assert found == {2: ["da", 1, 0, 0], 9: ["da", 0, 1, 1], 8: ["unknown", 1, 1, 0]}
    nps = counted["answer_counts"].query("horizon_days == 180 and question == 'nps'")
    assert nps[["score", "n_customers", "n_observed", "n_returned"]].to_numpy().tolist() == [[10, 1, 1, 0]]


def test_who_answers_is_counted_by_hand(counted):
    # ordered between 4 July and 3 October: back, gone and both silent ones; since then: back and the silent ones
    rows = counted["answering_counts"].set_index("answered")[["n_customers", "n_returned"]]
    assert rows.T.to_dict("list") == {1: [2, 1], 0: [2, 2]}


def test_a_stated_intention_of_the_sample_is_too_hopeful_and_rises_with_what_is_done(sample_counts):
    rows = sample_counts.tables["answer_counts"].query("question == 'intent' and horizon_days == 90")
    found = intention(rows)
    assert found.upper < 1
    known = found.curve.query("n_observed >= 100")
    assert known["returned_share"].is_monotonic_increasing


def test_stayers_of_the_sample_recommend_more_than_leavers(sample_counts):
    rows = sample_counts.tables["answer_counts"].query("question == 'nps' and horizon_days == 90")
    rows = rows.assign(everybody="all", n_left=rows["n_observed"] - rows["n_returned"])
    stayers = net_promoter_score(rows, by="everybody", n="n_returned").iloc[0]
    leavers = net_promoter_score(rows, by="everybody", n="n_left").iloc[0]
    assert leavers["upper"] < stayers["lower"]


def test_intentions_of_the_sample_are_told_by_market_and_language(sample_counts):
    answers = sample_counts.tables["answer_counts"].query("question == 'intent' and horizon_days == 90")
    by_market, _ = intentions(answers, by="market", min_cell=10)
    assert len(by_market) == 8
    assert (by_market["lower"] < by_market["kept"]).all()
    by_language, curves = intentions(answers.query("market == 'NL'"), by="language", min_cell=10)
    assert set(curves) == set(by_language.loc[~by_language["hidden"], "language"])
    assert by_language["n"].sum() == answers.query("market == 'NL'")["n_observed"].sum()


def test_those_who_answer_in_the_sample_stay_more_often_and_that_is_said(sample_counts):
    assert response_bias(sample_counts.of("NL").answering_counts, min_cell=10).lower > 0

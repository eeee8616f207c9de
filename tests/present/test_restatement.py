import json

import company
import pytest

from retention_kit.present import twin
from retention_kit.present.restatement import restated, restatement_log

FACTS = {"data": "shop", "data_fingerprint": "f", "findings": []}
LATE = company.DENMARK | {"late": (3, ["2024-02-20"])}


def twin_of(folder, characters) -> dict:
    return twin.twin(company.sheet(folder, characters), **FACTS)


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> dict:
    return twin_of(tmp_path_factory.mktemp("first"), company.DENMARK)


@pytest.fixture(scope="module")
def second(tmp_path_factory) -> dict:
    """Return the twin after three orders of last February came in."""
    return twin_of(tmp_path_factory.mktemp("second"), LATE)


def written(told: dict, tmp_path) -> str:
    file = tmp_path / "DK.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    return str(file)


def test_the_same_numbers_again_are_no_restatement(first, tmp_path):
    assert restated(first, earlier=written(first, tmp_path)).empty
    assert "No number of a closed period moved" in restatement_log(restated(first, earlier="")).text


def test_late_orders_are_told_with_what_they_moved(first, second, tmp_path):
    found = restated(second, earlier=written(first, tmp_path))
    of_february = found[found["period"] == "2024-02"].set_index("number")
    assert of_february.loc["customers", ["then", "now"]].tolist() == [30, 33]  # always, gap; and three late
    assert of_february.loc["orders", ["then", "now", "why"]].tolist() == [30, 33, "late orders"]
    assert of_february.loc["net revenue", ["then", "now"]].tolist() == [3000, 3300]
    base = found[found["period"] == "2024-Q1, by the activity window"].set_index("number")
    assert base.loc["active at the end", ["then", "now"]].tolist() == [30, 33]
    assert set(base["why"]) == {"orders or refunds of earlier periods"}
    assert "2024-03" not in set(found["period"])  # a period that is as it was


def test_late_refunds_are_told_from_late_orders(first, tmp_path):
    refunded = json.loads(json.dumps(first))
    march = next(row for row in refunded["tables"]["orders"] if row["period"] == "2024-03")
    march["revenue"] -= 50
    found = restated(refunded, earlier=written(first, tmp_path))
    assert found.to_dict("records") == [
        {"period": "2024-03", "number": "net revenue", "then": 2000, "now": 1950, "why": "late refunds"}
    ]
    back = restated(first, earlier=written(refunded, tmp_path))
    assert back["why"].tolist() == ["amounts that were corrected"]


def test_changed_settings_are_the_reason_where_they_changed(first, second, tmp_path):
    other = second | {"settings": {"refund_policy": "processed", "activity_window_days": 90}, "kit_version": "9"}
    found = restated(other, earlier=written(first, tmp_path))
    assert set(found["why"]) == {"changed: settings, version of the kit"}
    weekly = restated(second | {"grain": "week"}, earlier=written(first, tmp_path))
    assert weekly["why"].tolist() == ["changed: grain"]


def test_a_period_that_was_not_over_and_a_hidden_number_are_no_restatement(first, tmp_path):
    running = json.loads(json.dumps(first))
    row = running["tables"]["orders"][-1]
    row.update(complete=0, n_orders=1, n_customers=None)
    assert restated(first, earlier=written(running, tmp_path)).empty
    hidden = json.loads(json.dumps(first))
    hidden["tables"]["orders"][2].update(n_customers=None, n_orders=None, revenue=None)
    assert restated(hidden, earlier=written(first, tmp_path)).empty


@pytest.mark.parametrize("text", ["", "[]", "{", '{"tables": []}'])
def test_a_file_that_is_no_twin_compares_nothing(first, tmp_path, text):
    (tmp_path / "DK.json").write_text(text, encoding="utf-8")
    assert restated(first, earlier=str(tmp_path / "DK.json")).empty
    assert restated(first, earlier=str(tmp_path / "none.json")).empty


def test_another_market_or_other_data_are_not_compared(first, second, tmp_path):
    assert restated(second, earlier=written(first | {"market": "NL"}, tmp_path)).empty
    assert restated(second, earlier=written(first | {"data": "other"}, tmp_path)).empty


def test_the_log_is_short_and_says_how_many_more_there_are(first, second, tmp_path):
    found = restated(second, earlier=written(first, tmp_path))
    told = restatement_log(found, most=5).text.splitlines()
    assert len(told) == 1 + 1 + 5 + 1
    assert told[-1] == f"{len(found) - 5} more are in the file beside this page."


def group_of(*customers: int, as_of: str = "2025-01-01", n: int = 800) -> dict:
    markets = [
        {"market": code, "n_customers": size, "n_orders": 3 * size}
        for code, size in zip(("DK", "NL"), customers, strict=False)
    ]
    rate = {"market": "DK", "metric": "customer_retention_rate", "period": "2024-Q4", "n": n, "n_then": 700}
    facts = {
        "market": "ALL",
        "data": "shop",
        "schema_version": 1,
        "as_of": as_of,
        "grain": "month",
        "base_grain": "quarter",
    }
    return facts | {"tables": {"customers": markets, "anomalies": [rate]}}


def test_the_group_tells_which_market_s_numbers_moved(tmp_path):
    earlier = written(group_of(900, 500), tmp_path)
    assert restated(group_of(900, 500), earlier=earlier).empty
    found = restated(group_of(900, 502, n=803), earlier=earlier)
    assert found[["period", "number", "then", "now"]].to_dict("records") == [
        {"period": "NL, all orders", "number": "customers", "then": 500, "now": 502},
        {"period": "NL, all orders", "number": "orders", "then": 1500, "now": 1506},
        {
            "period": "DK, who stayed active in the period, 2024-Q4",
            "number": "customers counted",
            "then": 800,
            "now": 803,
        },
    ]
    assert set(found["why"]) == {"orders or refunds of earlier periods"}
    assert "NL, all orders" in restatement_log(found).text


def test_all_orders_before_another_day_are_other_orders(tmp_path):
    found = restated(group_of(950, 560, as_of="2025-02-01"), earlier=written(group_of(900, 500), tmp_path))
    assert found.empty

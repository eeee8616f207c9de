import json
import math
from dataclasses import fields

import company
import pytest

from retention_kit.metrics import Headline, Sheet
from retention_kit.present import twin

NUMBERS = ("value", "n", "lower", "upper", "conf_level", "numerator", "denominator")


@pytest.fixture(scope="module")
def denmark(tmp_path_factory) -> Sheet:
    """Return the sheet of the named characters, with margin, cost and no lifespan stated."""
    markets = company.declared(DK={"gross_margin": "0.5", "acquisition_cost": '"40"'})
    folder = company.write(tmp_path_factory.mktemp("denmark"), company.orders(company.DENMARK), markets=markets)
    return company.sheets(folder, "DK")[0]


def value(sheet: Sheet, name: str) -> float | None:
    return sheet.headlines[name].value


def test_the_base_of_named_characters_is_as_counted_by_hand(denmark):
    row = denmark.tables["active_base"].query("rule == 'window' and period == '2024-Q4'").iloc[0]
    counts = row[["n_start", "n_retained", "n_new", "n_reactivated", "n_lapsed", "n_end"]]
    assert counts.tolist() == [32, 20, 15, 10, 12, 45]
    assert value(denmark, "customer_retention_rate") == 20 / 32
    assert value(denmark, "churn_rate") == 12 / 32
    assert value(denmark, "textbook_retention_rate") == (45 - 15) / 32
    assert value(denmark, "textbook_churn_rate") == (32 - 45) / 32
    assert value(denmark, "active_customers") == 45
    assert row["quick_ratio"] == 25 / 12


def test_headlines_of_orders_are_as_counted_by_hand(denmark):
    # always: 20 × 13 orders, gap: 10 × 2, new: 15, left: 12; in 2024 always have 12 each
    assert value(denmark, "customers") == 57
    assert value(denmark, "orders") == 260 + 20 + 15 + 12
    assert value(denmark, "revenue") == 307 * 100
    assert value(denmark, "average_order_value") == 100
    assert value(denmark, "repeat_customer_rate_by_days") == (20 + 10) / 57
    assert value(denmark, "purchase_frequency") == 307 / 57
    assert value(denmark, "purchase_frequency_per_year") == (240 + 20 + 15 + 12) / 57


def test_the_worth_of_a_customer_is_as_calculated_by_hand(denmark):
    # active by quarter of 2024: 30, 20, 32, 45, with 70, 60, 72 and 85 orders
    frequency = (70 + 60 + 72 + 85) / (30 + 20 + 32 + 45)
    assert value(denmark, "purchase_frequency_per_period") == frequency
    # the first quarter begins before the data; of 30, 20 and 32 then active 10, 0 and 12 were not in the next one
    quarters = (30 + 20 + 32) / (10 + 0 + 12)
    assert value(denmark, "customer_lifespan") == pytest.approx(quarters / 4)
    worth = 100 * frequency * quarters / 2  # an order is 100, the margin a half
    assert value(denmark, "clv_simple") == pytest.approx(worth)
    assert value(denmark, "cltv") == pytest.approx(worth - 40)
    assert denmark.headlines["cltv"].note == "acquisition cost: as stated for the market"
    assert value(denmark, "revenue_per_customer") == pytest.approx(30_700 / 57)


def test_every_headline_says_what_it_is(denmark):
    for headline in denmark.headlines.values():
        assert headline.label
        assert headline.unit
        assert headline.definition.endswith(".")
        assert headline.window.count(" to ") == 1
        assert headline.as_of == company.AS_OF
        assert headline.n > 0
        assert not headline.hidden
        shares = headline.unit == "share"
        assert not shares or headline.value == headline.numerator / headline.denominator
        assert not shares or (headline.lower <= headline.value <= headline.upper and headline.conf_level == 0.95)


def test_without_a_cost_there_is_no_value_less_cost_and_it_says_so(tmp_path):
    found = company.sheet(tmp_path).headlines["cltv"]
    assert (found.value, found.hidden) == (None, False)
    assert found.note == "no acquisition cost is known for this market"


def customers_with_cost(n: int) -> str:
    rows = [f"DK-always-{i},DK,2023-12-15T12:00:00Z,{30 + 20 * (i % 2)}" for i in range(n)]
    return "\n".join(["customer_id,market,acquired_at,acquisition_cost", *rows, ""])


def test_the_cost_of_customers_goes_before_the_one_stated(tmp_path):
    markets = company.declared(DK={"acquisition_cost": '"7"'})
    folder = company.write(
        tmp_path, company.orders(company.DENMARK), markets=markets, customers=customers_with_cost(10)
    )
    sheet = company.sheets(folder, "DK")[0]
    assert value(sheet, "cltv") == pytest.approx(value(sheet, "clv_simple") - 40)  # five of 30, five of 50
    assert sheet.headlines["cltv"].note == "acquisition cost: mean of the 10 customers whose cost is known"


def test_the_mean_cost_of_a_few_customers_is_not_told(tmp_path):
    folder = company.write(tmp_path, company.orders(company.DENMARK), customers=customers_with_cost(9))
    found = company.sheets(folder, "DK")[0].headlines["cltv"]
    assert (found.value, found.note) == (None, "no acquisition cost is known for this market")


def test_a_history_shorter_than_a_year_has_no_frequency_per_year_and_no_worth(tmp_path):
    young = company.sheet(tmp_path, {"new": (15, ["2024-11-05"]), "always": (20, company.MONTHLY[5:])})
    frequency = young.headlines["purchase_frequency_per_year"]
    assert (frequency.value, frequency.lower, frequency.note) == (None, None, "history is shorter than a year")
    assert value(young, "purchase_frequency") == (15 + 20 * 7) / 35
    assert young.headlines["purchase_frequency"].unit == "orders per customer in 200 days"  # 15 June to 1 January
    assert value(young, "clv_simple") is None


def test_a_market_that_sleeps_for_a_year_has_no_frequency_of_that_year(tmp_path):
    asleep = company.sheet(tmp_path, {"once": (20, ["2023-06-01"])})
    frequency = asleep.headlines["purchase_frequency_per_year"]
    assert (frequency.value, frequency.note) == (None, "nobody ordered in these twelve months")
    worth = asleep.headlines["clv_simple"]
    assert (worth.value, worth.note) == (None, "nobody ordered in the last year")
    assert json.loads(twin.to_json(twin.twin(asleep, data="x", data_fingerprint="", findings=[])))


def test_a_market_of_newcomers_has_no_rate_and_says_why(tmp_path):
    found = company.sheet(tmp_path, {"new": (15, ["2024-12-05"])}).headlines
    assert found["customer_retention_rate"].value is None
    assert found["customer_retention_rate"].note == "nobody to take a share of"
    assert found["customer_lifespan"].note == "fewer than a year's quarters are over"


SMALL = {"always": (5, ["2023-12-15", *company.MONTHLY]), "gap": (3, ["2024-02-01", "2024-11-01"])}


def test_hidden_headlines_carry_no_number_at_all(tmp_path):
    found = company.sheet(tmp_path, SMALL)
    assert set(NUMBERS) < {field.name for field in fields(Headline)}
    for headline in found.headlines.values():
        assert [getattr(headline, name) for name in NUMBERS] == [None] * len(NUMBERS), headline
        assert headline.note.startswith("hidden: fewer than 10 customers")


def test_the_twin_of_a_small_market_holds_no_number_of_its_customers(tmp_path):
    found = twin.twin(company.sheet(tmp_path, SMALL), data="x", data_fingerprint="", findings=[])
    for row in found["headlines"]:
        assert [row[name] for name in NUMBERS] == [None] * len(NUMBERS)
        assert (row["shown"], row["shown_interval"]) == ("–", "")
    rows = [row for name in found["tables"] for row in found["tables"][name] if row["hidden"]]
    keys = {"rule", "period", "left_truncated", "cohort", "age", "cut", "horizon_days", "complete", "hidden", "nth"}
    keys |= {"first_day", "last_day", "window_days", "question", "definition", "kind", "n_cohorts", "landmark_days"}
    assert len(rows) > 20
    assert all(number in (None, 0) or (key == "value" and "cut" in row)
               for row in rows for key, number in row.items() if key not in keys)  # fmt: skip
    assert not any(
        digit in sentence for sentence in found["in_short"] for digit in "0123456789" if "10" not in sentence
    )


def test_a_worth_made_of_a_hidden_churn_rate_is_not_told(tmp_path):
    # nine active at the start of the last quarter, so their churn is hidden; sixty others are new in it
    few = {"always": (9, ["2023-12-15", *company.MONTHLY]), "new": (60, ["2024-11-05"])}
    found = company.sheet(tmp_path, few).headlines
    assert found["churn_rate"].hidden
    assert found["purchase_frequency"].value == (9 * 13 + 60) / 69
    # all orders less those of the last year are those of nine customers in December 2023
    for name in ("purchase_frequency_per_year", "customer_lifespan", "clv_simple"):
        assert (found[name].value, found[name].note) == (None, "hidden: it would tell of fewer than 10 customers")


def test_the_end_of_a_period_is_hidden_where_the_next_begins_with_a_few(tmp_path):
    few = {
        "always": (9, ["2023-12-15", *company.MONTHLY]),
        "left": (40, ["2024-01-05", "2024-05-01"]),
        "new": (60, ["2024-11-05"]),
    }
    base = company.sheet(tmp_path, few).tables["active_base"].query("rule == 'window'").set_index("period")
    assert base.loc[["2024-Q3", "2024-Q4"], "hidden"].tolist() == [True, True]  # 49 → 9 → 69
    assert base.loc["2024-Q4", ["n_start", "n_retained", "customer_retention_rate"]].isna().all()
    assert base.loc["2024-Q3", ["n_start", "n_retained"]].tolist() == [49, 9]  # nine of a large base are told
    # the nine at the end are those nine, nobody new and nobody back: one of these is hidden with them
    assert base.loc["2024-Q3", ["n_end", "n_new", "n_reactivated", "textbook_retention_rate"]].isna().sum() >= 2


def test_a_quarter_without_customers_is_zero_and_not_left_out(tmp_path):
    seasonal = {"spring": (20, ["2023-04-10", "2024-04-10"])}
    base = company.sheet(tmp_path, seasonal).tables["active_base"].query("rule == 'window'").set_index("period")
    assert list(base.index) == ["2023-Q2", "2023-Q3", "2023-Q4", "2024-Q1", "2024-Q2", "2024-Q3", "2024-Q4"]
    assert base.loc["2023-Q4", ["n_start", "n_end"]].tolist() == [0, 0]
    assert base.loc["2024-Q2", ["n_end", "n_reactivated"]].tolist() == [20, 20]


def test_the_curve_of_all_is_of_all_cohorts_and_gives_no_small_one_back(tmp_path):
    found = company.sheet(tmp_path, company.DENMARK | {"few": (4, ["2024-03-03", "2024-04-04"])})
    cells, pooled = found.tables["cohort_retention"], found.tables["pooled_retention"].set_index("age")
    march = cells.query("cohort == '2024-03'")
    assert march["hidden"].all()
    assert march[["n", "n_active", "classic_retention", "lower", "upper"]].isna().all(axis=None)
    assert pooled.loc[0, "n"] == 10 + 4 + 12 + 15
    for age, column in cells.query("left_truncated == 0").groupby("age"):
        assert column["n"].isna().sum() != 1 or pooled["n"].isna()[age]
    at_first = cells.query("age == 0")
    assert 57 + 4 - at_first["n"].sum() >= 10  # all customers less those shown: never the four


def test_which_cells_are_hidden_is_said_of_each(tmp_path):
    found = company.sheet(tmp_path, company.DENMARK | {"few": (4, ["2024-03-03", "2024-04-04"])})
    for name, table in found.tables.items():
        hidden = found.hidden[name]
        assert list(hidden.columns) == list(table.columns)
        assert hidden.index.equals(table.index)
        numbers = table.select_dtypes("number")
        assert numbers[hidden[list(numbers)]].isna().all(axis=None)
        if "hidden" in table:
            assert table["hidden"].tolist() == hidden.any(axis=1).tolist()
    assert found.is_protected
    everybody = company.sheet(tmp_path, company.DENMARK, min_cell=1)
    assert not everybody.is_protected
    assert not any(hidden.any(axis=None) for hidden in everybody.hidden.values())


def test_a_cell_that_is_not_over_is_absent_from_the_sheet(tmp_path):
    found = company.sheet(tmp_path, as_of="2024-12-20")
    assert found.tables["cohort_retention"].query("cohort == '2024-11'")["age"].tolist() == [0]
    assert "2024-Q4" not in set(found.tables["active_base"]["period"])
    running = found.tables["orders"].query("period == '2024-12'").iloc[0]
    assert (running["complete"], running["n_customers"]) == (0, 20)
    assert math.isnan(running["average_order_value"])


def test_a_sheet_leaves_the_counts_as_they_were(sample_counts):
    here = sample_counts.of("DK")
    before = {name: table.copy(deep=True) for name, table in here.tables.items()}
    company.sheet_of(here)
    for name, table in here.tables.items():
        assert table.equals(before[name])


def test_the_tables_of_a_sheet_agree_with_its_headlines(sample_counts):
    sheet = company.sheet_of(sample_counts.of("DK"))
    last = sheet.tables["active_base"].query("rule == 'window'").iloc[-1]
    rate = sheet.headlines["customer_retention_rate"]
    assert (last["n_retained"], last["n_start"]) == (rate.numerator, rate.denominator)
    assert (last["customer_retention_rate"], last["lower"], last["upper"]) == (rate.value, rate.lower, rate.upper)
    assert sheet.tables["orders"]["n_orders"].sum() == value(sheet, "orders")
    assert sheet.tables["cohort_retention"].query("age == 0")["n"].sum() == value(sheet, "customers")
    assert sheet.tables["orders"]["revenue"].sum() == pytest.approx(value(sheet, "revenue"))

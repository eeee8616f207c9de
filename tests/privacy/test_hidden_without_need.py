"""Nothing that is published gives a small count back, and nothing is hidden that could be shown: an auditor's word."""

from pathlib import Path

import company
import pytest
from audit import Audit
from click.testing import CliRunner

from retention_kit import counts, ingest, metrics
from retention_kit.cli import main

FEW_NEWCOMERS = {
    "always": (60, ["2023-10-15", *company.MONTHLY]),
    "back": (20, ["2023-10-10", "2024-05-05", "2024-12-04"]),
    "spring": (3, ["2024-05-20", "2024-06-20"]),
    "autumn": (4, ["2024-11-20"]),
    "summer": (40, ["2024-07-20", "2024-08-20", "2024-12-20"]),
}
FEW_LEAVERS = {
    "always": (80, ["2023-10-15", *company.MONTHLY]),
    "left": (2, ["2023-11-01", "2024-01-15", "2024-03-10"]),
    "leaves": (5, ["2023-12-01", "2024-04-15", "2024-06-10"]),
    "new": (25, ["2024-07-07", "2024-10-10"]),
}
TINY = {
    "always": (6, ["2023-10-15", *company.MONTHLY]),
    "once": (3, ["2024-02-10"]),
    "twice": (5, ["2024-03-10", "2024-07-10"]),
    "late": (7, ["2024-09-10", "2024-12-10"]),
}
RETAIL = ["DE", "FR", "AU", "IE", "GB", "LT", "ZA"]
"""Countries of Online Retail with many customers, some, and a handful."""


def audit(here: counts.MarketCounts) -> Audit:
    facts = {"market": here.market, "as_of": here.as_of, "grain": "month", "base_grain": "quarter"}
    published, true = (metrics.market_sheet(here.tables, min_cell=n, **facts) for n in (10, 1))
    return Audit(published, true)


@pytest.fixture(params=["few newcomers", "few leavers", "tiny"])
def made_up(request, tmp_path: Path) -> Audit:
    characters = {"few newcomers": FEW_NEWCOMERS, "few leavers": FEW_LEAVERS, "tiny": TINY}[request.param]
    folder = company.write(tmp_path / "shop", company.orders(characters))
    return audit(counts.count(ingest.source(str(folder)), as_of=company.AS_OF, grains=["month", "quarter"]).of("DK"))


def test_of_made_up_companies_no_small_count_can_be_had_and_nothing_is_hidden_without_need(made_up):
    assert made_up.recomputable() == []
    assert made_up.needless() == []


@pytest.mark.parametrize(
    "market",
    ["NL", "JP", *(pytest.param(code, marks=pytest.mark.slow) for code in ("DK", "RO", "CN", "US", "BR", "DE"))],
)
def test_of_the_sample_no_small_count_can_be_had_and_nothing_is_hidden_without_need(sample_counts, market):
    found = audit(sample_counts.of(market))
    assert found.recomputable() == []
    assert found.needless() == []


@pytest.mark.slow
@pytest.mark.xdist_group("online_retail_audited")
@pytest.mark.parametrize("market", RETAIL)
def test_of_online_retail_no_small_count_can_be_had_and_nothing_is_hidden_without_need(retail, market):
    found = audit(retail.of(market))
    assert found.recomputable() == []
    assert found.needless() == []


@pytest.mark.slow
def test_of_a_segment_no_small_count_can_be_had_and_nothing_is_hidden_without_need():
    segment = counts.Segment("loyalty_tier", is_split=True)
    asked = {"as_of": "2026-01-01", "grains": ["month", "quarter"], "segment": segment}
    found = audit(counts.counted(ingest.source("sample"), **asked).of("DK:silver"))
    assert found.true.headlines["customers"].value > 300
    assert found.published.hidden["cohort_retention"].any(axis=None)
    assert found.recomputable() == []
    assert found.needless() == []


@pytest.fixture(scope="module")
def retail(shared) -> counts.Counted:
    source = ingest.source("online_retail", files={"orders": str(shared / "data" / "online_retail_raw.parquet")})
    return counts.count(source, as_of="2011-12-10", grains=["month", "quarter"])


@pytest.mark.slow
def test_the_auditor_finds_what_is_had_and_what_is_hidden_in_vain(tmp_path):
    folder = company.write(tmp_path / "shop", company.orders(FEW_NEWCOMERS))
    here = counts.count(ingest.source(str(folder)), as_of=company.AS_OF, grains=["month", "quarter"]).of("DK")
    careful, true = audit(here), audit(here).true
    assert Audit(true, true).recomputable() == []  # min_cell = 1: nobody is small
    careless = audit(here)
    last = ("active_base", ("window", "2024-Q4"))
    careless.known[careless.names[*last, "n_reactivated"]] = True
    assert (*last, "n_new") in careless.recomputable()
    anxious = audit(here)
    anxious.known[anxious.names["active_customers",]] = False
    end = (*last, "n_end")
    anxious.known[anxious.names[end]] = False
    assert end in anxious.needless()
    assert careful.known[careful.names[end]]


def test_a_loyal_base_with_few_newcomers_keeps_its_rate(shared):
    source = ingest.source(str(shared / "cases" / "05-headline-hidden-by-few-new" / "p.toml"))
    here = counts.count(source, as_of="2025-01-01", grains=["month", "quarter"]).of("US")
    found = audit(here)
    told = found.published.headlines
    assert told["customer_retention_rate"].value == pytest.approx(40 / 60)
    assert (told["customer_retention_rate"].n, told["churn_rate"].n) == (60, 60)
    assert told["churn_rate"].value == pytest.approx(20 / 60)
    assert told["active_customers"].value == 63
    last = found.published.hidden["active_base"][found.published.tables["active_base"]["period"] == "2024-Q4"]
    hidden = set(last.columns[last.any()]) - {"hidden"}
    assert hidden == {"n_new", "n_reactivated", "textbook_retention_rate"}
    assert found.recomputable() == []
    assert found.needless() == []


def test_the_command_tells_the_rate_of_a_loyal_base(shared):
    profile = shared / "cases" / "05-headline-hidden-by-few-new" / "p.toml"
    result = CliRunner().invoke(main, ["metrics", "--data", str(profile)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    lines = {line.split("  ")[1].strip(): line for line in result.output.splitlines() if line.startswith("  ")}
    assert "66.7%" in lines["Customer retention rate"]
    assert "n 60" in lines["Customer retention rate"]
    assert "33.3%" in lines["Churn rate"]
    assert "hidden: it would tell of fewer than 10 customers" in lines["Textbook retention rate"]

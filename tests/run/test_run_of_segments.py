"""A segment is reported as a market: a page for each, or of those customers alone of whom something is true."""

import json
from html import unescape
from pathlib import Path

import company
import pytest
from click.testing import CliRunner, Result

import retention_kit as rk
from retention_kit import counts, ingest
from retention_kit.cli import main
from retention_kit.config import project_root
from retention_kit.errors import UsageError
from retention_kit.present.languages import place, speaking
from retention_kit.run.jobs import file_names
from retention_kit.run.orchestration import _reports_of

PARAMETERS = (
    'market: str = "NL"\ndata: str = "sample"\nas_of: str = "2025-01-01"\nlanguage: str = "en"\n'
    'where: str = ""\nby: str = ""'
)
SHOWS = "print('shown', market, 'where', where, 'by', by)"
TIER = "CASE WHEN customer_id LIKE '%always%' THEN 'gold' ELSE 'the rest' END"
LOYAL = "customer_id LIKE '%always%'"
NOTEBOOK = project_root() / "notebooks" / "market_report.ipynb"
TWO_MARKETS = company.orders(company.DENMARK) + company.orders({"once": (30, ["2024-02-02"])}, market="NL")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a small company, in a project of its own."""
    company.project(tmp_path / "project", monkeypatch)
    return company.write(tmp_path / "shop", TWO_MARKETS)


def called(command: str, shop: Path, *arguments: str) -> Result:
    given = [command, "--data", str(shop), "--as-of", company.AS_OF, *arguments]
    return CliRunner().invoke(main, given, catch_exceptions=False)


def test_each_segment_of_each_market_has_a_page_in_a_folder_of_its_own(shop, notebook_file, tmp_path):
    scope = {"data": str(shop), "as_of": company.AS_OF, "notebook": notebook_file([SHOWS], parameters=PARAMETERS)}
    results = rk.report(scope=rk.run.Scope(**scope, by=TIER))
    assert [result.market for result in results] == ["DK-GOLD", "DK-THE-REST", "NL-THE-REST"]
    reports = tmp_path / "project" / "reports"
    folder = next(iter(reports.glob("*/by-case-when-customer_id-like-always-then*")))
    assert f"shown DK:the rest where  by {TIER}" in unescape(read(folder / "DK-THE-REST.html"))
    assert "Denmark, the rest" in read(folder / "DK-THE-REST.html")
    assert [one.market for one in rk.report(scope=rk.run.Scope(**scope, by=TIER, markets=["NL"]))] == ["NL-THE-REST"]
    alone = rk.report(scope=rk.run.Scope(**scope, where=LOYAL))
    assert [result.market for result in alone] == ["DK"]
    page = next(iter(reports.glob("*/where-customer_id-like-always-*/DK.html")))
    assert "shown DK where" in read(page)
    assert "Denmark, customer_id LIKE" in read(page)


@pytest.mark.parametrize(
    ("one", "other"), [("amount_minor > 5", "amount_minor < 5"), ("channel = '金'", "channel = '银'")]
)
def test_two_segments_never_share_a_folder(shop, one, other):
    source, folders = ingest.source(str(shop)), set()
    for sql in (one, other, "channel", "loyalty_tier"):
        folders.add(_reports_of(source, counts.Segment(sql, is_split=False)).name)
    assert len(folders) == 4
    assert {"where-channel", "where-loyalty_tier"} < folders


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_of_a_segment_and_its_data_say_of_whom_they_are(shop, tmp_path):
    asked = ["--by", TIER, "--market", "DK", "--notebook", str(NOTEBOOK)]
    result = called("report", shop, *asked, "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    told = json.loads(read(tmp_path / "out" / "DK-GOLD.json"))
    assert (told["market"], told["name"], told["segment"]) == ("DK:gold", "Denmark, gold", TIER)
    assert "asked at the first order" in read(tmp_path / "out" / "DK-GOLD.html")
    assert "2 segments" in read(tmp_path / "out" / "index.html")


def test_headlines_are_told_of_segments_and_of_those_of_whom_something_is_true(shop):
    of_tiers = called("metrics", shop, "--by", TIER)
    assert of_tiers.exit_code == 0, of_tiers.output
    heads = [line for line in of_tiers.output.splitlines() if "observed before" in line]
    assert [line.partition(" (")[0] for line in heads] == [
        "Denmark, gold",
        "Denmark, the rest",
        "Netherlands, the rest",
    ]
    n_loyal = company.DENMARK["always"][0]
    of_loyal = customers(called("metrics", shop, "--where", LOYAL))
    assert of_loyal == {f"Denmark, {LOYAL}": n_loyal}
    assert customers(of_tiers)["Denmark, gold"] == n_loyal
    assert customers(of_tiers)["Denmark, the rest"] == sum(n for n, _ in company.DENMARK.values()) - n_loyal


def customers(result: Result) -> dict[str, int]:
    """Return how many customers the headlines tell of, by market."""
    assert result.exit_code == 0, result.output
    found, name = {}, ""
    for line in result.output.splitlines():
        if "observed before" in line:
            name = line.rpartition(" (")[0]
        if line.startswith("  Customers "):
            found[name] = int(line.split()[1].replace(",", ""))
    return found


def test_a_profile_gives_segments_names(shop, tmp_path):
    (shop / "profile.toml").write_text(
        f'[orders]\nfile = "orders.csv"\n[segments]\nclub = "{LOYAL}"\n', encoding="utf-8"
    )
    told = called("metrics", shop / "profile.toml", "--where", "club")
    assert customers(told).keys() == {"Denmark, club"}
    opened = rk.open(str(shop / "profile.toml"), as_of=company.AS_OF)
    here = opened.where("club").market("DK")
    cohorts = here.counts("cohort_counts", grain="month").query("age == 0")
    assert cohorts["n_active"].sum() == customers(told)["Denmark, club"]


def test_a_name_that_is_no_expression_is_refused_with_the_profile(shop):
    (shop / "profile.toml").write_text('[orders]\nfile = "orders.csv"\n[segments]\nclub = "SELECT 1"\n')
    with pytest.raises(rk.KitError, match=r"profile.toml \[segments\] cannot make 'club'"):
        rk.open(str(shop / "profile.toml"), as_of=company.AS_OF)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            ["--by", TIER, "--where", LOYAL],
            "A report is of some customers (where) or of all segments (by).\n"
            f"  found: where '{LOYAL}', by '{TIER}'\n"
            "  try:   by an expression for both, such as \"CASE WHEN channel = 'web' THEN 'web' ELSE tier END\"",
        ),
        (
            ["--by", "custmer_id"],
            "There is no column to segment by 'custmer_id'.\n  found: ",
        ),
        (
            ["--by", "order_id", "--market", "ALL"],
            "The overview compares markets, and tells of no segments.\n  found: by 'order_id'\n"
            "  try:   where instead of by, or leave --market out: the index lists every segment's page",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_reported_is_refused_before_anything_is_written(shop, tmp_path, asked, message):
    result = called("report", shop, *asked, "--notebook", str(NOTEBOOK), "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert result.stderr.startswith(message), result.stderr
    assert not (tmp_path / "out").exists()


def test_a_notebook_that_knows_no_segments_is_refused(shop, notebook_file):
    notebook = notebook_file(["print(market)"], parameters='market: str = "NL"')
    with pytest.raises(UsageError) as refused:
        rk.report(scope=rk.run.Scope(str(shop), as_of=company.AS_OF, notebook=notebook, by=TIER))
    assert str(refused.value).endswith(
        "does not tell of segments.\n  found: parameters 'market'\n"
        "  try:   parameters where and by in it, handed to counts.counted as notebooks/market_report.ipynb does"
    )


def test_too_many_segments_are_refused(shop, monkeypatch):
    monkeypatch.setattr("retention_kit.counts.session._MOST_SEGMENTS", 20)
    result = called("metrics", shop, "--by", "customer_id")
    assert result.exit_code == 2
    assert "There are too many segments to be told apart.\n  found: customer_id: " in result.stderr
    assert "in all markets\n  try:   an expression with few values, at most 20 with" in result.stderr
    assert "always" not in result.stderr  # whose customer a name is


def test_files_are_named_after_segments_and_no_two_alike():
    codes = ["DK", "DK:gold", "DK:Émail partner", "DK:a/b", "DK:a b", "CN:金", "CN:银", "ALL"]
    names = file_names(codes)
    assert [names[code] for code in codes[:3]] == ["DK", "DK-GOLD", "DK-EMAIL-PARTNER"]
    assert names["ALL"] == "ALL"
    assert names["DK:a/b"].startswith("DK-A-B-")
    assert names["CN:金"].startswith("CN-")
    assert len(set(names.values())) == len(codes)
    assert file_names(reversed(codes)) == names


def test_the_country_of_a_segment_is_named_in_the_readers_language():
    with speaking("da-DK"):
        assert place("Denmark, gold") == "Danmark, gold"
        assert place("Acme, Denmark") == "Acme, Denmark"

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import company
import nbformat
import pytest
from click.testing import CliRunner, Result

from retention_kit import __version__
from retention_kit.cli import main
from retention_kit.config import project_root

OLD = "<!doctype html><title>Denmark, last month</title>"
AS_OF = ["--as-of", company.AS_OF]
CORRECT = "correct the export, or raise max_refused, or declare the share as [expected], in data/sources/shop.toml"
ONE = "1,c,DK,2024-01-01T12:00:00Z,100,DKK"
NOTEBOOK = project_root() / "notebooks" / "market_report.ipynb"


def called(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a small company, in a project of its own."""
    company.project(tmp_path / "project", monkeypatch)
    rows = company.orders(company.DENMARK) + company.orders({"once": (30, ["2024-02-02"])}, market="NL", amount="9.50")
    return company.write(tmp_path / "shop", rows)


@pytest.fixture
def refused(shop: Path, tmp_path: Path) -> Callable[..., str]:
    """Return a function that asks for reports over an old one, sees that it stays, and returns what was said."""

    def asked(*arguments: str, exit_code: int, data: str | None = None) -> str:
        out = tmp_path / "reports"
        out.mkdir(exist_ok=True)
        (out / "DK.html").write_text(OLD, encoding="utf-8")
        given = ["report", "--data", data or str(shop), "--notebook", str(NOTEBOOK), "--out", str(out)]
        result = called(*given, *arguments)
        assert {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()} == {"DK.html": OLD}
        assert result.exit_code == exit_code, result.output
        assert result.stdout == ""
        return result.stderr.removesuffix("\n")

    return asked


@pytest.mark.parametrize("name", sorted(main.commands))
class TestCommand:
    def test_helps_with_a_sentence_and_examples(self, name):
        result = called(name, "--help")
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: main {name} [OPTIONS]")
        assert "Examples:" in result.stdout
        assert f"  retention-kit {name}" in result.stdout
        assert "\\b" not in result.stdout
        examples = result.stdout.split("Examples:\n")[1].split("\n\n")[0].splitlines()
        assert all(line.startswith("    retention-kit ") and len(line) <= 100 for line in examples)

    def test_explains_every_option(self, name):
        options = [parameter for parameter in main.commands[name].params if isinstance(parameter, click.Option)]
        assert all(option.help for option in options)

    def test_does_not_know_an_option_that_is_not_there(self, name):
        result = called(name, "--nothing")
        assert result.exit_code == 2
        assert "No such option" in result.stderr
        assert "--nothing" in result.stderr


def test_help_names_every_command_and_shows_examples():
    text = called("--help").stdout
    assert all(f"\n  {name} " in text for name in main.commands)
    assert "retention-kit report" in text
    assert called("-h").stdout == text
    assert called("--version").stdout == f"retention-kit, version {__version__}\n"


@pytest.mark.parametrize(("written", "meant"), [("reprot", "report"), ("metric", "metrics"), ("chek", "check")])
def test_a_mistyped_command_names_the_near_miss(written, meant):
    result = called(written)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"Error: There is no command '{written}'. Did you mean '{meant}'?\n")


def test_a_command_unlike_any_lists_those_there_are():
    assert called("xyzzy").stderr.endswith(
        f"Error: There is no command 'xyzzy'. There are: {', '.join(sorted(main.commands))}.\n"
    )


@pytest.mark.parametrize(("asked", "meant"), [("DKK", "DK"), ("Danmark", "DK"), ("Nederlands", "NL")])
def test_an_unknown_market_names_the_near_miss(refused, asked, meant):
    text = f"There is no market '{asked}'.\n  found: 'DK', 'NL', 'JP'\n  try:   '{meant}'"
    assert refused(*AS_OF, "--market", "NL", "--market", asked, exit_code=2) == text


def test_a_market_is_asked_for_once(refused):
    assert refused(*AS_OF, "--market", "DK", "--market", "DK", exit_code=2) == (
        "A market is asked for twice.\n  found: 'DK'\n  try:   name each market once"
    )


def test_an_unknown_format_names_the_near_miss(refused):
    assert refused(*AS_OF, "--format", "html,xslx", exit_code=2) == (
        "There is no format 'xslx'.\n  found: 'html', 'json', 'csv', 'parquet', 'xlsx', 'pdf'\n  try:   'xlsx'"
    )


def test_without_an_as_of_there_is_nothing_to_observe(refused):
    assert refused(exit_code=2) == (
        "The data 'shop' name no as_of, and none is given.\n"
        "  try:   --as-of DATE, the first day that is not observed: for data up to 9 December 2011, 2011-12-10"
    )


def test_an_as_of_that_is_no_date(refused):
    assert refused("--as-of", "01-01-2025", exit_code=2) == (
        "as_of '01-01-2025' is neither a date nor an instant with an offset.\n"
        "  try:   2026-01-01, or 2026-01-01T12:00+01:00"
    )


def test_an_as_of_before_the_data(refused):
    assert refused("--as-of", "2023-12-15", exit_code=2) == (
        "as_of 2023-12-15 lies before the first order.\n"
        "  found: orders from 2023-12-15 on\n"
        "  try:   a later as_of: it is the first instant that is not observed"
    )


def test_data_that_are_not_there(refused):
    text = refused(*AS_OF, data="shopp", exit_code=2)
    assert text.startswith("There is no data source or folder 'shopp'.")


def test_a_file_that_is_not_there(refused, shop):
    assert refused(*AS_OF, "--file", str(shop / "ordres.csv"), exit_code=2) == (
        "There is no file 'ordres.csv' of orders.\n  found: 'markets.toml', 'orders.csv'\n  try:   'orders.csv'"
    )


def test_a_file_of_a_table_that_there_is_not(refused, shop):
    text = refused(*AS_OF, "--file", f"custmers={shop / 'orders.csv'}", exit_code=2)
    assert text.startswith("There is no table 'custmers'.\n")
    assert text.endswith("\n  try:   'customers'")


def test_a_notebook_that_is_not_there(refused):
    text = refused(*AS_OF, "--notebook", str(NOTEBOOK.with_name("market_reprot.ipynb")), exit_code=2)
    assert text.startswith("There is no notebook 'market_reprot.ipynb'.\n")
    assert text.endswith("\n  try:   'market_report.ipynb'")


def test_a_folder_that_is_a_file(refused, tmp_path):
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    assert refused(*AS_OF, "--out", str(tmp_path / "file"), exit_code=2) == (
        "Reports cannot be written to 'file'.\n  try:   a folder of your own, by --out FOLDER"
    )


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (
            ("grian", "week"),
            "There is no parameter 'grian'.\n"
            "  found: 'market', 'data', 'files', 'as_of', 'language', 'grain', 'base_grain', 'holdout_weeks', "
            "'horizon_weeks', 'yearly_rate', 'where', 'by' and 3 more\n"
            "  try:   'grain'",
        ),
        (
            ("language", "da"),
            "The parameter 'language' is set by an option.\n  try:   --language instead of -p language",
        ),
        (("market", "NL"), "The parameter 'market' is set by an option.\n  try:   --market instead of -p market"),
        (("as_of", "2024-01-01"), "The parameter 'as_of' is set by an option.\n  try:   --as-of instead of -p as_of"),
        (("files", "{}"), "The parameter 'files' is set by an option.\n  try:   --file instead of -p files"),
        (("twin", "x.json"), "The parameter 'twin' cannot be given.\n"
         "  try:   leave it out; it is written beside the report"),
        (
            ("grain", "fortnight"),
            "There is no grain 'fortnight'.\n"
            "  found: 'day', 'week', 'month', 'quarter', 'year'\n"
            "  try:   one of the 5 above",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_parameter_that_cannot_be_given(refused, parameter, text):
    assert refused(*AS_OF, "-p", *parameter, exit_code=2) == text


@pytest.mark.parametrize(
    ("orders", "text"),
    [
        ("", "orders.csv is empty.\n  try:   export orders again"),
        (company.HEADER + "\n", "orders has no rows.\n  try:   another file, or export it again"),
        (
            "order_id,customer_id,market,orderd_at,amount,currency\n" + ONE,
            "orders lacks 'ordered_at'.\n"
            "  found: 'order_id', 'customer_id', 'market', 'orderd_at', 'amount', 'currency'\n"
            "  try:   rename 'orderd_at' to 'ordered_at', or map it in data/sources/shop.toml",
        ),
        (
            f"{company.HEADER}\n1,c,DK,01-02-2024,100,DKK\n2,c,DK,31-02-2024,100,DKK\n",
            "No order is left: every row was refused or left out.\n"
            "  found: 2 of 2 orders have an ordered_at that is not a date as declared\n"
            '  try:   declare how [orders] writes dates, such as date_format = "%d-%m-%Y", in data/sources/shop.toml',
        ),
        (
            f'{company.HEADER}\n{ONE}\n2,c,DK,2024-01-01T12:00:00Z,"9,95",DKK\n',
            "orders: 50 % of the rows were refused, more than the 1 % allowed.\n"
            "  found: 1 of 2 orders have an amount that is not a number as declared\n"
            '  try:   declare how [orders] writes numbers, such as decimal = ",", in data/sources/shop.toml\n'
            f"         {CORRECT}",
        ),
        (
            f"{company.HEADER}\n{ONE}\n2,c,DK,2024-01-01T12:00:00Z,100,SEK\n",
            "orders are in several currencies, and there are no exchange rates.\n"
            "  found: 'SEK in DK' (1)\n"
            "  try:   a table exchange_rates with date, currency and rate, for the order's currency and the market's",
        ),
        (
            f"{company.HEADER}\n{ONE}\n2,c,Danmark,2024-01-01T12:00:00Z,100,DKK\n",
            "orders names a market that is not declared.\n"
            "  found: 'Danmark' (1)\n"
            "  try:   'Danmark' may be DK: give DK the line aliases = [\"Danmark\"] in markets.toml\n"
            "         declare what is missing in markets.toml, or leave it out: --unknown-markets ignore",
        ),
    ],
    ids=["empty", "header", "column", "every_row", "decimal_comma", "currencies", "market"],
)
def test_an_export_that_cannot_be_counted(refused, shop, orders, text):
    (shop / "orders.csv").write_text(orders, encoding="utf-8")
    assert refused(*AS_OF, exit_code=1) == text


@pytest.mark.parametrize(
    ("markets", "text"),
    [
        ("[DK]\n[DK]\n", "markets.toml declares 'DK' twice.\n  try:   give each market its own code"),
        (
            company.declared().replace("time_zone", "timezone", 1),
            "markets.toml [DK] cannot be read as written.\n"
            "  found: no 'time_zone'\n         unknown key 'timezone'\n"
            "  try:   add 'time_zone'\n         'time_zone'",
        ),
        (
            company.declared(NL={"name": '"Denmark"'}),
            "markets.toml: 'Denmark' names two markets.\n"
            "  found: 'DK', 'NL'\n  try:   give each market its own name and aliases",
        ),
    ],
    ids=["code", "key", "name"],
)
def test_markets_that_cannot_be(refused, shop, markets, text):
    (shop / "markets.toml").write_text(markets, encoding="utf-8")
    assert refused(*AS_OF, exit_code=2) == text


def test_metrics_refuses_an_unknown_market_before_it_shows_another(shop):
    result = called("metrics", "--data", str(shop), *AS_OF, "--market", "DK", "--market", "DKK")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "There is no market 'DKK'.\n  found: 'DK', 'NL', 'JP'\n  try:   'DK'\n"


def test_metrics_of_a_market_without_orders_says_which_have_some(shop):
    result = called("metrics", "--data", str(shop), *AS_OF, "--market", "JP")
    assert result.exit_code == 1
    assert result.stderr == (
        "Japan (JP) has no kept order before 2025-01-01.\n"
        "  found: orders in DK, NL\n"
        "  try:   another market, or a later as_of\n"
    )


def value(twin: dict, name: str) -> float | None:
    [headline] = [headline for headline in twin["headlines"] if headline["id"] == name]
    return headline["value"]


def test_metrics_prints_the_headlines_of_each_market(shop):
    result = called("metrics", "--data", str(shop), *AS_OF)
    assert (result.exit_code, result.stderr) == (0, "")
    denmark, netherlands = result.stdout.strip().split("\n\n")
    assert denmark.startswith("Denmark (DK), observed before 2025-01-01\n")
    assert netherlands.startswith("Netherlands (NL), observed before 2025-01-01\n")
    assert "62.5%" in denmark  # R / S = 20 / 32


def test_metrics_of_one_market_as_json_is_its_twin(shop):
    result = called("metrics", "--data", str(shop), *AS_OF, "--market", "DK", "--json")
    twin = json.loads(result.stdout)
    assert (twin["market"], twin["data"], twin["as_of"]) == ("DK", "shop", "2025-01-01")
    assert value(twin, "customer_retention_rate") == 20 / 32
    again = called("metrics", "--data", str(shop), *AS_OF, "--market", "DK", "--json")
    assert again.stdout == result.stdout  # read from the counts store this time


def test_metrics_of_several_markets_as_json_is_a_list(shop):
    result = called("metrics", "--data", str(shop), *AS_OF, "--market", "NL", "--market", "DK", "--json")
    assert [twin["market"] for twin in json.loads(result.stdout)] == ["NL", "DK"]
    everywhere = json.loads(called("metrics", "--data", str(shop), *AS_OF, "--json").stdout)
    assert [twin["market"] for twin in everywhere] == ["DK", "NL"]


def test_metrics_of_the_group_counts_a_customer_of_two_markets_once(shop):
    moved = [
        row.replace("NL-once-", "DK-always-") for row in company.orders({"once": (5, ["2024-02-02"])}, market="NL")
    ]
    rows = (shop / "orders.csv").read_text(encoding="utf-8").splitlines()[1:]
    company.write(shop, [*rows, *moved])
    twins = json.loads(
        called(
            "metrics", "--data", str(shop), *AS_OF, *("--market", "DK", "--market", "NL", "--market", "ALL"), "--json"
        ).stdout
    )
    assert [twin["market"] for twin in twins] == ["DK", "NL", "ALL"]
    assert [value(twin, "customers") for twin in twins] == [57, 35, 57 + 30]
    ids = {headline["id"] for headline in twins[2]["headlines"]}
    assert not ids & {"revenue", "average_order_value", "clv_simple", "cltv"}  # DKK and EUR are never added


def test_metrics_in_weeks_and_years(shop):
    result = called("metrics", "--data", str(shop), *AS_OF, "--grain", "week", "--base-grain", "year", "--json")
    twin = json.loads(result.stdout)[0]
    assert (twin["grain"], twin["base_grain"]) == ("week", "year")
    assert value(twin, "customer_retention_rate") == 20 / 20


def test_check_tells_all_findings_and_ends_with_one_where_data_cannot_be_counted(shop):
    good = called("check", "--data", str(shop))
    assert (good.exit_code, good.stderr) == (0, "")
    (shop / "orders.csv").write_text(f"{company.HEADER}\n{ONE}\n2,,DK,2024-01-01T12:00:00Z,,DKK\n", encoding="utf-8")
    bad = called("check", "--data", str(shop))
    assert bad.exit_code == 1
    assert "1 of 2 orders have no customer_id" in bad.stdout


def test_check_proposes_a_profile_for_a_file_never_seen(shop):
    result = called("check", "--file", str(shop / "orders.csv"))
    assert result.exit_code == 0
    assert "[orders]" in result.stdout


def test_markets_lists_the_declared_ones(shop):
    assert called("markets", "--data", str(shop)).stdout.splitlines() == [
        "DK  Denmark      en  DKK  Europe/Copenhagen  90 days",
        "NL  Netherlands  en  EUR  Europe/Amsterdam   90 days",
        "JP  Japan        en  JPY  Asia/Tokyo         90 days",
    ]


def test_sql_of_an_unknown_counting_file_names_the_near_miss():
    result = called("sql", "cohort_count")
    assert result.exit_code == 2
    assert result.stderr.endswith("  try:   'cohort_counts'\n")
    assert "cohort_counts" in called("sql").stdout.split()


def test_orders_for_a_benchmark_need_a_folder(tmp_path):
    result = called("sample", "--orders", "1000")
    assert (result.exit_code, result.stderr) == (2, "A benchmark's orders need a folder.\n  try:   --to FOLDER\n")
    assert called("sample", "--orders", "1000", "--n-markets", "2", "--to", str(tmp_path)).exit_code == 0
    assert list(tmp_path.rglob("*.parquet"))


def test_the_report_of_the_group_is_written_and_a_market_that_fails_keeps_its_old_one(shop, tmp_path):
    out = tmp_path / "reports"
    out.mkdir()
    (out / "JP.html").write_text(OLD, encoding="utf-8")
    asked = ["--data", str(shop), *AS_OF, "--market", "ALL", "--market", "JP"]
    result = called(
        "report", *asked, "--notebook", str(NOTEBOOK), "--out", str(out), "--workers", "2", "-p", "grain", "quarter"
    )
    assert result.exit_code == 1, result.output
    assert sorted(path.name for path in out.glob("[!.]*")) == [
        "ALL.html", "ALL.json", "JP.html", "index.html", "run.json",
    ]  # fmt: skip
    assert (out / "JP.html").read_text(encoding="utf-8") == OLD
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "Japan (JP) has no kept order before 2025-01-01." in index
    twin = json.loads((out / "ALL.json").read_text(encoding="utf-8"))
    told = json.loads(called("metrics", *asked[:4], "--market", "ALL", "--grain", "quarter", "--json").stdout)
    assert twin["ahead"]["withheld"].startswith("All markets: customers differ by market")
    assert twin | {"ahead": None} == told  # a terminal fits no model
    page = (out / "ALL.html").read_text(encoding="utf-8")
    assert "All markets" in page
    assert all(headline["shown"] in page for headline in twin["headlines"])


@pytest.mark.parametrize("share", ["1.5", "-0.1", "much"])
def test_a_share_that_is_none_is_refused(shop, share):
    result = called("metrics", "--data", str(shop), *AS_OF, "--max-refused", share)
    assert result.exit_code == 2
    assert "--max-refused" in result.stderr


@pytest.fixture
def small_notebook(tmp_path):
    node = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    cell = nbformat.v4.new_code_cell('market: str = "NL"  # the market', metadata={"tags": ["parameters"]})
    node.cells = [nbformat.v4.new_markdown_cell("# A market"), cell, nbformat.v4.new_code_cell("market")]
    nbformat.write(node, tmp_path / "small.ipynb")
    return str(tmp_path / "small.ipynb")


@pytest.mark.slow
def test_reports_go_on_where_they_stopped_are_made_in_shards_and_logged_as_json(small_notebook, tmp_path):
    out = tmp_path / "out"
    asked = ["report", "--notebook", small_notebook, "--out", str(out)]
    for shard in ("1/2", "2/2"):
        done = called(*asked, "--market", "DK", "--market", "NL", "--shard", shard, "--json-log")
        assert done.exit_code == 0
        events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
        assert events == ["begin", "started", "ended", "end"]
    assert called("index", str(out)).stdout == f"{out / 'index.html'}: 2 markets\n"
    done = called(*asked, "--market", "DK", "--market", "RO", "--resume")
    assert done.exit_code == 0
    assert done.stdout.startswith("1 of 2 reports are there, made of the same; --force makes them again.\nRO Romania: ")
    assert called(*asked, "--market", "DK", "--resume", "--quiet").stdout == ""


def test_an_index_needs_reports(tmp_path):
    done = called("index", str(tmp_path / "none"))
    assert done.exit_code == 2
    assert done.stderr == (
        "There are no reports in 'none'.\n  try:   the folder that `retention-kit report --out` wrote to\n"
    )


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--shard", "3/2", "There is no shard '3/2'.\n  try:   the second of five machines takes 2/5\n"),
        (
            "--run-memory",
            "lots",
            "Memory cannot be limited to 'lots'.\n  try:   an amount of at least 256MiB, such as 4GB\n",
        ),
        (
            "--memory",
            "1MB",
            "Memory cannot be limited to '1MB'.\n  try:   an amount of at least 256MiB, such as 4GB\n",
        ),
    ],
)
def test_an_option_that_says_nothing_sensible_is_told(small_notebook, tmp_path, option, value, told):
    done = called("report", "--notebook", small_notebook, "--out", str(tmp_path / "out"), option, value)
    assert (done.exit_code, done.stderr) == (2, told)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def with_notebooks(shop: Path) -> Path:
    """Return the folder of the small company, its project given the kit's notebooks."""
    shutil.copytree(NOTEBOOK.parent, shop.parent / "project" / "notebooks")
    return shop


@pytest.mark.slow
def test_a_report_of_all_markets_lies_beside_those_of_each(with_notebooks, tmp_path):
    shop, out = with_notebooks, tmp_path / "reports"
    result = called("report", "--data", str(shop), *AS_OF, "--out", str(out), "--workers", "2")
    assert result.exit_code == 0, result.output
    written = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
    assert {"ALL.html", "ALL.json", "index.html"} < set(written)
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "All markets" in index
    assert "from an earlier run" not in index
    assert "How do our markets compare?" in (out / "ALL.html").read_text(encoding="utf-8")
    again = called("report", "--data", str(shop), *AS_OF, "--out", str(out), "--resume")
    assert again.exit_code == 0
    assert "1 of 1 reports are there" in again.output


@pytest.mark.slow
def test_the_report_of_all_markets_can_be_asked_for_alone(with_notebooks, tmp_path):
    shop, out = with_notebooks, tmp_path / "reports"
    asked = ["report", "--data", str(shop), *AS_OF, "--out", str(out), "--market", "ALL"]
    result = called(*asked, "--format", "html,json,csv,xlsx")
    assert result.exit_code == 0, result.output
    assert {"ALL.html", "ALL.json", "ALL.tables", "ALL.xlsx"} < {path.name for path in out.iterdir()}
    assert called(*asked, "--resume").exit_code == 0
    assert not {"ALL.tables", "ALL.xlsx"} & {path.name for path in out.iterdir()}
    assert "How do our markets compare?" in (out / "ALL.html").read_text(encoding="utf-8")

"""Names that would do harm, as market, payment method, channel, campaign, experiment and customer, in every format."""

import json
from pathlib import Path

import company
import openpyxl
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from calls import run_reports
from click.testing import CliRunner

from retention_kit.cli import main
from retention_kit.config import project_root
from retention_kit.run import Run, export

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("hostile_names"),
]  # reports are made once, not once by each worker

NAMES = ["<script>document.title = 'taken'</script>", "$x_1$", "=cmd|' /C calc'!A0", "../../etc/passwd", "N" * 1000,
         "\u202egnihtyna\u2066", '" onload="alert(1)', "{{ 7 * 7 }} {name} %s"]  # fmt: skip
MARKET = f"<script>alert(1)</script>$x_1$\u202e{'N' * 1000}"
EXPERIMENT = "=cmd|'calc'!A0 <b>$x_1$"
EACH = 15


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a company in which everything has a name that would do harm."""
    place = tmp_path_factory.mktemp("hostile")
    orders, customers, assignments = [], [], []
    for n in range(EACH * len(NAMES)):
        name = NAMES[n % len(NAMES)]
        customer = f"{name[:60]} {n}"
        customers.append({"customer_id": customer, "market": "DK", "acquisition_channel": name})
        assignments.append({"experiment": EXPERIMENT, "customer_id": customer, "arm": name if n % 2 else "control",
                            "assigned_at": "2024-03-01T00:00:00Z"})  # fmt: skip
        facts = {"customer_id": customer, "market": "DK", "amount": 100, "currency": "DKK"}
        facts |= dict.fromkeys(["payment_method", "channel", "campaign", "coupon"], name)
        days = ("2024-02-01", "2024-04-01", "2024-12-01")[: 1 + n % 3]
        orders += [{"order_id": f"{customer} {day}", "ordered_at": f"{day}T12:00:00Z", **facts} for day in days]
    company.write(place, [], markets=company.declared(DK={"name": json.dumps(MARKET)}))
    for table, rows in (("orders", orders), ("customers", customers), ("assignments", assignments)):
        pd.DataFrame(rows).to_csv(place / f"{table}.csv", index=False)
    return place


@pytest.fixture(scope="module")
def reports(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the reports of that company, in every format that needs no browser."""
    out, notebooks = tmp_path_factory.mktemp("reports"), project_root() / "notebooks"
    asked = {"data": str(folder), "as_of": company.AS_OF}
    for notebook, more in (("market_report", {}), ("experiment_readout", {"experiment": EXPERIMENT})):
        treated = {"treatment": NAMES[1], "control": "control"} if more else {}
        runs = [Run("DK", MARKET, {**asked, **more, **treated})]
        results = run_reports(notebooks / f"{notebook}.ipynb", runs, out=out / notebook, workers=1)
        assert results[0].reason == "", results[0].reason
        export(out / notebook, ["DK"], formats=["csv", "parquet", "xlsx"])
    return out


def test_no_name_is_part_of_a_page_but_as_text(reports):
    for page in reports.rglob("*.html"):
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        assert ["Intl.Collator" in script.string for script in soup.find_all("script")] == [True]
        assert not [tag for tag in soup.find_all(True) if any(key.startswith("on") for key in tag.attrs)]
        assert "<script>alert(1)</script>" in soup.get_text()
    readout = (reports / "experiment_readout" / "DK.html").read_text(encoding="utf-8")
    assert "<b>$x_1$" in BeautifulSoup(readout, "html.parser").get_text()


def test_every_name_is_written_in_a_figure_as_it_is_or_cut(reports):
    page = (reports / "market_report" / "DK.html").read_text(encoding="utf-8")
    texts = " ".join(text.get_text() for text in BeautifulSoup(page, "html.parser").select("figure svg text"))
    for name in NAMES:
        assert (name if len(name) <= 40 else name[:39]) in texts


def test_every_name_is_in_the_twin_and_the_files_of_its_tables_as_it_is(reports):
    out = reports / "market_report"
    twin = json.loads((out / "DK.json").read_text(encoding="utf-8"))
    assert twin["name"] == MARKET
    paid = {row["value"] for row in twin["tables"]["returned"] if row["cut"] == "payment_method"}
    assert paid == set(NAMES)
    assert set(NAMES) <= set(pd.read_parquet(out / "DK.tables" / "returned.parquet")["value"])
    quoted = {f"'{name}" if name.startswith("=") else name for name in NAMES}
    assert quoted <= set(pd.read_csv(out / "DK.tables" / "returned.csv")["value"])
    sheet = openpyxl.load_workbook(out / "DK.xlsx")["returned"]
    cells = [cell for row in sheet.rows for cell in row]
    assert set(NAMES) <= {cell.value for cell in cells}
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]


def test_no_name_is_the_name_of_a_file(reports):
    names = {path.name for path in reports.rglob("*")}
    known = {"DK.html", "DK.json", "DK.tables", "DK.xlsx", "index.html", "run.json"}
    tables = {name for name in names if name.endswith((".csv", ".parquet"))}
    assert names - known - tables <= {"market_report", "experiment_readout", ".lock", ".exports"}
    assert all(name.partition(".")[0].replace("_", "").isalpha() for name in tables)


def test_no_name_turns_or_hides_what_a_terminal_shows(folder):
    for call in (["metrics", "--market", "DK", "--as-of", company.AS_OF], ["markets"]):
        told = CliRunner().invoke(main, [*call, "--data", str(folder)], catch_exceptions=False)
        assert told.exit_code == 0, told.output
        assert "<script>alert(1)</script>" in told.output
        assert not {"\u202e", "\u2066", "\x1b"} & set(told.output)
        assert max(map(len, told.output.splitlines())) < 400

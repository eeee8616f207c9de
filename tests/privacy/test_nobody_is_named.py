"""Nobody is named: every page, twin, export, figure, list and stored output is searched for every customer."""

import base64
import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import company
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from retention_kit.cli import main
from retention_kit.config import project_root

NOTEBOOKS = sorted((project_root() / "notebooks").glob("*.ipynb"))
SAMPLE = project_root() / "data" / "sample"
DATA_URI = re.compile(r"data:[\w/+.-]+(?:;charset=[\w-]+)?(;base64)?,([\w+/=%.-]+)")
WORD = re.compile(r"[\w@.+-]+")
KEY = "a key of more than sixteen bytes"
FORMATS = "html,json,csv,parquet,xlsx"

CUSTOMERS = "customer_id,market,language,acquisition_channel,loyalty_joined_at,name,email"
GIVEN = ("Zoë", "Şükrü", "Anneke", "Wojciech", "Ximena", "Óscar", "Thandiwe", "Jedediah")
FAMILY = ("Çelik-Özdemir", "van der Quast", "Popescu", "Nguyễn", "O'Hara", "Brzęczyszczykiewicz")


def texts_of(content: bytes, name: str) -> Iterator[str]:
    """Yield every text that a file holds: what is packed or encoded in it too."""
    if name.endswith((".xlsx", ".zip")):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for part in packed.namelist():
                yield from texts_of(packed.read(part), part)
    elif name.endswith(".parquet"):
        yield pd.read_parquet(io.BytesIO(content)).to_csv()
    elif content[:2] == b"\x1f\x8b":
        yield from texts_of(gzip.decompress(content), name)
    else:
        text = content.decode("utf-8", errors="replace")
        yield text
        for is_base64, data in DATA_URI.findall(text):
            packed = unquote_to_bytes(data)
            yield from texts_of(base64.b64decode(packed + b"==") if is_base64 else packed, "")


def files_of(folder: Path) -> list[Path]:
    """Return every file of a folder but the engine's own: its counts store, and its lists of customers."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".counts" not in path.parts and path.suffix not in (".duckdb", ".wal")
    ]


def test_packed_and_encoded_texts_are_searched_too():
    secret = base64.b64encode(b"name\nZo\xc3\xab van der Quast\n").decode()
    page = f'<a href="data:text/csv;base64,{secret}">all</a><a href="data:text/csv,id%2CAnneke">all</a>'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as book:
        book.writestr("xl/sharedStrings.xml", "<t>Anneke</t>")
    assert "Zoë van der Quast" in "\n".join(texts_of(page.encode(), "DK.html"))
    assert "id,Anneke" in "\n".join(texts_of(page.encode(), "DK.html"))
    assert "Anneke" in "\n".join(texts_of(packed.getvalue(), "DK.xlsx"))
    table = io.BytesIO()
    pd.DataFrame({"name": ["Anneke"]}).to_parquet(table)
    assert "Anneke" in "\n".join(texts_of(table.getvalue(), "alerts.parquet"))


# ---- a company whose ids are names and addresses


def crafted(folder: Path) -> tuple[Path, set[str]]:
    """Write a company of two markets with every table, and return it with the names, ids and addresses in it."""
    random = np.random.default_rng(1789)
    people, rows, tables = [], [], {name: [] for name in ("customers", "tickets", "engagement", "surveys", "assigned")}
    for nth in range(420):
        name = f"{GIVEN[nth % 8]} {FAMILY[nth % 6]} {nth:03d}"
        address = f"{GIVEN[nth % 8].casefold()}.{nth:03d}@{FAMILY[nth % 6].split()[-1].casefold()}.example"
        customer = address if nth % 2 else name
        market = "DK" if nth % 3 else "NL"
        people += [name, address]
        first = pd.Timestamp("2023-07-01T12:00") + pd.Timedelta(days=int(random.integers(0, 500)))
        days = [0, *np.cumsum(random.integers(5, 60, random.geometric(0.3) - 1))]
        for order, day in enumerate(days):
            when = first + pd.Timedelta(days=int(day))
            amount = random.integers(50, 900)
            rows.append(f"{name} {order},{customer},{market},{when.isoformat()}Z,{amount},{company.CURRENCIES[market]}")
        at = (first + pd.Timedelta(days=1)).isoformat()
        language, joined = ("da", at + "Z") if nth % 2 else ("nl", "")
        tables["customers"].append(f"{customer},{market},{language},search,{joined},{name},{address}")
        tables["tickets"].append(f"{customer},{at}Z,{at}Z,{language},question,{nth % 5 + 1}")
        tables["engagement"].append(f"{customer},{at}Z,email_open")
        tables["surveys"] += [f"{customer},{at}Z,{ask},{nth % 11},{language}" for ask in ("nps", "intent")]
        arm = "control" if random.random() < 0.5 else "gift"
        tables["assigned"].append(f"stay,{customer},{arm},2024-06-01T12:00:00Z")
    write = company.write(
        folder,
        rows,
        customers=_csv(
            "customer_id,market,language,acquisition_channel,loyalty_joined_at,name,email", tables["customers"]
        ),
        tickets=_csv("customer_id,opened_at,first_response_at,language,kind,csat", tables["tickets"]),
        engagement=_csv("customer_id,occurred_at,kind", tables["engagement"]),
        surveys=_csv("customer_id,answered_at,question,score,language", tables["surveys"]),
        assignments=_csv("experiment,customer_id,arm,assigned_at", tables["assigned"]),
    )
    return write, set(people)


def _csv(header: str, rows: list[str]) -> str:
    return "\n".join([header, *rows, ""])


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Return a project with crafted data: its folder, the data, and everybody in it."""
    project = tmp_path_factory.mktemp("project")
    (project / "data").mkdir()
    (project / "data" / "markets.toml").write_text(company.declared(), encoding="utf-8")
    return project, *crafted(project / "shop")


def reported(data: str, notebook: Path, *arguments: str, out: Path, market: str) -> list[str]:
    given = ["report", "--data", data, "--notebook", str(notebook), "--out", str(out), "--market", market]
    result = CliRunner().invoke(main, [*given, "--format", FORMATS, *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (out / f"{market}.html").is_file()
    return [result.output]


def market_of(notebook: Path, market: str) -> str:
    return "ALL" if notebook.stem == "group_report" else market


REPORTS = [path for path in NOTEBOOKS if path.stem != "explore"]  # which asks what only the sample can answer
PARAMETERS = {
    "experiment_readout": ("-p", "experiment", "stay", "-p", "treatment", "gift"),
    "churn_watch": ("-p", "holdout_weeks", "13", "-p", "offer_cost", "0.5"),
}


@pytest.mark.xdist_group("nobody is named")
@pytest.mark.parametrize(
    "notebook",
    [
        pytest.param(path, id=path.stem, marks=() if path.stem == "market_report" else pytest.mark.slow)
        for path in REPORTS
    ],
)
def test_nothing_that_is_made_of_crafted_data_names_anybody(shop, notebook, tmp_path, monkeypatch):
    project, data, everybody = shop
    monkeypatch.setenv("RETENTION_KIT_PROJECT", str(project))
    monkeypatch.setenv("RETENTION_KIT_ALERTS_KEY", KEY)
    asked = ["--as-of", company.AS_OF, *PARAMETERS.get(notebook.stem, ())]
    told = reported(str(data), notebook, *asked, out=tmp_path, market=market_of(notebook, "DK"))
    for path in [*files_of(tmp_path), *files_of(project / "reports")]:
        told += texts_of(path.read_bytes(), path.name)
    parts = {part for name in everybody for part in (name, name.replace("'", "&#39;"), name.replace("'", "&#x27;"))}
    for text in told:
        found = [part for part in parts if part in text]
        assert not found, f"{len(found)} customers are named in what {notebook.stem} makes"
        assert not re.search(r"@[\w'-]+\.example|Brzęczyszczykiewicz|Jedediah", text)
    if notebook.stem == "churn_watch":
        assert (project / "reports" / "alerts" / "DK.csv").is_file()  # pseudonyms, and searched


@pytest.mark.xdist_group("nobody is named")
def test_data_that_cannot_be_read_name_nobody_in_what_is_said(shop, tmp_path, monkeypatch):
    project, data, everybody = shop
    monkeypatch.setenv("RETENTION_KIT_PROJECT", str(project))
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in data.iterdir():
        text = path.read_text(encoding="utf-8")
        torn = text.replace("Z,", "Zz,") if path.name == "orders.csv" else text
        (broken / path.name).write_text(torn, encoding="utf-8")
    given = ["report", "--data", str(broken), "--as-of", company.AS_OF, "--out", str(tmp_path / "reports")]
    result = CliRunner().invoke(main, given)
    assert result.exit_code != 0
    assert not [name for name in everybody if name in result.output]


# ---- the sample


@pytest.fixture(scope="module")
def sample_ids() -> set[str]:
    """Return every id in the sample's tables: of customers, orders and contracts."""
    found = set()
    for path in SAMPLE.glob("*.parquet"):
        table = pd.read_parquet(path)
        for column in (column for column in table if column.endswith("_id") or column == "referred_by"):
            found |= set(table[column].dropna())
    assert len(found) > 200_000
    return found


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_stored_output_names_a_customer_of_the_sample(sample_ids, notebook):
    text = notebook.read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    stored = json.dumps([cell.get("outputs", []) for cell in cells], ensure_ascii=False)
    for part in (text, *texts_of(stored.encode(), notebook.name)):
        assert not set(WORD.findall(part)) & sample_ids


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Return a project with the sample, whose lists of customers are nobody else's."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "data").symlink_to(project_root() / "data")
    return folder


@pytest.mark.xdist_group("nobody is named")
@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_report_of_the_sample_names_a_customer(sample_ids, project, notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("RETENTION_KIT_PROJECT", str(project))
    monkeypatch.setenv("RETENTION_KIT_ALERTS_KEY", KEY)
    told = reported("sample", notebook, out=tmp_path, market=market_of(notebook, "RO"))
    for path in [*files_of(tmp_path), *files_of(project / "reports")]:
        told += texts_of(path.read_bytes(), path.name)
    for text in told:
        assert not set(WORD.findall(text)) & sample_ids
    if notebook.stem == "churn_watch":
        assert (project / "reports" / "alerts" / "RO.csv").is_file()  # pseudonyms, and searched

"""One call makes the reports of a company: from Python as from the command line."""

import inspect
import json
from dataclasses import fields
from pathlib import Path

import company
import pandas as pd
import pytest
from pydantic import TypeAdapter

import retention_kit as rk
from retention_kit.cli import main
from retention_kit.counts import COUNTS_TABLES
from retention_kit.errors import UsageError
from retention_kit.run import record
from retention_kit.run.jobs import Job, job_of, with_pages
from retention_kit.run.progress import Quiet

PARAMETERS = (
    'market: str = "NL"  # the market\ndata: str = "sample"\nas_of: str = "2025-01-01"\ngrain: str = "month"\n'
    'window_days: int = 90  # days\nlanguage: str = "en"\ntwin: str = ""  # where to'
)
SHOWS = "print('shown', market, grain, window_days, language, as_of)"


class Heard(Quiet):
    def __init__(self) -> None:
        self.remarks: list[str] = []
        self.said: list[str] = []
        self.places: list[Path] = []

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def say(self, text: str) -> None:
        self.said.append(text)

    def wrote(self, place: Path) -> None:
        self.places.append(place)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a small company, in a project of its own."""
    company.project(tmp_path / "project", monkeypatch)
    rows = company.orders(company.DENMARK) + company.orders({"once": (30, ["2024-02-02"])}, market="NL", amount="9.50")
    return company.write(tmp_path / "shop", rows, markets=company.declared(NL={"languages": '["nl-NL", "fi"]'}))


def test_every_market_is_reported_in_its_language_from_one_count(shop, notebook_file, tmp_path):
    out, heard = tmp_path / "reports", Heard()
    notebook = notebook_file([SHOWS], parameters=PARAMETERS)
    asked = rk.run.Scope(str(shop), as_of=pd.Timestamp(company.AS_OF), notebook=notebook)
    results = rk.report(
        scope=asked,
        destination=rk.run.Destination(out, formats="csv"),
        execution=rk.run.Execution(workers=2, progress=heard),
    )
    assert [(result.market, result.status, result.language) for result in results] == [
        ("DK", "fresh", ""),
        ("NL", "fresh", ""),
    ]
    assert "shown DK month 90 en 2025-01-01" in (out / "DK.html").read_text(encoding="utf-8")
    assert "shown NL month 90 nl-NL 2025-01-01" in (out / "NL.html").read_text(encoding="utf-8")
    assert (out / "DK.tables" / "headlines.csv").is_file()
    assert heard.places == [out / "index.html"]
    assert_typed(json.loads((out / "run.json").read_text(encoding="utf-8")), record.Record)
    store = tmp_path / "project" / "reports" / ".counts"
    kept = [path for path in store.iterdir() if path.suffix == ".arrow"]
    assert len(kept) >= len(COUNTS_TABLES)
    assert max(path.stat().st_mtime for path in kept) <= min(result.report.stat().st_mtime for result in results)


def assert_typed(told: dict, kind: type) -> None:
    """See that what is written as JSON has the keys of its type, and their types."""
    read = TypeAdapter(kind).validate_python(told, strict=True)
    assert read == told  # a key that its type lacks would be left out


def test_what_a_worker_is_told_is_a_job(notebook_file):
    source = rk.run.read_notebook(notebook_file([SHOWS], parameters=PARAMETERS))
    runs = rk.run.in_languages(rk.run.Run("NL", "Netherlands", {"window_days": 60}), ["nl-NL", "en"])
    told = with_pages([job_of(source, run, data_fingerprint="f") for run in runs])
    assert [job["stem"] for job in told] == ["NL", "NL.en"]
    for job in told:
        assert_typed(json.loads(json.dumps(job)), Job)


def test_a_call_goes_on_where_another_stopped_and_a_text_is_read_as_its_type(shop, notebook_file, tmp_path):
    out = tmp_path / "reports"
    notebook = notebook_file([SHOWS], parameters=PARAMETERS)
    facts = {"data": str(shop), "as_of": company.AS_OF, "notebook": notebook}
    here, first = rk.run.Destination(out, resume=True), Heard()
    for days in ("60", 60):  # the same, once as a text
        scope = rk.run.Scope(**facts, markets=["DK"], parameters={"window_days": days, "grain": "week"})
        results = rk.report(scope=scope, destination=here, execution=rk.run.Execution(progress=first))
        assert len(results) == (days == "60")
    assert "shown DK week 60 en" in (out / "DK.html").read_text(encoding="utf-8")
    assert first.said == [
        "0 of 1 reports are there, made of the same; --force makes them again.",
        "1 of 1 reports are there, made of the same; --force makes them again.",
    ]
    parts = [rk.run.Destination(tmp_path / "parts", shard=f"{k}/2") for k in (1, 2)]
    made = [rk.report(scope=rk.run.Scope(**facts), destination=part) for part in parts]
    assert [[result.market for result in results] for results in made] == [["DK"], ["NL"]]
    assert not (tmp_path / "parts" / "index.html").exists()
    assert rk.run.write_index_of_all(tmp_path / "parts") == 2


def test_a_language_without_a_catalog_is_remarked(shop, notebook_file, tmp_path):
    heard = Heard()
    notebook = notebook_file([SHOWS], parameters=PARAMETERS)
    rk.report(
        scope=rk.run.Scope(str(shop), as_of=company.AS_OF, notebook=notebook, markets=["DK"], language="fi"),
        destination=rk.run.Destination(tmp_path / "reports"),
        execution=rk.run.Execution(progress=heard),
    )
    assert heard.remarks[-1] == "note: there is no catalog of 'fi'; its reports are in English"


@pytest.mark.parametrize(
    ("scope", "destination", "text"),
    [
        (
            {"data": pd.DataFrame({"order_id": [1]})},
            {},
            "A report's notebooks open the data by themselves, by name or path.\n"
            "  found: a table in memory (DataFrame)\n"
            "  try:   write it as a file, orders.parquet, and name its folder",
        ),
        ({"markets": ["DKK"]}, {}, "There is no market 'DKK'.\n  found: 'DK', 'NL', 'JP'\n  try:   'DK'"),
        (
            {"parameters": {"window_days": 60.5}},
            {},
            "The parameter 'window_days' is not of type int.\n"
            "  found: 60.5\n  try:   a whole number such as 90 (default 90)",
        ),
        ({}, {"formats": "docx"}, "There is no format 'docx'."),
        ({}, {"shard": "3/2"}, "There is no shard '3/2'."),
    ],
    ids=["frame", "market", "parameter", "format", "shard"],
)
def test_what_cannot_be_reported_is_refused_before_anything_is_written(
    shop, notebook_file, tmp_path, scope, destination, text
):
    notebook = notebook_file([SHOWS], parameters=PARAMETERS)
    asked = {"data": str(shop), "as_of": company.AS_OF, "notebook": notebook} | scope
    with pytest.raises(UsageError) as why:
        rk.report(scope=rk.run.Scope(**asked), destination=rk.run.Destination(tmp_path / "reports", **destination))
    assert str(why.value).startswith(text)
    assert not (tmp_path / "reports").exists()


def test_every_field_of_a_call_has_an_option_and_is_explained():
    options = {option.name for option in main.commands["report"].params} | {"limits", "progress"}
    for kind in (rk.run.Scope, rk.run.Destination, rk.run.Execution):
        names = {field.name for field in fields(kind)}
        assert names - options <= {"pool", "made"}
        assert all(f"\n{name} : " in inspect.getdoc(kind) for name in names)


def test_the_call_is_keyword_only():
    assert {one.kind for one in inspect.signature(rk.report).parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert rk.report is rk.run.report

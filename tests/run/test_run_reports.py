import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from calls import run_reports

from retention_kit.errors import UsageError
from retention_kit.run import InterruptedRunError, Limits, Result, Run, exit_code
from retention_kit.run.processes import GRACE_SECONDS
from retention_kit.run.progress import Plain, Quiet

FAILS = """
from retention_kit.errors import DataError
market != "DK" or (_ for _ in ()).throw(DataError("orders lacks 'ordered_at'.", found="'a'", to_try="rename 'a'"))
""".strip()

NETHERLANDS, DENMARK, ROMANIA = Run("NL", "Netherlands"), Run("DK", "Denmark"), Run("RO", "Romania")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary folders lie where a test sees whether they went."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def content(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if not path.name.startswith(".")}


def test_one_market_fails_and_the_others_are_written(
    notebook_file: Callable[..., Path], tmp_path: Path, temporary: Path
) -> None:
    out, said = tmp_path / "reports", io.StringIO()
    notebook = notebook_file([FAILS])
    results = run_reports(notebook, [NETHERLANDS, DENMARK, ROMANIA], out=out, workers=2, progress=Plain(said))

    assert [(result.market, result.status) for result in results] == [
        ("NL", "fresh"),
        ("DK", "failed"),
        ("RO", "fresh"),
    ]
    assert exit_code(results) == 1
    assert results[1].reason == "orders lacks 'ordered_at'."
    assert results[1].advice == (
        "  found: 'a'\n  try:   rename 'a'\n         reports/.failed/DK.ipynb shows how far it came; it holds data"
    )
    assert sorted(content(out)) == ["NL.html", "NL.json", "RO.html", "RO.json", "index.html", "run.json"]
    assert json.loads(content(out)["RO.json"])["market"] == "RO"
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "orders lacks &#39;ordered_at&#39;." in index
    assert "rename" not in index
    lines = said.getvalue().splitlines()
    assert sorted(line.split(":")[0] for line in lines[:7] if line[0] != " ") == [
        "DK Denmark",
        "NL Netherlands",
        "RO Romania",
    ]
    assert [line.split()[:2] for line in lines[-4:]] == [
        ["market", "status"],
        ["NL", "written"],
        ["DK", "failed"],
        ["RO", "written"],
    ]
    assert not list(temporary.iterdir())

    known = json.loads(content(out)["run.json"])["markets"]
    assert known["DK"]["reason"] == "orders lacks 'ordered_at'."
    assert known["NL"]["parameters"] == {"market": "NL"}
    assert known["NL"]["notebook"]["name"] == "asked.ipynb"
    assert str(tmp_path) not in json.dumps(known)
    assert str(tmp_path) not in (out / "NL.html").read_text(encoding="utf-8")


def test_a_market_that_fails_later_keeps_its_last_good_report(
    notebook_file: Callable[..., Path], tmp_path: Path
) -> None:
    good = run_reports(notebook_file([]), [DENMARK], out=tmp_path / "reports")
    before = content(tmp_path / "reports")
    bad = run_reports(notebook_file([FAILS]), [DENMARK], out=tmp_path / "reports")
    after = content(tmp_path / "reports")
    assert (good[0].status, bad[0].status) == ("fresh", "stale")
    assert exit_code(good) == 0
    assert {name: after[name] == before[name] for name in ("DK.html", "DK.json")} == {"DK.html": True, "DK.json": True}
    assert b"kept from an earlier run" in after["index.html"]
    assert "written" not in bad[0].reason


def test_a_mistake_in_the_call_touches_no_file(notebook_file: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "reports"
    misspelt = notebook_file([], parameters='markt: str = "NL"\nwindow_days: int = 90')
    with pytest.raises(UsageError) as error:
        run_reports(misspelt, [DENMARK], out=out)
    assert str(error.value) == ("There is no parameter 'market'.\n  found: 'markt', 'window_days'\n  try:   'markt'")
    for run, told in [
        (Run("DK", "Denmark", {"window_dais": 60}), "There is no parameter 'window_dais'."),
        (Run("DK", "Denmark", {"window_days": "60"}), "The parameter 'window_days' is not of type int."),
        (Run("DK", "Denmark", {"market": "NL"}), "The report of 'DK' would show another market."),
        (Run("DK", "Denmark", {"twin": "a.json"}), "The parameter 'twin' cannot be given."),
        (Run("DK", "Denmark", language="danisch"), "'danisch' is not a language."),
        (Run("../DK", "Denmark"), "'../DK' cannot be the name of a market's files."),
        *(
            (Run(code, "Denmark"), f"'{code}' cannot be the name of a market's files.")
            for code in ["INDEX", "Index", "index", "RUN", "run", "CON", "Con", "con", "NUL", "COM1", "Lpt9"]
        ),
    ]:
        with pytest.raises(UsageError) as error:
            run_reports(notebook_file([]), [NETHERLANDS, run], out=out)
        assert error.value.what == told
        assert error.value.exit_code == 2
    with pytest.raises(UsageError, match="A market is asked for twice"):
        run_reports(notebook_file([]), [DENMARK, DENMARK], out=out)
    with pytest.raises(UsageError, match="No market is asked for"):
        run_reports(notebook_file([]), [], out=out)
    assert not out.exists()


def test_a_folder_that_is_a_file_is_refused(notebook_file: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file", encoding="utf-8")
    with pytest.raises(UsageError, match="Reports cannot be written to 'reports'"):
        run_reports(notebook_file([]), [DENMARK], out=tmp_path / "reports")


def test_whatever_ends_a_run_is_told_in_a_sentence_without_data(
    notebook_file: Callable[..., Path], tmp_path: Path
) -> None:
    ends = """
import os, sys, pathlib
if market == "DK": os._exit(3)
if market == "NL": raise ValueError("jan@example.com")
if market == "RO": sys.exit(0)
if market == "CN": twin = ""
if market == "US": market = "DE"
""".strip()
    runs = [DENMARK, NETHERLANDS, ROMANIA, Run("CN", "China"), Run("US", "United States")]
    results = run_reports(notebook_file([ends]), runs, out=tmp_path / "reports")
    assert {result.market: result.reason for result in results} == {
        "DK": "The notebook's kernel died: a cell ended its process, or memory ran out.",
        "NL": "ValueError in code cell 2 of 3.",
        "RO": "The notebook ended itself in code cell 2 of 3.",
        "CN": "The notebook has a parameter 'twin' but wrote no file there.",
        "US": "The twin that the notebook wrote is not of market 'US'.",
    }
    assert "jan@" not in str(content(tmp_path / "reports"))
    assert sorted(content(tmp_path / "reports")) == ["index.html", "run.json"]


def test_each_run_has_its_own_kernel_in_the_project_with_figures_as_svg(
    notebook_file: Callable[..., Path], tmp_path: Path
) -> None:
    says = """
import os, pathlib
mark = globals().get("mark", market)
print(mark, os.environ["RETENTION_KIT_FIGURE_FORMAT"], pathlib.Path("data/markets.toml").is_file())
""".strip()
    notebook = notebook_file([says], parameters='market: str = "NL"')
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "DK.json").write_text('{"of": "another notebook"}', encoding="utf-8")
    run_reports(notebook, [NETHERLANDS, DENMARK], out=tmp_path / "reports", workers=1)
    assert b"DK svg True" in content(tmp_path / "reports")["DK.html"]
    assert sorted(content(tmp_path / "reports")) == ["DK.html", "NL.html", "index.html", "run.json"]


def test_a_run_that_takes_too_long_is_ended(notebook_file: Callable[..., Path], tmp_path: Path) -> None:
    results = run_reports(notebook_file(["while True: pass"]), [DENMARK], out=tmp_path / "reports", limits=Limits(2))
    assert results[0].reason == "The run took longer than 2 seconds and was ended."
    assert results[0].advice == "  try:   --time-limit with more seconds, or find the cell that does not end"


def test_a_folder_with_reports_of_other_data_is_refused_before_anything_is_written(
    notebook_file: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "reports"
    notebook = notebook_file([], parameters='market: str = "NL"\ndata: str = "sample"\ntwin: str = ""')
    run_reports(notebook, [DENMARK], out=out)
    before = content(out)
    for data in ["mycompany", "/srv/data/mycompany", "data/sources/mycompany.toml"]:
        with pytest.raises(UsageError) as error:
            run_reports(notebook, [Run("NL", "Netherlands", {"data": data})], out=out)
        assert str(error.value) == (
            "reports/ holds reports of 'sample'.\n  try:   --out with a folder of its own, such as reports/mycompany"
        )
    assert content(out) == before
    again = run_reports(notebook, [Run("NL", "Netherlands", {"data": "data/sources/sample.toml"})], out=out)
    assert exit_code(again) == 0


def test_ctrl_c_keeps_the_reports_that_were_ready(
    notebook_file: Callable[..., Path], tmp_path: Path, temporary: Path
) -> None:
    class Interrupted(Quiet):
        def ended(self, result: Result) -> None:
            raise KeyboardInterrupt

    out = tmp_path / "reports"
    with pytest.raises(InterruptedRunError) as error:
        run_reports(notebook_file([]), [NETHERLANDS, DENMARK], out=out, workers=1, progress=Interrupted())
    assert error.value.exit_code == 130
    assert str(error.value) == (
        "Interrupted: 1 of 2 reports were ready and are kept.\n  found: not ready: 'DK'\n"
        "  try:   the same with --resume makes what is missing; earlier reports are as they were"
    )
    assert sorted(content(out)) == ["NL.html", "NL.json", "index.html", "run.json"]
    assert list(json.loads(content(out)["run.json"])["markets"]) == ["NL"]
    assert b"Netherlands" in content(out)["index.html"]
    assert not list(temporary.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_after_sigterm_nothing_runs_and_nothing_is_half_written(
    notebook_file: Callable[..., Path], tmp_path: Path, temporary: Path
) -> None:
    mark = tmp_path / "kernel.pid"
    notebook = notebook_file(
        [f"import os, pathlib; _ = pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))", "while True: pass"]
    )
    call = tmp_path / "call.py"
    call.write_text(
        "from pathlib import Path\nfrom retention_kit.run import Run, run_reports\n"
        f"run_reports(Path({str(notebook)!r}), [Run('DK', 'Denmark')], out=Path({str(tmp_path / 'reports')!r}))",
        encoding="utf-8",
    )
    parent = subprocess.Popen([sys.executable, str(call)], env={**os.environ, "TMPDIR": str(temporary)})
    deadline = time.monotonic() + 30
    while not (mark.is_file() and mark.read_text(encoding="utf-8")) and time.monotonic() < deadline:
        time.sleep(0.05)
    family = [psutil.Process(parent.pid), *psutil.Process(parent.pid).children(recursive=True)]
    assert int(mark.read_text(encoding="utf-8")) in {process.pid for process in family}

    parent.send_signal(signal.SIGTERM)
    assert parent.wait(GRACE_SECONDS + 3) == 143
    _, alive = psutil.wait_procs(family, timeout=1)
    assert alive == []
    assert content(tmp_path / "reports") == {}
    assert not list(temporary.iterdir())

"""Whatever happens to a run, the machine or the reader: reports are whole, nothing is left behind, and it is told."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import psutil
import pytest
from calls import run_reports

from retention_kit.config import project_root
from retention_kit.errors import UsageError
from retention_kit.run import Limits, Run, exit_code, pool_for, read_notebook, unfinished
from retention_kit.run.fork.client import ForkServer, RefusedForkError
from retention_kit.run.fork.folders import sweep
from retention_kit.run.processes import Pool

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals and limits as Linux has them")

DENMARK, NETHERLANDS, ROMANIA = Run("DK", "Denmark"), Run("NL", "Netherlands"), Run("RO", "Romania")
PARAMETERS = 'market: str = "NL"  # the market'
N_KILLS = {"kernel": 20, "worker": 20, "server": 4, "parent": 8}
LIMITS = Limits(60)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary folders lie where a test sees whether they went."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def small(notebook_file: Callable[..., Path]) -> Path:
    """Return a notebook that takes a third of a second."""
    return notebook_file(["import time\ntime.sleep(0.15)", "market"], parameters=PARAMETERS)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """Return what starts runs, shared: it takes seconds to import what they need."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("pool"))
    try:
        with Pool([], root=project_root(), say=print) as opened:
            tempfile.tempdir = before
            yield opened
    finally:
        tempfile.tempdir = before


@pytest.fixture
def own_pool(small: Path) -> Iterator[Pool]:
    """Return what starts runs, for a test that does it harm."""
    with pool_for(read_notebook(small), say=print) as opened:
        yield opened


def is_whole(out: Path) -> bool:
    """Return whether every file of a folder is one that a reader can take."""
    pages = [path.read_text(encoding="utf-8").rstrip().endswith("</html>") for path in out.glob("*.html")]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in out.glob("*.json")]
    return all(pages) and all(records) and not list(out.glob(".*.tmp"))


def family(server: psutil.Process) -> list[psutil.Process]:
    """Return the worker and the kernel, those that are there, oldest first."""
    return sorted(server.children(), key=lambda process: process.create_time())


def killed(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def nobody_is_left(server: psutil.Process) -> bool:
    deadline = time.monotonic() + 3
    while family(server) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not family(server)


@pytest.mark.slow
@pytest.mark.parametrize(("who", "nth"), [("kernel", 1), ("worker", 0)])
def test_a_kernel_or_worker_that_is_killed_is_its_markets_failure_alone(small, pool, tmp_path, temporary, who, nth):
    out, seconds = tmp_path / "reports", random.Random(who)
    run_reports(small, [DENMARK], out=out, pool=pool)
    good, reasons = (out / "DK.html").read_bytes(), []
    server = psutil.Process(pool._server.process.pid)

    class Killing:
        def __init__(self, after: float) -> None:
            self.after = after

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_, **__: None

        def started(self, market: str, name: str) -> None:
            deadline = time.monotonic() + 5
            while len(family(server)) <= nth and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(self.after)
            for process in family(server)[nth : nth + 1]:
                killed(process)

    for _ in range(N_KILLS[who]):
        result = run_reports(small, [DENMARK], out=out, pool=pool, progress=Killing(seconds.uniform(0, 0.3)))[0]
        reasons.append(result.reason)
        assert is_whole(out)
        assert result.status == ("stale" if result.reason else "fresh")
        assert not result.reason or (out / "DK.html").read_bytes() == good
        good = (out / "DK.html").read_bytes()
        assert nobody_is_left(server)
        assert not list(pool.folder.glob("run-*"))
    assert set(reasons) - {""} <= {
        "The notebook's kernel died: a cell ended its process, or memory ran out.",
        "The notebook's kernel could not start.",
        "The run's process ended without a result (exit code -9).",
    }
    assert any(reasons) or who == "kernel"  # one that is killed before its first cell is started once more
    assert run_reports(small, [DENMARK], out=out, pool=pool)[0].status == "fresh"


@pytest.mark.slow
def test_a_fork_server_that_is_killed_is_replaced(small, own_pool, tmp_path, temporary):
    out, seconds = tmp_path / "reports", random.Random("server")
    run_reports(small, [NETHERLANDS], out=out, pool=own_pool)

    class Killing:
        n_left = 1

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_, **__: None

        def started(self, market: str, name: str) -> None:
            if self.n_left:
                self.n_left -= 1
                time.sleep(seconds.uniform(0, 0.3))
                before.extend(psutil.Process(own_pool._server.process.pid).children(recursive=True))
                own_pool._server.process.kill()

    for _ in range(N_KILLS["server"]):  # the third one is not replaced: runs are then started as ordinary programs
        before: list[psutil.Process] = []
        results = run_reports(small, [DENMARK, ROMANIA], out=out, pool=own_pool, workers=1, progress=Killing())
        assert results[1].status == "fresh"
        assert is_whole(out)
        _, alive = psutil.wait_procs(before, timeout=3)
        assert alive == []
        if own_pool._server is None:
            break
    assert own_pool._server is None


@pytest.mark.slow
def test_a_parent_that_is_killed_takes_everybody_along_and_the_next_run_goes_on(small, tmp_path, temporary):
    out, seconds = tmp_path / "reports", random.Random("parent")
    runs = ", ".join(f"Run('M{n}', 'M{n}')" for n in range(6))
    call = tmp_path / "call.py"
    call.write_text(
        "from pathlib import Path\nfrom retention_kit.run import Run, run_reports\n"
        f"run_reports(Path({str(small)!r}), [{runs}], out=Path({str(out)!r}))",
        encoding="utf-8",
    )
    asked = [Run(f"M{n}", f"M{n}") for n in range(6)]
    for _ in range(N_KILLS["parent"]):
        parent = subprocess.Popen([sys.executable, str(call)], env={**os.environ, "TMPDIR": str(temporary)})
        time.sleep(seconds.uniform(1.5, 6))
        relatives = psutil.Process(parent.pid).children(recursive=True) if parent.poll() is None else []
        parent.kill()
        parent.wait()
        _, alive = psutil.wait_procs(relatives, timeout=3)
        assert alive == []
        assert is_whole(out) if out.is_dir() else True
    deadline = time.monotonic() + 3
    while list(temporary.iterdir()) and time.monotonic() < deadline:
        sweep()
        time.sleep(0.05)
    assert not list(temporary.iterdir())
    left = unfinished(small, asked, out=out)
    assert {run.market for run in asked} - {run.market for run in left} == {path.stem for path in out.glob("M*.html")}
    if left:
        assert exit_code(run_reports(small, left, out=out)) == 0
    assert unfinished(small, asked, out=out) == []


ENDS = {
    "endless": ("while True: pass", "The run took longer than 8 seconds and was ended."),
    "hungry": ("hog = bytearray(10 * 2**30)", "Memory ran out in code cell 2 of 2."),
    "lazy hungry": ("import numpy\nhog = numpy.ones(10 * 2**27)", "Memory ran out in code cell 2 of 2."),
    "exits": (
        "import os\nos._exit(7)",
        "The notebook's kernel died: a cell ended its process, or memory ran out.",
    ),
    "talks": ("for _ in range(100): print('x' * 2**20)", "The notebook shows more than 20 MiB."),
    "leaves": ("import sys\nsys.exit()", "The notebook ended itself in code cell 2 of 2."),
    "hides": (
        "import subprocess, sys\n_ = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], "
        "start_new_session=True)\nraise ValueError",
        "ValueError in code cell 2 of 2.",
    ),
}


@pytest.mark.slow
def test_whatever_a_notebook_does_ends_as_its_markets_failure_and_the_rest_goes_on(notebook_file, tmp_path, temporary):
    choices = "\n".join(f"if market == {f'M{n}'!r}:\n    exec({code!r})" for n, (code, _) in enumerate(ENDS.values()))
    notebook = notebook_file([choices], parameters=PARAMETERS)
    runs = [Run(f"M{n}", name) for n, name in enumerate(ENDS)]
    before = set(psutil.Process().children(recursive=True))
    limits = Limits(8, n_bytes=2 * 2**30)
    with pool_for(read_notebook(notebook), say=print) as pool:
        results = run_reports(notebook, [*runs, DENMARK], out=tmp_path / "reports", limits=limits, pool=pool, workers=2)
        assert nobody_is_left(psutil.Process(pool._server.process.pid))
    assert {result.name: result.reason for result in results} == {
        **{name: reason for name, (_, reason) in ENDS.items()},
        "Denmark": "",
    }
    assert exit_code(results) == 1
    assert all("try:" in result.advice for result in results[:-1])
    assert set(psutil.Process().children(recursive=True)) <= before
    assert not list(temporary.iterdir())
    private = tmp_path / "reports" / ".failed"
    assert private.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in private.iterdir()} == {0o600}
    assert "DK.ipynb" not in {path.name for path in private.iterdir()}


def test_a_failed_notebook_goes_when_its_market_is_well_again(notebook_file, tmp_path):
    out = tmp_path / "reports"
    run_reports(notebook_file(["1 / 0"], parameters=PARAMETERS), [DENMARK], out=out)
    kept = nbformat.read(out / ".failed" / "DK.ipynb", as_version=4)
    assert "ZeroDivisionError" in str(kept.cells)
    run_reports(notebook_file(["1 / 1"], parameters=PARAMETERS), [DENMARK], out=out)
    assert not list((out / ".failed").iterdir())


def test_a_kernel_that_cannot_start_is_tried_once_more_and_told(notebook_file, tmp_path):
    notebook = notebook_file(["1"], parameters=PARAMETERS)
    results = run_reports(notebook, [DENMARK], out=tmp_path / "reports", limits=Limits(60, n_bytes=2**20))
    assert results[0].reason == "The notebook's kernel could not start."
    assert results[0].advice == "  try:   python -m ipykernel_launcher --version"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 64 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here: it needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_what_was_there(small, pool, tiny_disk):
    assert run_reports(small, [DENMARK], out=tiny_disk, pool=pool)[0].status == "fresh"
    before = {path.name: path.read_bytes() for path in tiny_disk.glob("[A-Zi]*")}
    (tiny_disk / "filler").write_bytes(bytes(64 * 1024 - sum(len(content) for content in before.values()) - 16 * 1024))
    said = None
    try:
        results = run_reports(small, [DENMARK, NETHERLANDS], out=tiny_disk, pool=pool)
        said = results[0].reason + results[0].advice
    except Exception as why:
        said = str(why)
    assert "could not be written" in said
    assert "No space left on device" in said
    assert "make room" in said
    assert {path.name: path.read_bytes() for path in tiny_disk.glob("[A-Zi]*")} == before
    assert is_whole(tiny_disk)


def test_a_folder_that_cannot_be_written_to_is_refused(small, tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(UsageError) as raised:
        run_reports(small, [DENMARK], out=tiny_disk)
    assert str(raised.value) == "Reports cannot be written to 'tiny'.\n  try:   a folder of your own, by --out FOLDER"


@pytest.mark.slow
def test_thirty_reports_in_a_row_leak_no_file_no_process_and_no_folder(small, pool, tmp_path):
    def held() -> tuple[int, int, int]:
        server = psutil.Process(pool._server.process.pid)
        return server.num_fds(), psutil.Process().num_fds(), sum(1 for _ in pool.folder.rglob("*"))

    run_reports(small, [DENMARK], out=tmp_path / "reports", pool=pool)
    before = held()
    runs = [Run(f"M{n}", f"M{n}") for n in range(30)]
    assert exit_code(run_reports(small, runs, out=tmp_path / "reports", pool=pool)) == 0
    assert nobody_is_left(psutil.Process(pool._server.process.pid))
    assert held() == before


def test_two_runs_at_once_the_second_is_told_who_is_the_first(small, pool, tmp_path):
    out, told = tmp_path / "reports", []

    class Second:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_, **__: None

        def started(self, market: str, name: str) -> None:
            with pytest.raises(UsageError) as raised:
                run_reports(small, [NETHERLANDS], out=out, pool=pool)
            told.append(str(raised.value))

    assert run_reports(small, [DENMARK], out=out, pool=pool, progress=Second())[0].status == "fresh"
    lines = told[0].splitlines()
    assert lines[0] == "Another run writes to 'reports'."
    assert lines[1].startswith(f"  found: process {os.getpid()} on ")
    assert lines[2] == "  try:   wait for its end, or --out with another folder"
    assert run_reports(small, [NETHERLANDS], out=out, pool=pool)[0].status == "fresh"


def test_a_clock_that_was_set_back_changes_nothing(small, pool, tmp_path):
    out = tmp_path / "reports"
    run_reports(small, [DENMARK, NETHERLANDS], out=out, pool=pool)
    ahead = time.time() + 10 * 86_400
    for path in [out, *out.iterdir()]:
        os.utime(path, (ahead, ahead))
    assert unfinished(small, [DENMARK, NETHERLANDS], out=out) == []
    results = run_reports(small, [DENMARK], out=out, pool=pool)
    assert results[0].status == "fresh"
    assert 0 < results[0].seconds < 60
    assert unfinished(small, [DENMARK, NETHERLANDS], out=out) == []


def test_resume_makes_what_is_missing_or_made_of_something_else(small, pool, notebook_file, tmp_path):
    out, all_of = tmp_path / "reports", [DENMARK, NETHERLANDS, ROMANIA]
    run_reports(small, [DENMARK, NETHERLANDS], out=out, pool=pool, data_fingerprint="a")
    missing = lambda data: [run.market for run in unfinished(small, all_of, out=out, data_fingerprint=data)]  # noqa: E731
    assert missing("a") == ["RO"]
    assert missing("b") == ["DK", "NL", "RO"]
    (out / "NL.html").unlink()
    assert missing("a") == ["NL", "RO"]
    notebook_file(["market * 2"], parameters=PARAMETERS)  # in its place
    assert missing("a") == ["DK", "NL", "RO"]


def test_machines_each_make_their_shard_and_one_index_tells_of_all(small, pool, tmp_path):
    from retention_kit.run import shard, write_index_of_all

    out, all_of = tmp_path / "reports", [DENMARK, NETHERLANDS, ROMANIA]
    for part in ("1/2", "2/2"):
        run_reports(small, shard(all_of, part), out=out, pool=pool, shard=part)
        assert not (out / "index.html").exists()
    assert write_index_of_all(out) == 3
    index = (out / "index.html").read_text(encoding="utf-8")
    assert all(run.name in index for run in all_of)
    assert unfinished(small, all_of, out=out) == []


@pytest.mark.parametrize("asked", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2"])
def test_a_shard_that_is_none_is_refused(asked):
    from retention_kit.run import shard

    with pytest.raises(UsageError, match="There is no shard"):
        shard([DENMARK], asked)


def test_a_forked_kernel_knows_nothing_of_the_one_before(notebook_file, tmp_path):
    asks = """
import os, random, sys, tempfile, numpy
state = [globals().get("seen"), getattr(sys, "seen", None), os.environ.get("SEEN"), os.getcwd() == folder]
seen = sys.seen = os.environ["SEEN"] = "yes"
drawn = [random.random(), float(numpy.random.random()), os.getpid()]
folder_of_mine = tempfile.gettempdir()
open(os.path.join(folder_of_mine, "mine"), "x").close()
os.chdir("/")
hidden = [name for name in os.environ if name.startswith("RETENTION_KIT_WARM") or name == "RETENTION_KIT_RUN_BYTES"]
print(state, hidden, "matplotlib.backends.backend_gtk4" in sys.modules)
with open(asked_by, "a") as file:
    print(*drawn, folder_of_mine, file=file)
""".strip()
    parameters = f'market: str = "NL"\nfolder: str = {str(Path.cwd())!r}\nasked_by: str = {str(tmp_path / "seen")!r}'
    runs = [Run(code, code, {"folder": str(project_root())}) for code in ("AA", "BB", "CC")]
    results = run_reports(notebook_file([asks], parameters=parameters), runs, out=tmp_path / "reports", workers=1)
    assert [result.reason for result in results] == ["", "", ""]
    for run in runs:
        page = (tmp_path / "reports" / f"{run.market}.html").read_text(encoding="utf-8")
        assert "[None, None, None, True] [] False" in page
    drawn = [line.split() for line in (tmp_path / "seen").read_text(encoding="utf-8").splitlines()]
    for column in range(4):
        assert len({row[column] for row in drawn}) == 3


@pytest.mark.slow
def test_where_a_module_starts_a_thread_runs_are_started_as_programs_and_it_is_said_once(
    notebook_file, tmp_path, monkeypatch
):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    said = []

    class Saying:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_, **__: None

        def say(self, text: str) -> None:
            said.append(text)

    notebook = notebook_file(["import threaded", "market"], parameters=PARAMETERS)
    results = run_reports(notebook, [DENMARK, NETHERLANDS], out=tmp_path / "reports", progress=Saying())
    assert [result.status for result in results] == ["fresh", "fresh"]
    assert said == ["Kernels are started one by one, not forked: an imported module has started 1 threads."]


def test_nothing_is_forked_where_there_is_no_fork(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(RefusedForkError, match="processes are not forked on win32"):
        ForkServer([], folder=tmp_path)


def test_a_folder_of_a_run_that_was_killed_is_swept_and_that_of_a_living_one_stays(temporary):
    dead, living, foreign = (temporary / f"retention-kit-{name}" for name in ("dead", "living", "foreign"))
    for folder in (dead, living, foreign):
        folder.mkdir()
    (dead / "owner").write_text("999999999 1.0")
    (living / "owner").write_text(f"{os.getpid()} {psutil.Process().create_time()}")
    sweep()
    assert sorted(path.name for path in temporary.iterdir()) == ["retention-kit-foreign", "retention-kit-living"]
    shutil.rmtree(living)


def test_a_folder_for_temporary_files_with_a_long_name_is_no_obstacle(small, tmp_path, monkeypatch):
    deep = tmp_path / "/".join(["deep" * 10] * 4)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pool_for(read_notebook(small), say=print) as pool:
        place = Path(pool._server.path).parent
        assert len(pool._server.path) < 107
        assert run_reports(small, [DENMARK], out=tmp_path / "reports", pool=pool)[0].status == "fresh"
    assert place != pool.folder
    assert not place.exists()
    assert not list(deep.iterdir())


@pytest.mark.slow
def test_sigterm_and_ctrl_c_end_everything(small, tmp_path, temporary, notebook_file):
    endless = notebook_file(["import time", "while True: time.sleep(1)"], parameters=PARAMETERS, name="endless.ipynb")
    call = tmp_path / "call.py"
    call.write_text(
        "from pathlib import Path\nfrom retention_kit.run import Run, run_reports\n"
        f"runs, out = [Run('DK', 'Denmark'), Run('NL', 'Netherlands')], Path({str(tmp_path / 'reports')!r})\n"
        f"run_reports(Path({str(endless)!r}), runs, out=out)",
        encoding="utf-8",
    )
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 1)):
        parent = subprocess.Popen(
            [sys.executable, str(call)], env={**os.environ, "TMPDIR": str(temporary)}, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while len(psutil.Process(parent.pid).children(recursive=True)) < 5 and time.monotonic() < deadline:
            time.sleep(0.05)  # the fork server, two workers, two kernels
        relatives = psutil.Process(parent.pid).children(recursive=True)
        assert len(relatives) >= 5  # one more for a moment, while another is forked
        parent.send_signal(number)
        try:
            assert parent.wait(20) == code  # a third of a second, where nothing else runs
        finally:
            parent.kill()
            parent.wait()
        _, alive = psutil.wait_procs(relatives, timeout=5)
        assert alive == []
        assert not list(temporary.iterdir())

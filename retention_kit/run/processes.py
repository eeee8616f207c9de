"""Runs in processes of their own, so many at a time, within limits; none outlives the one that started it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import psutil

from retention_kit.run.forks import SOCKET_VARIABLE, Forked, RefusedForkError, Warm, forked, own_folder, sweep

if TYPE_CHECKING:
    from retention_kit.run.jobs import Job

WORKER, PREPARE = "retention_kit.run.worker", "retention_kit.run.page:prepared"
MEMORY_VARIABLE = "RETENTION_KIT_RUN_BYTES"
"""The environment variable that tells a worker how many bytes its kernel may ask for."""

ENGINE_MEMORY_VARIABLE = "RETENTION_KIT_MEMORY"
"""The environment variable that tells the engine of counts how much memory it may take."""

FAILED = "failed.ipynb"
"""In a run's folder: a notebook that failed, as far as it came; it holds data."""

GRACE_SECONDS = 2.0
"""How long a run that was told to end may take to clear up before it is killed."""

MOST_WARM_STARTS = 3
"""How often a warm process that ended is replaced before runs are started as ordinary programs."""

_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Limits:
    """What a run may take: so many seconds, and bytes of memory; 0 bytes for any."""

    seconds: float
    n_bytes: int = 0


class Outcome(TypedDict):
    """What a worker leaves as `result.json`: why it failed and what to try, both empty where all went well."""

    reason: str
    advice: str


@dataclass(frozen=True)
class Ended:
    """A run that is over; its folder, with what it left, exists until the next one is asked for."""

    job: "Job"
    folder: Path
    seconds: float
    reason: str
    advice: str


@dataclass
class _Running:
    job: "Job"
    folder: Path
    process: subprocess.Popen[bytes] | Forked
    started: float

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


class Pool:
    """Starts runs; a context, at the end of which no process and no file of theirs is left.

    Parameters
    ----------
    modules : what the warm process imports; it begins at once, while the data are being counted.
    root : the folder in which runs start.
    say : called with a sentence where runs cannot be forked, once.
    """

    def __init__(self, modules: Iterable[str], *, root: Path, say: Callable[[str], object]) -> None:
        self._modules, self._root, self._say = [WORKER, *modules], root, say
        sweep()
        self.folder = own_folder()
        self._n_starts = 0
        self._warm: Warm | None = None
        self._start_warm()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ended_runs(
        self,
        jobs: Sequence["Job"],
        *,
        notebook_json: str,
        workers: int,
        limits: Limits,
        started: Callable[[str, str], object] = lambda market, name: None,
    ) -> Iterator[Ended]:
        """Yield each job's run as it ends, at most `workers` of them at a time; `started` is called with each market.

        Whatever ends this loop (an error, Ctrl-C, SIGTERM) ends every run and its kernel, and removes their folders.
        """
        waiting, running = list(jobs), []
        with _sigterm_as_exit():
            try:
                while waiting or running:
                    while waiting and len(running) < workers:
                        running.append(self._started(waiting.pop(0), notebook_json=notebook_json, limits=limits))
                        started(running[-1].job["stem"], running[-1].job["name"])
                    over = next((run for run in running if _is_over(run, limits=limits)), None)
                    if over is None:
                        time.sleep(_POLL_SECONDS)
                        continue
                    running.remove(over)
                    yield from _ended(over, limits=limits)
            finally:
                _end([run.process for run in running])
                for run in running:
                    shutil.rmtree(run.folder, ignore_errors=True)

    def _start_warm(self) -> None:
        self._n_starts += 1
        try:
            self._warm = Warm(self._modules, folder=self.folder, prepare=[PREPARE])
        except RefusedForkError as why:
            self._refuse(why)

    def _let_go(self) -> None:
        if self._warm is not None:
            self._warm.close()
        self._warm = None

    def _refuse(self, why: object) -> None:
        self._let_go()
        self._say(f"Kernels are started one by one, not forked: {why}.")

    def _started(self, job: "Job", *, notebook_json: str, limits: Limits) -> _Running:
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))
        (folder / "notebook.json").write_text(notebook_json, encoding="utf-8")
        (folder / "tmp").mkdir()
        process = self._process(folder, limits=limits)
        began = time.monotonic()  # the first run waits for the warm process, which is none of its own time
        try:
            process.stdin.write(json.dumps({**job, "folder": str(folder)}).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            process.kill()
        return _Running(job, folder, process, began)

    def _process(self, folder: Path, *, limits: Limits) -> subprocess.Popen[bytes] | Forked:
        """Return a worker: forked, where that can be, else a program."""
        if self._warm is not None and not self._warm.is_alive and self._n_starts < MOST_WARM_STARTS:
            self._let_go()
            self._start_warm()
        if self._warm is not None:
            try:
                return self._forked(self._warm.path, folder, limits=limits)
            except RefusedForkError as why:
                self._refuse(why)
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", WORKER],
                cwd=self._root,
                env=_environment(folder, limits=limits),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its runs in order
            )

    def _forked(self, path: str, folder: Path, *, limits: Limits) -> Forked:
        reads, writes = os.pipe()
        env = {**_environment(folder, limits=limits), SOCKET_VARIABLE: path}
        try:
            with (folder / "log").open("wb") as log:
                files = [reads, log.fileno(), log.fileno()]
                process = forked(path, f"{WORKER}:main", [WORKER], env=env, cwd=str(self._root), files=files)
        except RefusedForkError:
            os.close(writes)
            raise
        finally:
            os.close(reads)
        process.stdin = os.fdopen(writes, "wb")
        return process


def _environment(folder: Path, *, limits: Limits) -> dict[str, str]:
    """Return a run's environment: figures as SVG, no startup files of the user, nothing left behind."""
    temporary = str(folder / "tmp")
    limited = {}
    if limits.n_bytes:
        limited = {MEMORY_VARIABLE: str(limits.n_bytes), ENGINE_MEMORY_VARIABLE: f"{limits.n_bytes // 2**21}MiB"}
    return {
        **limited,
        **os.environ,
        "RETENTION_KIT_FIGURE_FORMAT": "svg",
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "TMPDIR": temporary,
        "TEMP": temporary,
        "TMP": temporary,
    }


def _is_over(run: _Running, *, limits: Limits) -> bool:
    return run.process.poll() is not None or run.seconds > limits.seconds


def _ended(run: _Running, *, limits: Limits) -> Iterator[Ended]:
    seconds, too_long = run.seconds, run.process.poll() is None
    try:
        _end([run.process])
        if too_long:
            reason = f"The run took longer than {limits.seconds:,.0f} seconds and was ended."
            advice = "  try:   --time-limit with more seconds, or find the cell that does not end"
        else:
            reason, advice = _result(run)
        yield Ended(run.job, run.folder, seconds, reason, advice)
    finally:
        shutil.rmtree(run.folder, ignore_errors=True)


def _result(run: _Running) -> tuple[str, str]:
    """Return the run's reason and advice, empty where all went well."""
    try:
        result: Outcome = json.loads((run.folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return (
            f"The run's process ended without a result (exit code {run.process.returncode}).",
            "  try:   run it again; it was killed from outside, or there was no memory left",
        )
    return result["reason"], result["advice"]


def _end(processes: Sequence[subprocess.Popen[bytes] | Forked]) -> None:
    """End the processes and all they started: told first, killed after the grace."""
    family = [relative for process in processes for relative in _family(process)]
    for process in processes:
        if isinstance(process, Forked):  # it holds nothing that would have to be cleared up
            process.kill()
        elif process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
        if isinstance(process, Forked):
            process.close()
    for relative in family:
        with suppress(psutil.NoSuchProcess):
            relative.kill()


def _family(process: subprocess.Popen[bytes] | Forked) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Let SIGTERM end this process in order, as Ctrl-C does, where signals may be handled."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

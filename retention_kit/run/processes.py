"""Runs in processes of their own, so many at a time; none outlives the one that started it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

GRACE_SECONDS = 2.0
"""How long a run that was told to end may take to clear up before it is killed."""

_POLL_SECONDS = 0.03


@dataclass(frozen=True)
class Ended:
    """A run that is over; its folder, with what it left, exists until the next one is asked for."""

    job: Mapping[str, Any]
    folder: Path
    seconds: float
    reason: str
    advice: str


@dataclass
class _Running:
    job: Mapping[str, Any]
    folder: Path
    process: subprocess.Popen[bytes]
    started: float

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


def ended_runs(
    jobs: Sequence[Mapping[str, Any]],
    *,
    notebook_json: str,
    root: Path,
    workers: int,
    limit_seconds: float,
) -> Iterator[Ended]:
    """Yield each job's run as it ends, at most `workers` of them at a time, started in `root`.

    Whatever ends this loop (an error, Ctrl-C, SIGTERM) ends every run and its kernel, and removes
    their folders.
    """
    waiting, running = list(jobs), []
    with _sigterm_as_exit():
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    running.append(_started(waiting.pop(0), notebook_json=notebook_json, root=root))
                over = next((run for run in running if _is_over(run, limit_seconds=limit_seconds)), None)
                if over is None:
                    time.sleep(_POLL_SECONDS)
                    continue
                running.remove(over)
                yield from _ended(over, limit_seconds=limit_seconds)
        finally:
            _end([run.process for run in running])
            for run in running:
                shutil.rmtree(run.folder, ignore_errors=True)


def _started(job: Mapping[str, Any], *, notebook_json: str, root: Path) -> _Running:
    folder = Path(tempfile.mkdtemp(prefix="retention-kit-"))  # readable by its owner alone
    (folder / "notebook.json").write_text(notebook_json, encoding="utf-8")
    (folder / "tmp").mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "retention_kit.run.worker"],
            cwd=root,
            env=_environment(folder),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its runs in order
        )
    try:
        process.stdin.write(json.dumps({**job, "folder": str(folder)}).encode() + b"\n")
        process.stdin.flush()
    except OSError:
        process.kill()
    return _Running(job, folder, process, time.monotonic())


def _environment(folder: Path) -> dict[str, str]:
    """Return a run's environment: figures as SVG, no startup files of the user, nothing left behind."""
    temporary = str(folder / "tmp")
    return {
        **os.environ,
        "RETENTION_KIT_FIGURE_FORMAT": "svg",
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "TMPDIR": temporary,
        "TEMP": temporary,
        "TMP": temporary,
    }


def _is_over(run: _Running, *, limit_seconds: float) -> bool:
    return run.process.poll() is not None or run.seconds > limit_seconds


def _ended(run: _Running, *, limit_seconds: float) -> Iterator[Ended]:
    seconds, too_long = run.seconds, run.process.poll() is None
    try:
        _end([run.process])
        if too_long:
            reason, advice = f"The run took longer than {limit_seconds:,.0f} seconds and was ended.", ""
        else:
            reason, advice = _result(run)
        yield Ended(run.job, run.folder, seconds, reason, advice)
    finally:
        shutil.rmtree(run.folder, ignore_errors=True)


def _result(run: _Running) -> tuple[str, str]:
    """Return the run's reason and advice, empty where all went well."""
    try:
        result = json.loads((run.folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"The run's process ended without a result (exit code {run.process.returncode}).", ""
    return result["reason"], result["advice"]


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End the processes and all they started: told first, killed after the grace."""
    family = [relative for process in processes for relative in _family(process)]
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
    for relative in family:
        try:
            relative.kill()
        except psutil.NoSuchProcess:
            continue


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
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

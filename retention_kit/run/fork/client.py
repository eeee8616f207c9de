"""The driver's side: start a fork server, and ask it for processes that have everything imported.

Where a process cannot be forked (Windows, macOS, a module that starts threads when it is imported), there is none, and
kernels and workers are started as ordinary programs.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from retention_kit.run.fork.folders import SHORT, own_folder

SOCKET_VARIABLE = "RETENTION_KIT_FORK_SERVER"
"""The environment variable that tells a worker where the fork server listens."""

MEMORY_VARIABLE = "RETENTION_KIT_RUN_BYTES"
"""The environment variable that tells a worker how many bytes its kernel may ask for."""

_ONE_THREAD = {
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""Libraries that would start threads when they are imported are told not to: a fork keeps one thread alone."""

_INLINE = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
"""Where a kernel draws to: asked once, when matplotlib is imported."""

_LONGEST_WARM_UP = 120.0
_LONGEST_PATH = 90  # of a socket's folder: a socket's whole path has at most 107 bytes
_SIGNAL_OF_KILL = -9


class RefusedForkError(RuntimeError):
    """A process that cannot be forked: an ordinary one is to be started instead."""


class Forked:
    """A process that was forked, as `subprocess.Popen` would show it."""

    stdin: IO[bytes] | None = None
    stdout = stderr = None

    def __init__(self, path: str, asked: Mapping[str, Any], files: Sequence[int]) -> None:
        self.connection = socket.socket(socket.AF_UNIX)
        self.returncode: int | None = None
        self.listens = False
        self._unread = b""
        try:
            self.connection.connect(path)
            request = json.dumps(asked).encode()
            socket.send_fds(self.connection, [len(request).to_bytes(8, "big")], files)
            self.connection.sendall(request)
            told = self._line(timeout=20)
        except OSError as why:
            self.connection.close()
            raise RefusedForkError(str(why)) from why
        if "pid" not in told:
            self.connection.close()
            raise RefusedForkError(told.get("refused", "the fork server has ended"))
        self.pid: int = told["pid"]

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; −9 where the fork server ended and took it along."""
        return self.wait(0, raises=False)

    def wait(self, timeout: float | None = None, *, raises: bool = True) -> int | None:
        """Wait for its end, so long; return its exit code.

        Raises
        ------
        subprocess.TimeoutExpired : it still runs, and `raises` is not False.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            told = self._line(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            if told is None:
                if raises:
                    raise subprocess.TimeoutExpired("a forked process", timeout or 0)
                return None
            self._hear(told)
        return self.returncode

    def listening(self, timeout: float) -> bool:
        """Wait until a forked kernel listens, so long; return whether it does."""
        deadline = time.monotonic() + timeout
        while not self.listens and self.returncode is None:
            told = self._line(timeout=max(0.0, deadline - time.monotonic()))
            if told is None:
                return False
            self._hear(told)
        return self.listens

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Tell it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, and all processes of its session."""
        if self.poll() is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let it go: it is ended if it still runs."""
        if self.stdin is not None:
            self.stdin.close()
        self.connection.close()
        if self.returncode is None:
            self.returncode = _SIGNAL_OF_KILL

    def _hear(self, told: Mapping[str, Any]) -> None:
        self.listens = self.listens or "listens" in told
        if "returncode" in told:
            self.returncode = told["returncode"]

    def _line(self, *, timeout: float | None) -> Any:
        """Return what the fork server or the child says next, None after so long; its end as a returncode."""
        while b"\n" not in self._unread:
            if not select.select([self.connection], [], [], timeout)[0]:
                return None
            try:
                more = self.connection.recv(4096)
            except OSError:
                more = b""
            if not more:
                return {"returncode": _SIGNAL_OF_KILL}
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)


class ForkServer:
    """A fork server of our own; a context, at the end of which nothing of it is left.

    It imports while its maker does something else; `path` waits until it can fork.

    Parameters
    ----------
    modules : what it imports before it forks.
    prepare : `module:function` of what it calls before it forks.
    folder : a folder of our own, readable by us alone, which goes with it.

    Raises
    ------
    RefusedForkError : there is no fork on this system.
    """

    def __init__(self, modules: Iterable[str], *, folder: Path, prepare: Iterable[str] = ()) -> None:
        if not sys.platform.startswith("linux"):
            raise RefusedForkError(f"processes are not forked on {sys.platform}")
        self._refused: str | None = None
        self._folder = folder
        # the path of a socket must be short, and a folder for temporary files need not be
        self._place = folder if len(str(folder)) < _LONGEST_PATH else own_folder(SHORT)
        self._path = str(self._place / f"fork-{os.urandom(4).hex()}")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self._path)
            os.chmod(self._path, 0o600)
            listening.listen(64)
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "retention_kit.run.fork.server"],
                env={**_ONE_THREAD, **_INLINE, **os.environ},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[listening.fileno()],
                start_new_session=True,  # Ctrl-C is for the one that started it
            )
            folders = sorted({str(folder), str(self._place)})
            told = {"modules": list(modules), "prepare": list(prepare), "folders": folders}
            self._tell({**told, "listening": listening.fileno()})

    @property
    def path(self) -> str:
        """Return where it listens, when it does.

        Raises
        ------
        RefusedForkError : a module started a thread, which a fork would lose; or it has ended.
        """
        if self._refused is None:
            self._refused = self._answer()
        if self._refused or not self.is_alive:
            raise RefusedForkError(self._refused or "the process that imports has ended")
        return self._path

    @property
    def is_alive(self) -> bool:
        """Return whether it still runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """End it, with every process that it has forked, and its folder."""
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()
        if self._refused is None:
            self.process.kill()  # nobody has asked it for a process: it may still import, and has forked none
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        Path(self._path).unlink(missing_ok=True)
        if self._place != self._folder:
            shutil.rmtree(self._place, ignore_errors=True)

    def _tell(self, told: Mapping[str, Any]) -> None:
        try:
            self.process.stdin.write(json.dumps(told).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return  # its answer says that it has ended

    def _answer(self) -> str:
        """Return why it cannot fork, empty where it can."""
        if not select.select([self.process.stdout], [], [], _LONGEST_WARM_UP)[0]:
            return "it took too long to import what notebooks need"
        line = self.process.stdout.readline()
        return json.loads(line)["refused"] if line else "the process that imports has ended"

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def forked(
    path: str,
    entry: str,
    argv: Sequence[str] = (),
    *,
    env: Mapping[str, str],
    cwd: str,
    files: Sequence[int],
    most_bytes: int = 0,
) -> Forked:
    """Return a process that calls `entry`, forked by the fork server that listens at `path`.

    Parameters
    ----------
    entry : `module:function`.
    argv : its `sys.argv`.
    env : its whole environment.
    files : what become its standard input, output and error.
    most_bytes : of memory that it may ask for; 0 for any.

    Raises
    ------
    RefusedForkError : the fork server has ended, or the machine has no room for another process.
    """
    asked = {"entry": entry, "argv": list(argv), "env": dict(env), "cwd": cwd, "most_bytes": most_bytes}
    return Forked(path, asked, files)

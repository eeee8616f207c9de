"""A process that has imported everything, and forks: a kernel or a worker of its is ready in a fraction of a second.

Started by `ForkServer` as `python -P -m retention_kit.run.fork.server`, it has one thread and opens no data.
It ends when its standard input closes, and takes everybody it has forked along, and the folder they worked in.
"""

import atexit
import ctypes
import json
import os
import random
import resource
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import psutil

from retention_kit.run.fork.warming import KERNEL_ENTRY, called, warm_up

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_MOST_BYTES = 8 * 2**20
_SECONDS_BETWEEN_LOOKS = 0.3


def main() -> None:
    """Import what standard input asks for, say so, and fork for whoever connects, until standard input closes."""
    told = json.loads(sys.stdin.readline())
    try:
        with _ended_with_parent():
            warm_up(told["modules"], prepare=told["prepare"])
        listening = socket.socket(fileno=int(told["listening"]))
        n_threads = len(os.listdir("/proc/self/task"))
        refused = f"an imported module has started {n_threads - 1} threads" if n_threads > 1 else ""
        sys.stdout.write(json.dumps({"refused": refused}) + "\n")
        sys.stdout.flush()
        if refused:
            told["folders"] = []  # runs go on in them, as ordinary programs
        else:
            ForkLoop(listening).run()
    finally:
        for folder in told["folders"]:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _ended_with_parent() -> Iterator[None]:
    """End this process when the one that started it has ended, while nobody reads standard input."""
    parent = os.getppid()

    def look(*_: object) -> None:
        if os.getppid() != parent:
            sys.exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS_BETWEEN_LOOKS, _SECONDS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


class ForkLoop:
    """Forks for each connection; a connection that closes ends its child, a child that ends is told and closed."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._children: dict[int, socket.socket] = {}
        self._pid = os.getpid()
        self._woken, self._wakes = socket.socketpair()
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until standard input closes."""
        for end in (self._woken, self._wakes, self._listening):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        _adopt_orphans()
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        self._selector.register(sys.stdin, selectors.EVENT_READ, "driver")
        self._selector.register(self._listening, selectors.EVENT_READ, "asked")
        self._selector.register(self._woken, selectors.EVENT_READ, "ended")
        try:
            while True:
                ready = {key.data: key.fileobj for key, _ in self._selector.select()}
                if "driver" in ready and not os.read(sys.stdin.fileno(), 4096):
                    return
                if "ended" in ready:
                    self._drain()
                    self._reap()
                for pid in [who for who in ready if isinstance(who, int) and who in self._children]:
                    self._left(pid)
                if "asked" in ready:
                    self._accept()
        finally:
            _end_all()

    def _drain(self) -> None:
        try:
            while self._woken.recv(4096):
                pass
        except BlockingIOError:
            return

    def _reap(self) -> None:
        """Tell of every child that has ended, and end what it has left behind."""
        for pid in list(self._children):
            try:
                found, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                found, status = pid, 0
            if found:
                _kill(pid, group_only=True)
                connection = self._forget(pid)
                _tell(connection, {"returncode": os.waitstatus_to_exitcode(status)})
                connection.close()
        for pid in set(_descendants()) - set(self._children):  # whom an ended child has left behind
            _kill(pid)
            os.waitpid(pid, 0)

    def _left(self, pid: int) -> None:
        """End the child of a connection whose other end is closed."""
        try:
            alive = bool(self._children[pid].recv(64))
        except OSError:
            alive = False
        if not alive:
            _kill(pid)  # it is reaped, and forgotten, as every child that ends
            self._selector.unregister(self._children[pid])

    def _forget(self, pid: int) -> socket.socket:
        connection = self._children.pop(pid)
        with suppress(KeyError):  # its other end was closed before
            self._selector.unregister(connection)
        return connection

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        connection.settimeout(2)  # who was interrupted while asking must not keep the others waiting
        try:
            asked, files = _received(connection)
        except (OSError, ValueError):
            connection.close()
            return
        try:
            pid = os.fork()
        except OSError as why:
            _tell(connection, {"refused": os.strerror(why.errno or 0)})
            connection.close()
            for file in files:
                os.close(file)
            return
        if pid == 0:
            self._become(asked, files, connection)
        for file in files:
            os.close(file)
        self._children[pid] = connection
        _tell(connection, {"pid": pid})
        self._selector.register(connection, selectors.EVENT_READ, pid)

    def _become(self, asked: Mapping[str, Any], files: Sequence[int], connection: socket.socket) -> NoReturn:
        """Be the child: its own session, streams, environment, folder and random state, and none of the parent's."""
        code = 1
        try:
            _end_with(self._pid)
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            for end in (self._woken, self._wakes, self._listening, *self._children.values()):
                end.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            os.environ.clear()
            os.environ.update(asked["env"])
            os.chdir(asked["cwd"])
            code = _run(asked, connection)
        except BaseException:  # nothing of the child may go on as the parent
            sys.excepthook(*sys.exc_info())
        finally:
            _flush()
            os._exit(code)


def _run(asked: Mapping[str, Any], connection: socket.socket) -> int:
    """Call what was asked for as a program of its own; return its exit code."""
    if asked["most_bytes"]:
        resource.setrlimit(resource.RLIMIT_DATA, (asked["most_bytes"],) * 2)
    if hasattr(time, "tzset"):
        time.tzset()
    tempfile.tempdir = None
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    sys.argv = list(asked["argv"])
    try:
        if asked["entry"] == KERNEL_ENTRY:
            _kernel(connection)
        else:
            connection.close()
            called(asked["entry"])
        code = 0
    except SystemExit as why:
        code = why.code if isinstance(why.code, int) else int(why.code is not None)
    atexit._run_exitfuncs()
    return code


def _kernel(connection: socket.socket) -> None:
    """Be an IPython kernel, and say when it listens."""
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(sys.argv[1:])
    _tell(connection, {"listens": True})
    connection.close()
    app.start()


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return what is asked for, and the files that become its standard streams."""
    head, files, _, _ = socket.recv_fds(connection, 8, 3)
    rest, left = b"", int.from_bytes(head, "big")
    if len(head) != 8 or left > _MOST_BYTES:
        raise ValueError("no length")
    while len(rest) < left:
        part = connection.recv(left - len(rest))
        if not part:
            raise ValueError("torn")
        rest += part
    return json.loads(rest), files


def _tell(connection: socket.socket, said: Mapping[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(said).encode() + b"\n")
    except OSError:
        return  # nobody listens any more


def _kill(pid: int, *, group_only: bool = False) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        if not group_only:  # it has just been forked, and has no group of its own yet
            os.kill(pid, signal.SIGKILL)


def _end_all() -> None:
    """End every process that descends from this one, also those that have left their session."""
    while pids := _descendants():
        for pid in pids:
            _kill(pid)
        for pid in pids:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                continue


def _descendants() -> list[int]:
    return [child.pid for child in psutil.Process().children()]


def _adopt_orphans() -> None:
    """Become the parent of processes whose own parent has ended, so that they can be ended too."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _end_with(parent: int) -> None:
    """Let this process be killed when the one that forked it ends, however that ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue


if __name__ == "__main__":
    main()

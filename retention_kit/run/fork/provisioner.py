"""Kernels forked from a fork server, by Jupyter's own extension point: Papermill, nbval, nbconvert, JupyterLab.

Where there is none, or it cannot fork, a kernel is started as ever.
"""

import asyncio
import atexit
import os
import shutil
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from retention_kit.run.fork.client import (
    MEMORY_VARIABLE,
    SOCKET_VARIABLE,
    Forked,
    ForkServer,
    RefusedForkError,
    forked,
)
from retention_kit.run.fork.folders import own_folder
from retention_kit.run.fork.warming import KERNEL_ENTRY

MODULES_VARIABLE = "RETENTION_KIT_WARM_MODULES"
"""Modules, separated by commas, that a process imports in a fork server of its own, for the kernels it starts."""

_SECONDS_TO_LISTEN = 30.0


class ForkedProvisioner(LocalProvisioner):
    """Starts a kernel by a fork, and one that cannot be forked as a program."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel; return how it is reached, when it listens.

        Raises
        ------
        RuntimeError : the forked kernel ended before it listened.
        """
        env = kwargs.get("env") or os.environ
        path = listening_at(env)
        if not path or not _is_ours(cmd):
            return await super().launch_kernel(cmd, **kwargs)
        try:
            self.process = _forked_kernel(path, cmd, env, cwd=kwargs.get("cwd"))
        except RefusedForkError:
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd") or os.getcwd()
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(None, self.process.listening, _SECONDS_TO_LISTEN):
            self.process.close()
            raise RuntimeError("The kernel ended before it listened.")
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait for the kernel's end, as it happens."""
        process = self.process
        if not isinstance(process, Forked):
            return await super().wait()
        loop = asyncio.get_running_loop()
        while process.poll() is None:
            said = loop.create_future()
            loop.add_reader(process.connection, said.set_result, None)
            try:
                await said
            finally:
                loop.remove_reader(process.connection)
        process.close()
        self.process = None
        return process.returncode


def listening_at(env: Mapping[str, str]) -> str:
    """Return where a fork server listens: the one of this run, else one that this process keeps; empty without."""
    if SOCKET_VARIABLE in env:
        return env[SOCKET_VARIABLE]
    return _own_server(env[MODULES_VARIABLE]) if env.get(MODULES_VARIABLE) else ""


@cache
def _own_server(modules: str) -> str:
    """Start a fork server that lasts as long as this one; return where it listens, empty where it cannot fork."""
    folder = own_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        server = ForkServer(modules.split(","), folder=folder)
        atexit.register(server.close)
        return server.path
    except RefusedForkError as why:
        print(f"Kernels are started one by one, not forked: {why}.", file=sys.stderr)
        return ""


def _is_ours(cmd: list[str]) -> bool:
    """Return whether a command starts an IPython kernel of this Python."""
    # not resolved: the Pythons of two environments may be links to one
    return os.path.abspath(cmd[0]) == os.path.abspath(sys.executable) and "ipykernel_launcher" in cmd


def _forked_kernel(path: str, cmd: list[str], env: Mapping[str, str], *, cwd: str | None) -> Forked:
    argv = cmd[cmd.index("ipykernel_launcher") :]
    most_bytes = int(env.get(MEMORY_VARIABLE) or 0)
    hidden = {SOCKET_VARIABLE, MODULES_VARIABLE, MEMORY_VARIABLE}
    kept = {name: value for name, value in env.items() if name not in hidden}
    with open(os.devnull, "r+b") as nothing:  # what a cell prints goes another way
        files = [nothing.fileno(), nothing.fileno(), 2]
        return forked(path, KERNEL_ENTRY, argv, env=kept, cwd=cwd or os.getcwd(), files=files, most_bytes=most_bytes)

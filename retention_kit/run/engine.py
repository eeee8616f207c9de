"""Papermill's engine of this kit: `papermill --engine retention-kit` runs a notebook in a forked kernel, and leanly.

A kernel is ready when it says so, and over when it is; nothing is saved between cells. A notebook that shows too much
is ended, and one that fails can be kept for those who may read it.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.utils import merge_kwargs, remove_args
from traitlets.config import Config

PROVISIONER = "retention-kit"
DISPLAY = "retention_kit.run.display"
"""The extension by which a kernel shows frames as tables of a page."""

MOST_OUTPUT = 20 * 2**20
"""Bytes that a notebook may show; a page that large is none."""

STARTS = 2
"""How often a kernel is started: once more where the first one did not come to its first cell."""

QUIET = Config({"KernelManager": {"transport_encryption": "required"}})
"""Without it, each start of a kernel warns."""


class TooMuchOutputError(RuntimeError):
    """A notebook shows more than a page can hold."""


class PromptClient(AsyncKernelClient):
    """A client that goes on as soon as the kernel has answered."""

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers, and both channels are connected, without the pauses of the general case.

        Raises
        ------
        RuntimeError : the kernel died, or did not answer in time.
        """
        deadline = time.monotonic() + (timeout or float("inf"))
        while time.monotonic() < deadline:
            asked = self.kernel_info()
            if await _answered(self.shell_channel, asked) and await _idle(self.iopub_channel, asked):
                return
            if not await self._async_is_alive():
                raise RuntimeError("The kernel died before it answered.")
        raise RuntimeError("The kernel did not answer in time.")

    wait_for_ready = _async_wait_for_ready


async def _answered(channel: Any, asked: str) -> bool:
    return await _message(channel, asked, lambda message: message["msg_type"] == "kernel_info_reply")


async def _idle(channel: Any, asked: str) -> bool:
    return await _message(channel, asked, lambda message: message["content"].get("execution_state") == "idle")


async def _message(channel: Any, asked: str, is_it: Callable[[Mapping[str, Any]], bool]) -> bool:
    """Return whether the answer to what was asked comes within a second."""
    deadline = time.monotonic() + 1
    while True:
        try:
            message = await channel.get_msg(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            return False
        if message["parent_header"].get("msg_id") == asked and is_it(message):
            return True


class PromptManager(AsyncKernelManager):
    """A manager whose client is prompt, and which knows that a kernel is over when it is."""

    client_class = "retention_kit.run.engine.PromptClient"
    client_factory = PromptClient

    async def _async_kill_kernel(self, restart: bool = False) -> None:
        """Kill the kernel, and wait for its end instead of asking for it ten times a second."""
        if self.has_kernel:
            await self.provisioner.kill(restart=restart)
            await asyncio.wait_for(self.provisioner.wait(), timeout=5.0)


class ReportClient(PapermillNotebookClient):
    """Runs the cells; counts what they show."""

    def __init__(self, nb_man: Any, **options: Any) -> None:
        super().__init__(nb_man, **options)
        self._n_shown = 0

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take a message of the kernel.

        Raises
        ------
        TooMuchOutputError : the cells have shown more than `MOST_OUTPUT` bytes.
        """
        self._n_shown += _size(msg["content"])
        if self._n_shown > MOST_OUTPUT:
            raise TooMuchOutputError(f"{self._n_shown:,} bytes")
        return super().process_message(msg, cell, cell_index)


def _size(content: Any) -> int:
    texts = [content.get("text", ""), *content.get("data", {}).values()] if isinstance(content, dict) else []
    return sum(len(text) for text in texts if isinstance(text, str))


class ReportEngine(NBClientEngine):
    """Papermill's own engine, with a forked kernel where there is one to be had."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, keep_failed: str = "", log_output: bool = False, **options: Any
    ) -> None:
        """Run all cells.

        Parameters
        ----------
        nb_man : Papermill's record of the run, whose notebook is filled.
        keep_failed : where the notebook is written if a cell fails, readable by its owner alone; nowhere if empty.
        options : as of Papermill's own engine.

        Raises
        ------
        DeadKernelError, TooMuchOutputError, CellTimeoutError : what ended the run; a cell's error is in the notebook.
        """
        settings = merge_kwargs(
            remove_args(["input_path", "stdout_file", "stderr_file", "execution_timeout", "start_timeout"], **options),
            timeout=options.get("execution_timeout"),
            startup_timeout=options.get("start_timeout", 60),
            kernel_name=kernel_name,
            log_output=log_output,
            kernel_manager_class=PromptManager,
            extra_arguments=[f"--IPKernelApp.extra_extensions={DISPLAY}"],
            stdout_file=options.get("stdout_file"),
            stderr_file=options.get("stderr_file"),
        )
        with _provisioner(PROVISIONER):
            try:
                _run(nb_man, settings)
            finally:
                if keep_failed and _has_failed(nb_man):
                    _keep(nb_man.nb, Path(keep_failed))


@contextmanager
def _provisioner(name: str) -> Iterator[None]:
    """Let kernels be started by a provisioner, where it is installed."""
    factory = KernelProvisionerFactory.instance()
    before = factory.default_provisioner_name
    if name in factory.provisioners:
        factory.default_provisioner_name = name
    try:
        yield
    finally:
        factory.default_provisioner_name = before


def _run(nb_man: Any, settings: dict[str, Any]) -> None:
    """Run all cells; start a kernel once more where the first did not come to them."""
    for start in range(1, STARTS + 1):
        client = ReportClient(nb_man, **settings)
        try:
            client.execute()
            return
        except (RuntimeError, DeadKernelError):
            if start == STARTS or client.code_cells_executed:
                raise


def _has_failed(nb_man: Any) -> bool:
    return any(cell.metadata.papermill["status"] in ("running", "failed") for cell in nb_man.nb.cells)


def _keep(node: NotebookNode, path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(node, file)

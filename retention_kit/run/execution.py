"""One notebook runs once, in a fresh kernel; what goes wrong becomes one sentence without data or code."""

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.engines import papermill_engines
from papermill.exceptions import PapermillExecutionError

from retention_kit.errors import KitError
from retention_kit.run.engine import MOST_OUTPUT, QUIET, ReportEngine, TooMuchOutputError

LONGEST_REASON = 400
"""Characters of a reason that are kept."""


ENGINE = "retention-kit"
papermill_engines.register(ENGINE, ReportEngine)  # also where the package is not installed but on the path


class RunError(KitError):
    """A notebook that did not run to its end."""


def executed(node: NotebookNode, parameters: Mapping[str, Any], *, keep_failed: str = "") -> NotebookNode:
    """Return the notebook after a run with these parameters, which must have been checked before.

    Parameters
    ----------
    keep_failed : where the notebook is written as far as it came, if it fails; nowhere if empty.

    Raises
    ------
    RunError : a cell failed, the kernel died or could not start, the notebook ended itself.
    """
    try:
        ran = papermill.execute_notebook(
            deepcopy(node),
            None,
            dict(parameters),
            kernel_name="python3",
            language="python",
            progress_bar=False,
            autosave_cell_every=0,
            engine_name=ENGINE,
            keep_failed=keep_failed,
            shutdown_kernel="immediate",  # its temporary files lie in the run's own folder, which goes too
            config=QUIET,
        )
    except PapermillExecutionError as why:
        raise _failed_cell(why.ename, why.evalue, place=_place(node, parameters, why.cell_index)) from why
    except TooMuchOutputError as why:
        raise RunError(
            f"The notebook shows more than {MOST_OUTPUT // 2**20} MiB.",
            to_try="print less: a page is for a table of a few rows, or a figure",
        ) from why
    except DeadKernelError as why:
        raise RunError(
            "The notebook's kernel died: a cell ended its process, or memory ran out.",
            to_try="run the notebook in JupyterLab with this market's parameters, and watch its memory",
        ) from why
    except NoSuchKernel as why:
        raise RunError("There is no kernel 'python3' here.", to_try="python -m pip install ipykernel") from why
    except RuntimeError as why:
        raise RunError(
            "The notebook's kernel could not start.", to_try="python -m ipykernel_launcher --version"
        ) from why
    _reached_its_end(ran)
    return ran


def _failed_cell(name: str, message: str, *, place: str) -> RunError:
    """Return the error of a cell: an error of this kit in its own words, of any other one its name alone."""
    lines = message.strip().splitlines()
    if name in _own_errors() or any(re.match(r"  (found: |try:   )", line) for line in lines[1:2]):
        return _retold(lines)
    if name == "SystemExit":
        return RunError(f"The notebook ended itself in {place}.", to_try="remove the call of exit there")
    if "MemoryError" in name:
        return RunError(f"Memory ran out in {place}.", to_try="--run-memory with more, or fewer --workers at a time")
    if name == "ModuleNotFoundError":
        return RunError(f"{message.strip()} ({place}).", to_try="install it where the kernel 'python3' runs")
    return RunError(
        f"{name} in {place}.",
        to_try="run the notebook in JupyterLab with this market's parameters to see the whole error",
    )


def _own_errors() -> set[str]:
    """Return the names of this kit's errors, which never carry data."""
    waiting: list[type[KitError]] = [KitError]
    names = set()
    while waiting:
        error = waiting.pop()
        names.add(error.__name__)
        waiting += error.__subclasses__()
    return names


def _retold(lines: list[str]) -> RunError:
    """Return an error of this kit as it was told in the kernel: what, found, what to try."""
    error = RunError(lines[0][:LONGEST_REASON] if lines else "The notebook failed without a word.")
    error.args = ("\n".join([error.what, *lines[1:]]),)
    return error


def _place(node: NotebookNode, parameters: Mapping[str, Any], ran_index: int) -> str:
    """Return which code cell of the notebook a cell of the run was, counted as the reader sees them."""
    tagged = [index for index, cell in enumerate(node.cells) if "parameters" in cell.metadata.get("tags", [])]
    index = ran_index - 1 if parameters and tagged and ran_index > tagged[0] else ran_index
    codes = [number for number, cell in enumerate(node.cells) if cell.cell_type == "code"]
    return f"code cell {sum(number <= index for number in codes)} of {len(codes)}"


def _reached_its_end(ran: NotebookNode) -> None:
    """Refuse a notebook that stopped early: Papermill takes `exit()` in a cell for success."""
    codes = [cell for cell in ran.cells if cell.cell_type == "code"]
    for cell in codes:
        if any(output.output_type == "error" for output in cell.outputs):
            written = [other for other in codes if not _injected(other)]
            raise _failed_cell("SystemExit", "", place=f"code cell {_position(written, cell)} of {len(written)}")


def _position(cells: Iterable[NotebookNode], cell: NotebookNode) -> int:
    return next((number for number, other in enumerate(cells, start=1) if other is cell), 0)


def _injected(cell: NotebookNode) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])

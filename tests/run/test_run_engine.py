"""The engine for Papermill and the provisioner for Jupyter, used as anybody would."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import nbformat
import papermill
import psutil
import pytest

from retention_kit.run.engine import PROVISIONER, QUIET
from retention_kit.run.fork import provisioner
from retention_kit.run.fork.client import SOCKET_VARIABLE, ForkServer
from retention_kit.run.fork.warming import imported

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux alone")


def asked(cells: list[str]) -> nbformat.NotebookNode:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    node = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    node.cells = [nbformat.v4.new_code_cell('market: str = "NL"', metadata={"tags": ["parameters"]})]
    node.cells += [nbformat.v4.new_code_cell(source) for source in cells]
    return node


def ran(cells: list[str], **options) -> nbformat.NotebookNode:
    return papermill.execute_notebook(
        asked(cells), None, {"market": "DK"}, engine_name="retention-kit", progress_bar=False, config=QUIET, **options
    )


def said(node: nbformat.NotebookNode) -> str:
    return "".join(output.text for cell in node.cells for output in cell.outputs if output.output_type == "stream")


def test_both_are_found_by_their_entry_points():
    engine = entry_points(group="papermill.engine", name="retention-kit")
    forked = entry_points(group="jupyter_client.kernel_provisioners", name=PROVISIONER)
    assert [entry.value for entry in engine] == ["retention_kit.run.engine:ReportEngine"]
    assert [entry.value for entry in forked] == ["retention_kit.run.fork.provisioner:ForkedProvisioner"]
    assert engine["retention-kit"].load().__name__ == "ReportEngine"
    assert forked[PROVISIONER].load() is provisioner.ForkedProvisioner


def test_the_engine_runs_a_notebook_without_a_fork_server_too():
    assert said(ran(["print(market)"])) == "DK\n"


@linux
def test_with_a_fork_server_the_kernel_is_its_child_and_has_its_modules(tmp_path, monkeypatch):
    with ForkServer(["colorsys"], folder=tmp_path) as server:
        monkeypatch.setenv(SOCKET_VARIABLE, server.path)
        node = ran(["import os, sys\nprint(os.getppid(), 'colorsys' in sys.modules, get_ipython().kernel is not None)"])
        assert said(node).split() == [str(server.process.pid), "True", "True"]
        assert node.cells[-1].execution_count == 3
    assert not psutil.pid_exists(server.process.pid)


@linux
def test_a_failed_notebook_is_kept_where_it_is_asked_for_and_a_good_one_is_not(tmp_path):
    place = tmp_path / "failed.ipynb"
    ran(["1"], keep_failed=str(place))
    assert not place.exists()
    with pytest.raises(papermill.PapermillExecutionError):
        ran(["1 / 0"], keep_failed=str(place))
    assert place.stat().st_mode & 0o777 == 0o600
    assert "ZeroDivisionError" in str(nbformat.read(place, as_version=4).cells[-1].outputs)


@linux
def test_the_command_of_papermill_knows_the_engine_and_forks_where_it_is_told_to(tmp_path):
    notebook = tmp_path / "asked.ipynb"
    nbformat.write(asked(["import os, sys\nprint(market, 'colorsys' in sys.modules)"]), notebook)
    out = tmp_path / "out.ipynb"
    command = [
        "papermill",
        "--engine",
        "retention-kit",
        "--no-progress-bar",
        str(notebook),
        str(out),
        "-p",
        "market",
        "RO",
    ]
    environment = {**os.environ, "RETENTION_KIT_WARM_MODULES": "colorsys,no_such_module"}
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, env=environment)
    assert said(nbformat.read(out, as_version=4)) == "RO True\n"


def test_modules_of_a_notebook_are_those_that_its_cells_import_at_their_top():
    cells = [
        "import numpy as np, os.path\nfrom retention_kit import counts, metrics",
        "def f():\n    import json",
        "%matplotlib inline",
        "from . import here",
    ]
    assert imported(cells) == [
        *("numpy", "os.path"),
        *("retention_kit", "retention_kit.counts", "retention_kit.metrics"),
    ]


@linux
def test_a_kernel_of_another_python_is_started_as_ever(tmp_path):
    assert provisioner._is_ours([sys.executable, "-m", "ipykernel_launcher", "-f", "x"])
    link = tmp_path / "python"  # as the Python of another environment is
    link.symlink_to(sys.executable)
    assert not provisioner._is_ours([str(link), "-m", "ipykernel_launcher"])
    assert not provisioner._is_ours([sys.executable, "-m", "another_kernel"])

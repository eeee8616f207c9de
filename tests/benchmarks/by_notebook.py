"""Two ways of making reports in one process: `by_notebook.py WAY COMPANY OUT MARKET…`, for the benchmark of reports."""

import ast
import os
import sys
from pathlib import Path

import matplotlib
import nbformat
import papermill
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from retention_kit.config import project_root
from retention_kit.run.page import page

NOTEBOOK = project_root() / "notebooks" / "market_report.ipynb"
AS_OF = "2026-01-01"


def one_process(company: str, out: Path, codes: list[str]) -> None:
    """Run Papermill with its own engine in a loop, and one exporter."""
    for code in codes:
        ran = papermill.execute_notebook(
            NOTEBOOK,
            None,
            {"market": code, "data": company, "as_of": AS_OF},
            progress_bar=False,
            cwd=project_root(),
            config=Config({"KernelManager": {"transport_encryption": "required"}}),
        )
        _write(ran, out, code)


def floor(company: str, out: Path, codes: list[str]) -> None:
    """Fork for each market, two at a time; run the cells in an IPython shell, without a kernel, and make the page."""
    os.chdir(project_root())
    node = nbformat.read(NOTEBOOK, as_version=4)
    for cell in node.cells:
        if cell.cell_type == "code":
            imports = [s for s in ast.parse(cell.source).body if isinstance(s, (ast.Import, ast.ImportFrom))]
            exec(compile(ast.Module(imports, []), "imports", "exec"), {})
    import pyarrow.parquet  # noqa: F401

    page(nbformat.v4.new_notebook(), market="", name="", language="en", footer=[])
    running = 0
    for code in codes:
        if running == 2:
            _wait()
            running -= 1
        if os.fork() == 0:
            _write(_run(node, company, code), out, code)
            os._exit(0)
        running += 1
    for _ in range(running):
        _wait()


def _wait() -> None:
    _, status = os.wait()
    if status:
        raise SystemExit("a report failed")


def _run(node: nbformat.NotebookNode, company: str, code: str) -> nbformat.NotebookNode:
    matplotlib.use("agg")
    shell = InteractiveShell.instance()
    for cell in node.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = []
        with capture_output():
            result = shell.run_cell(cell.source, store_history=False)
        result.raise_error()
        if "parameters" in cell.metadata.get("tags", []):
            shell.user_ns.update({"market": code, "data": company, "as_of": AS_OF})
        if result.result is not None:
            data, metadata = shell.display_formatter.format(result.result)
            cell.outputs.append(nbformat.v4.new_output("display_data", data, metadata=metadata))
    return node


def _write(node: nbformat.NotebookNode, out: Path, code: str) -> None:
    html = page(node, market=code, name=code, language="en", footer=[])
    (out / f"{code}.html").write_text(html, encoding="utf-8")


if __name__ == "__main__":
    {"one_process": one_process, "floor": floor}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]), sys.argv[4:])

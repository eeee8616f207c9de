import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from retention_kit.config import project_root

NOTEBOOK = "market_report.ipynb"
LAST_CELL = "tables.cards(sheet)"
EXACT = "share = table[count] / table[n]"
WRONG = "share = 1.01 * table[count] / table[n]"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of what the notebook needs: code, data, and its first cells with their stored outputs."""
    for folder in ("retention_kit", "data"):
        shutil.copytree(project_root() / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "notebooks").mkdir()
    notebook = nbformat.read(project_root() / "notebooks" / NOTEBOOK, as_version=4)
    last = [cell.source for cell in notebook.cells].index(LAST_CELL)
    notebook.cells = notebook.cells[: last + 1]
    nbformat.write(notebook, tmp_path / "notebooks" / NOTEBOOK)
    return tmp_path


def nbval(project: Path) -> subprocess.CompletedProcess:
    """Run the stored notebook strictly on the copy of the code, as `make test` does."""
    environment = {key: value for key, value in os.environ.items() if key != "RETENTION_KIT_PROJECT"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "--nbval", "--nbval-current-env"]
    return subprocess.run(
        [*command, f"notebooks/{NOTEBOOK}"],
        cwd=project,
        env=environment | {"PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_one_number_changed_in_a_metric_turns_nbval_red(project):
    unaltered = nbval(project)
    assert unaltered.returncode == 0, unaltered.stdout[-2000:]

    metric = project / "retention_kit" / "metrics" / "intervals.py"
    code = metric.read_text(encoding="utf-8")
    assert code.count(EXACT) == 1
    metric.write_text(code.replace(EXACT, WRONG), encoding="utf-8")
    altered = nbval(project)
    assert altered.returncode == 1
    assert "mismatch 'text/plain'" in altered.stdout or "mismatch 'text/html'" in altered.stdout
    assert LAST_CELL in altered.stdout
    assert "Traceback (most recent call last)" not in altered.stdout

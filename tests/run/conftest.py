from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import pytest

PARAMETERS = 'market: str = "NL"  # the market\nwindow_days: int = 90  # days\ntwin: str = ""  # where to'

WRITE_TWIN = """
import json, pathlib
headline = {"id": "customers", "label": "Customers", "value": 812, "shown": "812", "unit": "customers"}
twin_of = {"format": 1, "market": market, "name": market, "currency": "EUR", "as_of": "2026-01-01",
           "data": "sample", "kit_version": "0.1.0", "headlines": [headline]}
_ = pathlib.Path(twin).write_text(json.dumps(twin_of)) if twin else None
""".strip()


@pytest.fixture
def notebook_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a small notebook: a title, a `parameters` cell, the given cells, a twin where one is declared."""

    def written(cells: Sequence[str], *, parameters: str | None = PARAMETERS, name: str = "asked.ipynb") -> Path:
        node = nbformat.v4.new_notebook()
        node.cells = [nbformat.v4.new_markdown_cell("# Do customers come back?")]
        if parameters is not None:
            node.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
        node.cells += [nbformat.v4.new_code_cell(source) for source in cells]
        if parameters is not None and "twin" in parameters:
            node.cells.append(nbformat.v4.new_code_cell(WRITE_TWIN))
        path = tmp_path / name
        nbformat.write(node, path)
        return path

    return written

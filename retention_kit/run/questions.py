"""A new notebook for a question of one's own, in house style, run by reports and tests as those of the kit are."""

import re
import unicodedata
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from retention_kit.errors import UsageError
from retention_kit.run.stored import store_outputs
from retention_kit.writing import write_whole

LONGEST_NAME = 60
_PARAMETERS = """
market: str = "NL"  # code of a market, as in data/markets.toml; ALL for the group
data: str = "sample"  # a profile in data/sources, the path of one, or a folder of tables
files: dict = {}  # file by table, for a profile that names none
as_of: str = "2026-01-01"  # first day not observed
grain: str = "month"  # periods of cohorts and trends: day, week, month, quarter, year
base_grain: str = "quarter"  # periods over which customers are retained or lost
unknown_markets: str = "fail"  # what to do with rows of a market that is not declared: fail, ignore
"""
_CELLS = (
    """
import retention_kit as rk

shop = rk.open(data, files=files, as_of=as_of, unknown_markets=unknown_markets)
here = shop.market(market)
""",
    "## In short",
    "here.in_short(grain, base_grain=base_grain)",
    """
## What is asked

Say what is counted and what it is divided by, in one sentence; then one call, then a table or a figure, then one
paragraph that reads it. `here` answers with tables: `here.cohorts()`, `here.retention()`, `here.returned("coupon")`; a
rate of your own is a function with `@rk.metric`, of `here.counts("order_counts")`.
""",
    "here.base(base_grain).tail(6)",
    "here.retention_rate(base_grain).plot()",
    """
## What this does not say

- Why: nothing here was randomised.
""",
)


def new_question(question: str, *, folder: Path) -> Path:
    """Write a notebook that asks a question, run it on the sample, and return its file.

    Parameters
    ----------
    question : becomes the title, and in letters and digits the file's name.
    folder : where it is written, made if it is not there.

    Raises
    ------
    UsageError : no letter in the question, or a notebook of that name is there, which stays as it is.
    """
    path = folder / f"{_name(question)}.ipynb"
    if path.exists():
        raise UsageError(f"There is a notebook '{path.name}' already.", to_try="another question, or open that one")
    folder.mkdir(parents=True, exist_ok=True)
    node = _notebook(question)
    write_whole({path: (nbformat.writes(node) + "\n").encode()})
    try:
        store_outputs(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _name(question: str) -> str:
    plain = unicodedata.normalize("NFKD", question).encode("ascii", "ignore").decode().casefold()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST_NAME].rstrip("_")
    if not name:
        raise UsageError("A question needs a word.", to_try='retention-kit new-notebook "do members order more?"')
    return name


def _notebook(question: str) -> NotebookNode:
    title = " ".join(question.split())
    cells = [new_markdown_cell(f"# {title}"), new_code_cell(_PARAMETERS.strip(), metadata={"tags": ["parameters"]})]
    for source in _CELLS:
        text = source.strip()
        cells.append(new_markdown_cell(text) if text.startswith("##") else new_code_cell(text))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})

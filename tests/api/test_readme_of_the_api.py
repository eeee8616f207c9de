"""Everything that the README says may be written in Python is run as it stands there."""

import re
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest

import retention_kit as rk

SECTION = re.search(
    r"^## In a notebook, or in Python\n(.*?)^## ",
    Path("README.md").read_text(encoding="utf-8"),
    re.DOTALL | re.MULTILINE,
)
BLOCKS = re.findall(r"```python\n(.*?)```", SECTION[1], re.DOTALL)
ROWS = [line for line in SECTION[1].splitlines() if line.startswith("|") and "`" in line]
QUESTIONS = [
    code for row in ROWS for code in re.findall(r"`((?:dk|shop)\..+?)`", row.partition("|")[2].partition("|")[2])
]


pytestmark = pytest.mark.slow


@pytest.fixture
def named(shop, thirty_lines, tmp_path, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    (tmp_path / "data").symlink_to(Path("data").resolve())
    monkeypatch.chdir(tmp_path)
    return {"rk": rk, "shop": shop, "dk": shop.market("DK"), "df": thirty_lines}


def test_the_section_has_what_is_tested_here():
    assert len(BLOCKS) == 2
    assert len(QUESTIONS) >= 16


@pytest.mark.parametrize("block", BLOCKS, ids=["the sample", "a frame"])
def test_its_examples_run(block, named):
    spoken = SimpleNamespace(**named)
    exec(compile(block, "README.md", "exec"), named)
    assert named["shop"] is not spoken.shop
    assert named["shop"].markets


@pytest.mark.parametrize("question", QUESTIONS)
def test_its_questions_are_answered(question, named):
    answer = eval(question, named)
    if question.startswith("dk.customers"):
        assert Path("ids.csv").stat().st_mode & 0o077 == 0
    else:
        assert answer is not None

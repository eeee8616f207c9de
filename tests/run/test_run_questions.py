"""A notebook for a question of one's own runs like those of the kit."""

import nbformat
import pytest
from calls import run_reports

from retention_kit.config import project_root
from retention_kit.errors import UsageError
from retention_kit.run import Run
from retention_kit.run.questions import LONGEST_NAME, new_question


@pytest.mark.slow
def test_a_new_question_is_a_notebook_that_ran_and_makes_reports(tmp_path, monkeypatch):
    monkeypatch.setenv("RETENTION_KIT_PROJECT", str(project_root()))
    path = new_question("Do  Danish members\norder more, à la carte?", folder=tmp_path / "notebooks")
    node = nbformat.read(path, as_version=4)
    codes = [cell for cell in node.cells if cell.cell_type == "code"]
    assert path.name == "do_danish_members_order_more_a_la_carte.ipynb"
    assert node.cells[0].source == "# Do Danish members order more, à la carte?"
    assert [cell.execution_count for cell in codes] == list(range(1, len(codes) + 1))
    assert sum(bool(cell.outputs) for cell in codes) == 3
    assert all(len(cell.source.splitlines()) <= 7 for cell in codes)
    results = run_reports(path, [Run("DK", "Denmark")], out=tmp_path / "reports")
    assert results[0].reason == ""
    assert "Do Danish members order more" in (tmp_path / "reports" / "DK.html").read_text(encoding="utf-8")

    with pytest.raises(UsageError) as raised:
        new_question("do Danish members order more a la carte", folder=tmp_path / "notebooks")
    assert str(raised.value) == (
        "There is a notebook 'do_danish_members_order_more_a_la_carte.ipynb' already.\n"
        "  try:   another question, or open that one"
    )
    assert nbformat.read(path, as_version=4) == node


@pytest.mark.parametrize("question", ["", "  ", "???", "客户"])
def test_a_question_without_a_letter_for_a_name_is_refused_and_writes_nothing(question, tmp_path):
    with pytest.raises(UsageError, match="A question needs a word"):
        new_question(question, folder=tmp_path / "notebooks")
    assert not (tmp_path / "notebooks").exists()


def test_a_name_cannot_leave_its_folder_and_is_not_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr("retention_kit.run.questions.store_outputs", lambda path: None)
    assert new_question("../../etc/passwd", folder=tmp_path).name == "etc_passwd.ipynb"
    assert len(new_question("why " * 100, folder=tmp_path).stem) <= LONGEST_NAME

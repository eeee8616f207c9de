"""A wheel holds all that a first question needs: it is built, unpacked, and asked where there is no project."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from retention_kit.config import project_root

pytestmark = pytest.mark.slow

COUNTED = """
from retention_kit import counts, ingest
print(*counts.count(ingest.source("sample"), as_of="2026-01-01", grains=["month"], tables=["cohort_counts"]).markets)
"""
PLACES = """
import retention_kit
from retention_kit.config import data_root, store_root
print(retention_kit.__file__, data_root(), store_root(), sep="\\n")
"""
ASKED = """
import retention_kit as rk
print(len(rk.open("sample", as_of="2026-01-01").market("DK").retention().to_frame()))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an installed wheel of this project."""
    pytest.importorskip("hatchling", reason="no hatchling: python -m pip install -e '.[dev]'")
    built, target = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    subprocess.run(build, cwd=project_root(), check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(target)  # of pure Python: what pip would do
    return target


def said(code: str, installed: Path, *, cache: Path) -> list[str]:
    """Return the lines that code prints, run with the installed wheel from the root of the file system."""
    env = {name: value for name, value in os.environ.items() if name != "RETENTION_KIT_PROJECT"}
    env |= {"PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(cache), "LOCALAPPDATA": str(cache)}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=Path("/"), env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_it_brings_the_sample_and_the_notebooks_and_keeps_counts_in_the_cache(installed, tmp_path):
    module, data, store = said(PLACES, installed, cache=tmp_path)
    assert Path(module) == installed / "retention_kit" / "__init__.py"
    assert Path(data) == installed / "retention_kit" / "project"
    assert sorted(path.name for path in (Path(data) / "notebooks").iterdir()) == sorted(
        path.name for path in (project_root() / "notebooks").glob("*.ipynb")
    )
    assert "retention-kit" in Path(store).parts
    assert installed not in Path(store).parents


def test_the_sample_is_counted_anywhere(installed, tmp_path):
    assert said(COUNTED, installed, cache=tmp_path) == ["NL DK RO CN US JP BR DE"]


def test_the_first_question_is_answered_anywhere_and_nothing_is_written_into_the_package(installed, tmp_path):
    before = sorted(path for path in installed.rglob("*") if path.suffix != ".pyc")
    assert said(ASKED, installed, cache=tmp_path) == ["30"]
    assert [path for path in installed.rglob("*") if path.suffix != ".pyc" and path not in before] == []
    assert any(tmp_path.rglob(".counts"))

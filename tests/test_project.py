"""The project's own files agree with each other: dependencies, README, notebooks."""

import json
import re
import tomllib

import nbformat
import pytest

from retention_kit.config import project_root
from retention_kit.counts.engines import EXTRAS

ROOT = project_root()
CONDA_NAMES = {
    "duckdb": "python-duckdb",
    "matplotlib": "matplotlib-base",
    "nbconvert": "nbconvert-core",
    "seaborn": "seaborn-base",
    "tzdata": "python-tzdata",
}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def split(requirement: str) -> tuple[str, str]:
    name, bound = re.fullmatch(r"([A-Za-z0-9_-]+)(?:\[[^]]*\])?\s*(.*)", requirement).groups()
    return CONDA_NAMES.get(name.lower(), name.lower()), bound


def test_environment_yml_has_the_packages_of_pyproject_under_their_conda_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = dict(split(r) for r in project["dependencies"] + project["optional-dependencies"]["dev"])
    wanted["python"] = project["requires-python"]
    lines = (ROOT / "environment.yml").read_text().split("dependencies:")[1].splitlines()
    found = dict(split(line.strip().removeprefix("- ")) for line in lines if line.strip())
    assert found.pop("pip") == ""
    assert found == wanted


def test_an_engine_that_needs_a_driver_has_an_extra_that_brings_it():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for driver, extra in EXTRAS.items():
        assert driver in [split(requirement)[0] for requirement in extras[extra]]
    assert set(extras["postgres"]) <= set(extras["dev"])  # PostgreSQL is tested every day


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
class TestNotebook:
    def test_was_run_from_top_to_bottom(self, path):
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))

    def test_has_one_cell_of_parameters_and_no_logic(self, path):
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
        assert len(tagged) == 1
        for cell in cells:
            logic = r"^\s*(def|class|for|if|while|with|try)\b|\blambda\b"
            if cell.source.startswith("@rk.metric"):  # a metric of one's own is a function of a counts table
                logic = logic.replace("def|", "")
            assert not re.search(logic, cell.source, re.MULTILINE)

    def test_has_short_cells(self, path):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
                assert len([line for line in cell.source.splitlines() if line.strip()]) <= 6, cell.source

    def test_stores_no_image_and_no_path(self, path):
        text = path.read_text()
        assert "image/png" not in text
        assert str(ROOT) not in text

    def test_names_the_kernel_python3(self, path):
        assert json.loads(path.read_text())["metadata"]["kernelspec"]["name"] == "python3"

    def test_types_no_computed_number_into_prose(self, path):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                assert not re.search(r"\d[\d.,]*\s?%|\d{3,}", cell.source), cell.source

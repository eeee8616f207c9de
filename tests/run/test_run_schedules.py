"""The examples of schedules, as far as they can be tried without cron, GitHub and Airflow."""

import re
import shlex
import sys
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from click.testing import CliRunner

from retention_kit.cli import main
from retention_kit.run.parameters import read_notebook
from retention_kit.run.schedules import EXAMPLES, example


def commands(text: str) -> list[list[str]]:
    """Return the calls of `retention-kit` in a text, a shell's own signs taken for a value."""
    lines = [line for line in text.splitlines() if "retention-kit " in line and not line.lstrip().startswith("#")]
    calls = [re.sub(r"\$\(date [^)]*\)|\{\{ ds \}\}", "2026-01-01", line) for line in lines]
    calls = [re.sub(r"\$\{\{ matrix.shard \}\}", "2", line) for line in calls]
    return [shlex.split(re.split(r"(?:^|[\s\"]|bin/)retention-kit ", line)[1].rstrip('",')) for line in calls]


def understands(call: list[str]) -> None:
    """Parse a call without carrying it out: an unknown command or option raises."""
    name, *options = call
    main.commands[name].make_context(name, options)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_call_in_an_example_is_one_that_the_command_understands(kind):
    found = commands(example(kind))
    assert found
    for call in found:
        understands(call)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_is_printed_as_it_is(kind):
    assert CliRunner().invoke(main, ["schedule", kind]).output == example(kind)


def test_a_line_of_cron_has_five_times_and_escapes_its_percent_signs():
    [line] = [line for line in example("cron").splitlines() if not line.startswith("#")]
    times, command = line.split(" ", 5)[:5], line.split(" ", 5)[5]
    assert all(re.fullmatch(r"\*|\d+", time) for time in times)
    assert "%" not in command.replace(r"\%", "")


def test_the_workflow_is_yaml_whose_shards_are_all_there_and_joined():
    workflow = yaml.safe_load(example("github"))
    shards = workflow["jobs"]["reports"]["strategy"]["matrix"]["shard"]
    runs = [step["run"] for step in workflow["jobs"]["reports"]["steps"] if "run" in step]
    assert shards == list(range(1, len(shards) + 1))
    assert f"/{len(shards)} " in runs[-1]
    assert workflow["jobs"]["index"]["needs"] == "reports"


def test_the_dag_runs_the_report_with_parameters_it_has_after_the_count(monkeypatch):
    tasks, order = {}, []

    class Operator:
        def __init__(self, **told) -> None:
            self.told = told
            tasks[told["task_id"]] = told

        def __rshift__(self, other) -> None:
            order.append((self.told["task_id"], other.told["task_id"]))

    def module(name: str, **content) -> None:
        made = ModuleType(name)
        made.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, made)

    for parent in ("airflow", "airflow.providers", "airflow.providers.papermill", "airflow.providers.standard"):
        module(parent)
    module("airflow.providers.papermill.operators")
    module("airflow.providers.standard.operators")
    module("airflow.providers.papermill.operators.papermill", PapermillOperator=Operator)
    module("airflow.providers.standard.operators.bash", BashOperator=Operator)
    module("airflow.sdk", dag=lambda **_: lambda function: function)
    module("pendulum", datetime=lambda *_: SimpleNamespace())
    exec(compile(example("airflow"), "airflow.py", "exec"), {"__name__": "dag"})
    from retention_kit.config import project_root

    declared = read_notebook(project_root() / "notebooks" / "market_report.ipynb").parameters
    reports = {name: told for name, told in tasks.items() if name != "count"}
    assert sorted(order) == sorted(("count", name) for name in reports)
    for told in reports.values():
        assert set(told["parameters"]) <= set(declared)
        assert told["input_nb"].endswith("notebooks/market_report.ipynb")

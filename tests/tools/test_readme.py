"""The README holds the metrics of today, and nothing else of it changes when they are written."""

import readme

from retention_kit.config import project_root
from retention_kit.metrics import METRICS


def test_the_metric_table_has_a_row_for_every_metric():
    assert len(readme.metric_table().splitlines()) == len(METRICS) + 2
    for metric in METRICS.values():
        assert f"| `{metric.name}` | {metric.unit} | {metric.definition} |" in readme.metric_table()
        assert "|" not in metric.definition


def test_the_table_is_written_between_its_marks_alone():
    text = "# A\n<!-- metrics -->\nold\n<!-- /metrics -->\nb\n"
    assert readme.with_metric_table(text) == text.replace("old", readme.metric_table())


def test_the_readme_is_as_make_readme_writes_it():
    text = (project_root() / "README.md").read_text(encoding="utf-8")
    assert readme.metric_table() in text
    assert readme.with_metric_table(text) == text, "run `make readme`"

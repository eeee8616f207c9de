"""Examples of how reports are made by themselves: by cron, GitHub Actions, Airflow."""

from importlib.resources import files

EXAMPLES = {"cron": "cron.txt", "github": "github.yml", "airflow": "airflow_dag.py"}
"""The file of each kind of schedule."""


def example(kind: str) -> str:
    """Return an example to be copied and changed: 'cron', 'github' or 'airflow'."""
    return (files(__package__) / EXAMPLES[kind]).read_text(encoding="utf-8")

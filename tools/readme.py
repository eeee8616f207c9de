"""The README's table of metrics, written between its two marks from what each metric says of itself.

python tools/readme.py
"""

import re

from retention_kit.config import project_root
from retention_kit.metrics import METRICS
from retention_kit.writing import write_whole

BETWEEN_MARKS = re.compile(r"(?<=<!-- metrics -->\n).*?(?=\n<!-- /metrics -->)", re.DOTALL)


def metric_table() -> str:
    """Return every metric of the kit as a Markdown table: name, unit, definition."""
    lines = ["| metric | unit | definition |", "|---|---|---|"]
    lines += [f"| `{metric.name}` | {metric.unit} | {metric.definition} |" for metric in METRICS.values()]
    return "\n".join(lines)


def with_metric_table(readme: str) -> str:
    """Return the README's text with the table of today between its marks."""
    return BETWEEN_MARKS.sub(lambda _: metric_table(), readme)


def main() -> None:
    """Write the README anew."""
    place = project_root() / "README.md"
    write_whole({place: with_metric_table(place.read_text(encoding="utf-8")).encode()})


if __name__ == "__main__":
    main()

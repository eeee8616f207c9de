"""The JSON schemas of a report's data and of a table, made from their types: `make schemas` writes them."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from retention_kit.present.exports import TableData
from retention_kit.present.report_data import GroupReport, MarketReport

SCHEMAS: dict[str, Any] = {"report": MarketReport | GroupReport, "table": TableData}
"""What has a schema in the package, `schemas/<name>.json`."""


class _Untitled(GenerateJsonSchema):
    """Without titles that only repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return no."""
        return False


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(name: str) -> dict[str, Any]:
    """Return the JSON schema of a report's data (`report`) or of a table (`table`), as its types have it now."""
    return {"$schema": _DIALECT, **TypeAdapter(SCHEMAS[name]).json_schema(schema_generator=_Untitled)}


def written(name: str) -> str:
    """Return a schema as its file in the package holds it."""
    return json.dumps(schema(name), ensure_ascii=False, indent=1) + "\n"


def file_of(name: str) -> Path:
    """Return the file of a published schema."""
    return Path(str(files("retention_kit"))) / "schemas" / f"{name}.json"


def main() -> None:
    """Write the schemas into the package."""
    for name in SCHEMAS:
        file_of(name).parent.mkdir(exist_ok=True)
        file_of(name).write_text(written(name), encoding="utf-8")
        print(f"schemas/{name}.json")


if __name__ == "__main__":
    main()

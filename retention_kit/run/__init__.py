"""Notebooks × markets × languages: each run in a fresh kernel, each report a page to be sent, and an index of them.

Names are imported when they are asked for: Papermill takes 1.8 s, and a worker imports it in its own way.
"""

import sys
from importlib import import_module
from typing import Any

# jsonschema, which nbformat imports, would compile a grammar of it: a second that no notebook needs
_NEEDLESS = "rfc3987_syntax"
if sys.modules.setdefault(_NEEDLESS, None) is None:
    import nbformat  # noqa: F401

    del sys.modules[_NEEDLESS]  # who wants it may import it

_HOMES = {
    "Notebook": "parameters",
    "Parameter": "parameters",
    "parsed": "parameters",
    "read_notebook": "parameters",
    "Run": "jobs",
    "in_languages": "jobs",
    "shard": "jobs",
    "unfinished": "jobs",
    "FORMATS": "exports",
    "asked_formats": "exports",
    "export": "exports",
    "Limits": "processes",
    "Pool": "processes",
    "progress_for": "progress",
    "Destination": "orchestration",
    "Scope": "orchestration",
    "report": "orchestration",
    "Execution": "reports",
    "InterruptedRunError": "reports",
    "LIMIT_SECONDS": "reports",
    "Result": "reports",
    "exit_code": "reports",
    "join": "reports",
    "pool_for": "reports",
    "run_reports": "reports",
    "share_of_memory": "reports",
    "write_index_of_all": "reports",
    "write_index": "index",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__

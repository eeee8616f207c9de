"""Notebooks times markets: each run in a fresh kernel, each report a page to be sent, and an index of them.

Names are imported when they are asked for: Papermill takes 1.8 s, and a worker imports it in its own way.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Notebook": "parameters",
    "Parameter": "parameters",
    "parsed": "parameters",
    "read_notebook": "parameters",
    "InterruptedRunError": "reports",
    "Result": "reports",
    "Run": "reports",
    "exit_code": "reports",
    "run_reports": "reports",
    "write_index": "index",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

"""What a fork server does before it forks: imports, as a kernel would, and what the first user would wait for."""

import ast
import builtins
import gc
import importlib
import sys
import warnings
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

KERNEL = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "matplotlib_inline",
    "zmq.eventloop.zmqstream",
)
"""What an IPython kernel imports before its first cell."""

KERNEL_ENTRY = "ipykernel.kernelapp:launch_new_instance"
"""What is asked for where a kernel is wanted, which says when it listens."""

FIRST_USES = ("pyarrow.parquet", "pyarrow.pandas_compat", "matplotlib.backends.backend_svg")
"""What pandas and matplotlib import when they are used for the first time."""

_OURS = "retention_kit."


def warm_up(modules: Iterable[str], *, prepare: Iterable[str]) -> None:
    """Import modules as a kernel would, and call functions; what cannot be imported fails in the cell that needs it.

    A module of the kit that has a function `warm_caches` does there once what its first user would wait for.

    Parameters
    ----------
    prepare : `module:function` of what is to be done once, not by each child.
    """
    # pandas asks it once, at import, whether it is in a notebook, and shows fewer columns if so
    builtins.get_ipython = lambda: SimpleNamespace(kernel=True)
    try:
        for name in (*KERNEL, *modules, *FIRST_USES):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    module = importlib.import_module(name)
                except Exception:
                    continue
                if name.startswith(_OURS) and hasattr(module, "warm_caches"):
                    module.warm_caches()
        if "pandas" in sys.modules:  # of a few hundred rows, texts are looked at faster as Python's own
            sys.modules["pandas"].set_option("mode.string_storage", "python")
        for entry in prepare:
            called(entry)
    finally:
        del builtins.get_ipython
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, what is shared with every child


def called(entry: str) -> Any:
    """Return what a function returns that is named `module:function`."""
    module, _, name = entry.partition(":")
    return getattr(importlib.import_module(module), name)()


def imported(cells: Iterable[str]) -> list[str]:
    """Return the modules that code cells import at their top level, in order; a cell that is not Python has none."""
    names: dict[str, None] = {}
    for cell in cells:
        try:
            statements = ast.parse(cell).body
        except SyntaxError:
            continue
        for statement in statements:
            if isinstance(statement, ast.Import):
                names |= dict.fromkeys(alias.name for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                # a name may be a module too: what is none is not imported
                names[statement.module] = None
                names |= dict.fromkeys(f"{statement.module}.{alias.name}" for alias in statement.names)
    return list(names)

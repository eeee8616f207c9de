"""Customer retention, market by market: open your orders, ask, and get tables that know themselves.

    import retention_kit as rk
    dk = rk.open("sample", as_of="2026-01-01").market("DK")
    dk.retention(grain="month").plot()

Engines count, Python divides, notebooks report. A name is imported when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retention_kit import run
    from retention_kit.errors import ConfigError, DataError, KitError, MetricError, UsageError
    from retention_kit.metrics import difference_of_shares, kaplan_meier, log_rank, metric, wilson
    from retention_kit.present.figures import house_style
    from retention_kit.run.orchestration import report
    from retention_kit.shop import Market, Segments, Shop, open
    from retention_kit.table import Column, Role, Table

_HOMES = {
    "open": "retention_kit.shop",
    "Shop": "retention_kit.shop",
    "Market": "retention_kit.shop",
    "Segments": "retention_kit.shop",
    "Table": "retention_kit.table",
    "Column": "retention_kit.table",
    "Role": "retention_kit.table",
    "metric": "retention_kit.metrics",
    "difference_of_shares": "retention_kit.metrics",
    "wilson": "retention_kit.metrics",
    "kaplan_meier": "retention_kit.metrics",
    "log_rank": "retention_kit.metrics",
    "house_style": "retention_kit.present.figures",
    "report": "retention_kit.run.orchestration",
    "run": "retention_kit.run",
    "KitError": "retention_kit.errors",
    "UsageError": "retention_kit.errors",
    "DataError": "retention_kit.errors",
    "MetricError": "retention_kit.errors",
    "ConfigError": "retention_kit.errors",
}
"""Where each public name lives."""

__all__ = [
    "Column",
    "ConfigError",
    "DataError",
    "KitError",
    "Market",
    "MetricError",
    "Role",
    "Segments",
    "Shop",
    "Table",
    "UsageError",
    "difference_of_shares",
    "house_style",
    "kaplan_meier",
    "log_rank",
    "metric",
    "open",
    "report",
    "run",
    "wilson",
]


def __getattr__(name: str) -> Any:
    """Return a public name, imported now; of an unknown one the error names the near miss."""
    if name == "__version__":
        from importlib.metadata import version

        return version("retention-kit")
    if name in _HOMES:
        home = import_module(_HOMES[name])
        value = home if home.__name__ == f"{__name__}.{name}" else getattr(home, name)
        globals()[name] = value
        return value
    from retention_kit.errors import near_miss

    near = near_miss(name, [*_HOMES])
    raise AttributeError(f"retention_kit has no '{name}'." + (f" Did you mean '{near}'?" if near else ""))


def __dir__() -> list[str]:
    """Return the public names."""
    return [*__all__, "__version__"]

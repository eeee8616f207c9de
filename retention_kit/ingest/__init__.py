"""Foreign exports become the kit's tables: read, mapped, checked, refused with reasons."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retention_kit.ingest.checking import CheckReport, check
    from retention_kit.ingest.convert import minor_digits
    from retention_kit.ingest.findings import Finding, Findings
    from retention_kit.ingest.loading import load
    from retention_kit.ingest.profile import Profile, TableProfile, read_profile
    from retention_kit.ingest.proposing import propose
    from retention_kit.ingest.sources import Source, declared_markets, observation_end, source

_PLACES = {
    "CheckReport": "checking",
    "Finding": "findings",
    "Findings": "findings",
    "Profile": "profile",
    "Source": "sources",
    "TableProfile": "profile",
    "check": "checking",
    "declared_markets": "sources",
    "load": "loading",
    "minor_digits": "convert",
    "observation_end": "sources",
    "propose": "proposing",
    "read_profile": "profile",
    "source": "sources",
}
"""The file of each public name, imported when the name is first used."""

__all__ = [
    "CheckReport",
    "Finding",
    "Findings",
    "Profile",
    "Source",
    "TableProfile",
    "check",
    "declared_markets",
    "load",
    "minor_digits",
    "observation_end",
    "propose",
    "read_profile",
    "source",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return globals()[name]

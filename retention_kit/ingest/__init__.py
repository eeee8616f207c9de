"""Foreign exports become the kit's tables: read, mapped, checked, refused with reasons."""

from retention_kit.ingest.checking import CheckReport, check
from retention_kit.ingest.convert import minor_digits
from retention_kit.ingest.findings import Finding, Findings
from retention_kit.ingest.loading import load
from retention_kit.ingest.profile import Profile, Source, TableProfile, declared_markets, read_profile, source
from retention_kit.ingest.propose import propose

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
    "propose",
    "read_profile",
    "source",
]

"""Foreign exports become the kit's tables: read, mapped, checked, refused with reasons."""

from retention_kit.ingest.convert import minor_digits
from retention_kit.ingest.findings import Finding, Findings
from retention_kit.ingest.loading import load
from retention_kit.ingest.profile import Profile, Source, TableProfile, read_profile, source

__all__ = [
    "Finding",
    "Findings",
    "Profile",
    "Source",
    "TableProfile",
    "load",
    "minor_digits",
    "read_profile",
    "source",
]

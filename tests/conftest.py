"""Shared by all tests: where real data lie, and the sample counted once."""

from pathlib import Path

import pytest

from retention_kit import counts, ingest
from retention_kit.config import project_root

SHARED = project_root().parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real and published data, which lies beside the project where it is had."""
    if not SHARED.is_dir():
        pytest.skip("no folder 'shared' beside the project: real and published data are read in place")
    return SHARED


@pytest.fixture(scope="session")
def sample_counts() -> counts.Counted:
    """Return the counts of the sample, as of its end, with a hold-out of half a year."""
    return counts.count(ingest.source("sample"), as_of="2026-01-01", grains=["month", "quarter"], holdout_weeks=26)

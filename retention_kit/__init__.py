"""Customer retention, market by market: engines count, Python divides, notebooks report."""

from importlib.metadata import version

__version__ = version("retention-kit")

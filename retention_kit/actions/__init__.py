"""What to do: who is leaving, what keeps customers, and whether a test worked."""

from retention_kit.actions.experiments import Readout, readout, sample_ratio_p

__all__ = ["Readout", "readout", "sample_ratio_p"]

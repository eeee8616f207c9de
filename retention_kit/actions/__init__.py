"""What to do: who is leaving, what keeps customers, and whether a test worked."""

from retention_kit.actions.experiments import (
    Readout,
    Trial,
    adjusted_by_history,
    holm,
    mean_difference,
    readout,
    sample_ratio_p,
    trial,
)
from retention_kit.actions.planning import Baseline, baseline, effect_for_size, plan, size_for_effect
from retention_kit.actions.pooling import Pooled, pooled, pooled_difference

__all__ = [
    "Baseline",
    "Pooled",
    "Readout",
    "Trial",
    "adjusted_by_history",
    "baseline",
    "effect_for_size",
    "holm",
    "mean_difference",
    "plan",
    "pooled",
    "pooled_difference",
    "readout",
    "sample_ratio_p",
    "size_for_effect",
    "trial",
]

"""What to do: who is leaving, what keeps customers, and whether a test worked."""

from retention_kit.actions.answers import Intention, intention, net_promoter_score
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
    "Intention",
    "Pooled",
    "Readout",
    "Trial",
    "adjusted_by_history",
    "baseline",
    "effect_for_size",
    "holm",
    "intention",
    "mean_difference",
    "net_promoter_score",
    "plan",
    "pooled",
    "pooled_difference",
    "readout",
    "sample_ratio_p",
    "size_for_effect",
    "trial",
]

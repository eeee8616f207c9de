"""What to do: who is leaving, what keeps customers, and whether a test worked."""

from retention_kit.actions.alerts import REASONS, Alerted, alert, watch_terms, write_alerts
from retention_kit.actions.answers import (
    Intention,
    ResponseBias,
    intention,
    intentions,
    leavers_and_stayers,
    net_promoter_score,
    response_bias,
)
from retention_kit.actions.churn import (
    Judged,
    at_risk,
    judged,
    lapse_predictions,
    lapse_probability,
    risk_then,
)
from retention_kit.actions.experiments import (
    Readout,
    Trial,
    adjusted_by_history,
    holm,
    mean_difference,
    readout,
    sample_ratio_p,
    trial,
    trials,
)
from retention_kit.actions.matching import e_value
from retention_kit.actions.planning import Baseline, baseline, effect_for_size, plan, size_for_effect
from retention_kit.actions.pooling import Pooled, pooled, pooled_difference
from retention_kit.actions.scorecard import STRATEGIES, balances, scorecard, with_local_payment
from retention_kit.actions.service import waits

__all__ = [
    "REASONS",
    "STRATEGIES",
    "Alerted",
    "Baseline",
    "Intention",
    "Judged",
    "Pooled",
    "Readout",
    "ResponseBias",
    "Trial",
    "adjusted_by_history",
    "alert",
    "at_risk",
    "balances",
    "baseline",
    "e_value",
    "effect_for_size",
    "holm",
    "intention",
    "intentions",
    "judged",
    "lapse_predictions",
    "lapse_probability",
    "leavers_and_stayers",
    "mean_difference",
    "net_promoter_score",
    "plan",
    "pooled",
    "pooled_difference",
    "readout",
    "response_bias",
    "risk_then",
    "sample_ratio_p",
    "scorecard",
    "size_for_effect",
    "trial",
    "trials",
    "waits",
    "watch_terms",
    "with_local_payment",
    "write_alerts",
]

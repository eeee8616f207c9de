"""Models of purchase and renewal, fitted on weighted counts; each cites its paper and reproduces its table."""

from retention_kit.models.sbg import ShiftedBetaGeometric, fit_sbg

__all__ = ["ShiftedBetaGeometric", "fit_sbg"]

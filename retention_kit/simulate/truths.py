"""What the simulated company was built with, exact and not estimated: each market's rates, each planted effect."""

from collections.abc import Mapping

import numpy as np

from retention_kit.simulate import lives
from retention_kit.simulate.lives import (
    EFFECTS,
    NEWCOMERS_FROM,
    NEWCOMERS_MARKET,
    OUTAGE_FACTOR,
    OUTAGE_MARKET,
    OUTAGE_MONTH,
)
from retention_kit.simulate.tables import History


def truth(past: History) -> dict[str, tuple[str, Mapping[str, object]]]:
    """Return what the company was built with: by section, its definition and its values."""
    seen = _Seen(past)
    sections = {f"markets.{code}": seen.market(code) for code in past.company.codes}
    names = {"member": "loyalty", "late": "late_delivery", "slow": "slow_support"}
    for treatment in EFFECTS:
        sections[f"effects.{names.get(treatment, treatment)}"] = seen.effect(treatment)
        sections[f"effects.{names.get(treatment, treatment)}.by_market"] = seen.effect_by_market(treatment)
    sections["effects.incentive"] = _incentive(past)
    sections["outage"] = _outage()
    sections["newcomers"] = seen.newcomers()
    sections["local_payment_methods"] = (
        "what counts as a local method in each market",
        {code: list(trade.local_methods) for code, trade in zip(past.company.codes, past.company.trades, strict=True)},
    )
    sections["habits"] = _habits()
    return sections


class _Seen:
    """The customers whose first 90 days are over, each with his exact chance of a second order day."""

    def __init__(self, past: History) -> None:
        self.past, self.customers = past, past.customers
        self.chance = lives.second_day_chance(past.customers, past.company)
        self.over = ~np.isnan(self.chance)
        self.home = past.customers["market"].to_numpy()

    def _in(self, code: str) -> np.ndarray:
        return self.home == self.past.company.codes.index(code)

    def market(self, code: str) -> tuple[str, Mapping[str, object]]:
        here = self._in(code)
        now = lives.behaviour(self.customers[here])
        return (
            f"{code}: averages over its customers, with all effects on them",
            {
                "customers": int(here.sum()),
                "purchase_rate_per_month": float(now["rate"].mean()),
                "leaving_hazard_per_month": float(now["hazard"].mean()),
                "one_time_share": float(now["one_time"].mean()),
                "second_order_day_within_90_days": float(self.chance[here & self.over].mean()),
                "n_observed_90_days": int((here & self.over).sum()),
            },
        )

    def _gains(self, treatment: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what the treatment adds to each one's chance, and for whom the question arose."""
        company = self.past.company
        given = lives.second_day_chance(self.customers.assign(**{treatment: np.int8(1)}), company)
        withheld = lives.second_day_chance(self.customers.assign(**{treatment: np.int8(0)}), company)
        return given - withheld, self.over & (self.customers[treatment] >= 0).to_numpy()

    def effect(self, treatment: str) -> tuple[str, Mapping[str, object]]:
        gain, asked = self._gains(treatment)
        got = asked & (self.customers[treatment] == 1).to_numpy()
        return (
            _DEFINITIONS[treatment],
            {
                "effect": float(gain[asked].mean()),
                "effect_on_treated": float(gain[got].mean()),
                "raw_difference": float(self.chance[got].mean() - self.chance[asked & ~got].mean()),
                "n": int(asked.sum()),
                "treated_share": float(got.sum() / asked.sum()),
            },
        )

    def effect_by_market(self, treatment: str) -> tuple[str, Mapping[str, object]]:
        gain, asked = self._gains(treatment)
        codes = self.past.company.codes
        return ("the same effect in each market", {c: float(gain[asked & self._in(c)].mean()) for c in codes})

    def newcomers(self) -> tuple[str, Mapping[str, object]]:
        here = self._in(NEWCOMERS_MARKET)
        new = (self.customers["first_day"] >= lives.day_number(NEWCOMERS_FROM)).to_numpy()
        one_time = lives.behaviour(self.customers)["one_time"].to_numpy()
        return (
            "new customers of this month and later are one-time buyers far more often; earlier ones are as before",
            {
                "market": NEWCOMERS_MARKET,
                "first_cohort": NEWCOMERS_FROM,
                "one_time_share_before": float(one_time[here & ~new].mean()),
                "one_time_share_from_then": float(one_time[here & new].mean()),
                "second_order_day_within_90_days_before": float(self.chance[here & ~new & self.over].mean()),
                "second_order_day_within_90_days_from_then": float(self.chance[here & new & self.over].mean()),
            },
        )


_DEFINITIONS = {
    "own_language": "first contact (ticket of kind 'onboarding') in the customer's own language, against another;"
    "\n# of customers with such a contact; random within market, acquisition channel"
    "\n# and whether his language is the market's main one",
    "local_payment": "first order paid by a local method (local_payment_methods below), against any other;"
    "\n# of all customers; random within market",
    "late": "first parcel delivered later than promised, against in time;\n# of all customers; random within market",
    "slow": "first question or complaint of the first 30 days answered after more than 24 hours,"
    "\n# against earlier; of customers with one; random within market",
    "member": "joining the loyalty programme within 30 days of the first order, against not;"
    "\n# of all customers; SELF-SELECTED: who buys often joins more often, so that raw_difference"
    "\n# is far above the effect",
}


def _incentive(past: History) -> tuple[str, Mapping[str, object]]:
    experiment = past.experiment
    return (
        "stay-2025: being offered the incentive, on P(kept order within 60 days of assigned_at); randomised",
        {
            "experiment": lives.EXPERIMENT,
            "effect": experiment.effect,
            "ordered_anyway": float(experiment.assigned["ordered_anyway"].mean()),
            "n": len(experiment.assigned),
            "treated_share_planned": 0.5,
            "markets": list(lives.EXPERIMENT_MARKETS),
        },
    )


def _outage() -> tuple[str, Mapping[str, object]]:
    return (
        "in this month all cohorts' orders, first ones too, are this share of what they would be",
        {"market": OUTAGE_MARKET, "month": OUTAGE_MONTH, "orders_factor": OUTAGE_FACTOR},
    )


def _habits() -> tuple[str, Mapping[str, object]]:
    return (
        "shares of orders undone or split in two on their day, and of those who left how many come back",
        {
            "cancelled_share": lives.CANCELLED_SHARE,
            "refunded_share": lives.REFUNDED_SHARE,
            "first_order_refunded_share": lives.FIRST_REFUNDED_SHARE,
            "partly_refunded_share": lives.PARTLY_REFUNDED_SHARE,
            "split_share": lives.SPLIT_SHARE,
            "coming_back_share": lives.RETURNING_SHARE,
            "shortest_pause_days": lives.SHORTEST_PAUSE,
        },
    )


_TRUTH_HEAD = """\
# What the simulated company was built with, seed {seed}. Written by `retention-kit sample`.
#
# second_order_day_within_90_days: probability of a kept order on a later local day, 1 to 90 days after
# the first one; average over the customers whose 90 days lie before 2026-01-01. Exact from each one's
# rate, hazard, one-time probability and the season, not estimated from the data.
# Rates and hazards are per 30.4375 days, at the season's average.
# effect: average over the customers concerned of that probability with the treatment minus the same
# without it, all else as it was. effect_on_treated: over those who got it. raw_difference: average of
# that probability over those who got it minus over the others, all markets together.
# One first order in a hundred is wholly refunded: that customer's first kept order is a later one, if any.
"""


def as_toml(sections: Mapping[str, tuple[str, Mapping[str, object]]], *, seed: int) -> str:
    """Return the truths as TOML, each section under a comment that defines it; numbers to six decimals."""
    lines = [
        _TRUTH_HEAD.format(seed=seed),
        'as_of = "2026-01-01"',
        'first_day = "2023-07-01"',
        f"seed = {seed}",
    ]
    for name, (definition, values) in sections.items():
        lines += ["", f"# {definition}", f"[{name}]"]
        lines += [f"{key} = {_toml_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, float):
        return f"{value:.6f}"
    return f'"{value}"' if isinstance(value, str) else str(value)

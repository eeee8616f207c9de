"""The list of a team: pseudonyms only, for its owner only, and nobody twice within some days unless he got worse."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from retention_kit.config import Market
from retention_kit.errors import DataError, UsageError
from retention_kit.messages import N_
from retention_kit.periods import as_of_instant, date_of
from retention_kit.writing import write_whole

REASONS = {
    "silent": N_("silent for longer than twice the usual"),
    "smaller": N_("last basket less than half the usual"),
    "quieter": N_("visits and opens fell by half"),
    "unhappy": N_("complained, or gave a low score"),
    "trouble": N_("slow, unresolved or repeated service contacts"),
}
"""What each column of `counts.watch_counts` says, in words."""
_STEPS = {
    "trouble": N_("solve the open case first, then call"),
    "unhappy": N_("answer the complaint personally"),
    "quieter": N_("write in the customer's own language about what is new"),
    "smaller": N_("recommend what goes with the last order"),
    "silent": N_("remind, with what was bought before"),
}
"""The next step that each reason suggests; the first one that holds is taken."""
_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class Alerted:
    """How many customers a list holds, how many of them were on it before, and how many it spares.

    `place`: 'files', of pseudonyms, or 'table', of the engine's own.
    """

    n_listed: int
    n_again: int
    n_spared: int
    value: float
    saved: float
    place: str = "files"


def write_alerts(
    listed: pd.DataFrame,
    *,
    folder: Path,
    market: str,
    as_of_day: int,
    minor_per_unit: int,
    capacity: int,
    again_after_days: int = 30,
    worse_by: float = 0.1,
) -> Alerted:
    """Write a market's list as CSV and Parquet, and remember whom it names; running it again changes nothing.

    Who was alerted is not alerted again within some days, unless his risk has risen by `worse_by`.

    Parameters
    ----------
    listed : from `counts.watch.watch_list`: `alert_id`, `lapse` in millionths, `value_minor`,
        `saved_minor`, the reasons; most expected saved value first.
    folder : made, for its owner only, where it is not there; the files are `<market>.csv`, `<market>.parquet`.
    as_of_day : first day not observed, since 1970-01-01.
    capacity : at the most so many are listed.

    Raises
    ------
    UsageError : days or a capacity below 0.
    DataError : the file of earlier alerts cannot be read.
    """
    if again_after_days < 0:
        raise UsageError("Days between alerts are at least 0.", found=f"{again_after_days}", to_try="30")
    if capacity < 0:
        raise UsageError("A team's capacity is at least 0.", found=f"{capacity}", to_try="100")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    memory = folder / f".{market}.alerted.json"
    known = _remembered(memory)
    risk = listed["lapse"] / 1e6
    spared = [
        _is_spared(known.get(alert), risk=now, day=as_of_day, after=again_after_days, worse_by=worse_by)
        for alert, now in zip(listed["alert_id"], risk, strict=True)
    ]
    kept = listed[[not spare for spare in spared]].head(capacity)
    again = sum(alert in known and known[alert]["day"] < as_of_day for alert in kept["alert_id"])
    table = _worded(kept, as_of_day=as_of_day, minor_per_unit=minor_per_unit)
    parquet = io.BytesIO()
    table.to_parquet(parquet, index=False)
    for alert, lapse in zip(kept["alert_id"], kept["lapse"], strict=True):
        if known.get(alert, {"day": -1})["day"] < as_of_day:
            known[alert] = {"day": as_of_day, "risk": round(lapse / 1e6, 6)}
    files = {
        folder / f"{market}.csv": table.to_csv(index=False, lineterminator="\n").encode(),
        folder / f"{market}.parquet": parquet.getvalue(),
        memory: json.dumps(known, sort_keys=True).encode(),
    }
    write_whole(files, mode=_OWNER_ONLY)
    value, saved = (kept[column].sum() / minor_per_unit for column in ("value_minor", "saved_minor"))
    return Alerted(len(kept), again, sum(spared), float(value), float(saved))


def _worded(kept: pd.DataFrame, *, as_of_day: int, minor_per_unit: int) -> pd.DataFrame:
    reasons = [[column for column in REASONS if row[column] == 1] for row in kept.to_dict("records")]
    return pd.DataFrame(
        {
            "alert_id": kept["alert_id"],
            "as_of": date_of(as_of_day).isoformat(),
            "risk": (kept["lapse"] / 1e6).round(3),
            "reasons": ["; ".join(REASONS[r] for r in own) or N_("the model alone: no single sign") for own in reasons],
            "value_at_stake": kept["value_minor"] / minor_per_unit,
            "expected_saved_value": kept["saved_minor"] / minor_per_unit,
            "offer": ["yes" if offer else "no" for offer in kept["chosen"]],
            "next_step": [
                next((_STEPS[r] for r in _STEPS if r in own), N_("watch for another week")) for own in reasons
            ],
        }
    )


def _is_spared(before: Mapping[str, float] | None, *, risk: float, day: int, after: int, worse_by: float) -> bool:
    if before is None or before["day"] == day:  # the same run again lists the same
        return False
    return 0 < day - before["day"] < after and risk < before["risk"] + worse_by


def _remembered(path: Path) -> dict[str, dict[str, float]]:
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(
            f"The record of earlier alerts, '{path.name}', cannot be read.",
            to_try="restore it, or delete it: then everybody may be alerted again",
        ) from None


def watch_terms(markets: Mapping[str, Market], *, effect: float, offer_cost: float) -> dict[str, dict[str, float]]:
    """Return by market what `counts.watch.watch_counts` ranks by; without a declared margin, revenue is taken for it.

    Parameters
    ----------
    effect : share of lapses that an offer averts, from 0 to 1.
    offer_cost : of an offer to one customer, in each market's own currency.

    Raises
    ------
    UsageError : an effect that is no share, a cost below 0.
    """
    if not 0 <= effect <= 1:
        raise UsageError("An effect is the share of lapses that are averted.", found=f"{effect:g}", to_try="0.08")
    if not offer_cost >= 0:
        raise UsageError("An offer costs at least 0.", found=f"{offer_cost:g}", to_try="2.0")
    return {
        code: {
            "margin": 1.0 if market.gross_margin is None else market.gross_margin,
            "effect": effect,
            "cost_minor": round(offer_cost * market.minor_per_unit),
        }
        for code, market in markets.items()
    }


def alert(
    listed: pd.DataFrame | None,
    kept: pd.DataFrame | None,
    *,
    folder: Path,
    market: Market,
    as_of: str,
    capacity: int,
    again_after_days: int,
) -> Alerted | None:
    """Write a market's list, as `write_alerts`; without a key for pseudonyms, tell of the one that the engine keeps.

    Parameters
    ----------
    listed, kept : from `counts.watch.watched`.

    Returns
    -------
    None where there is neither.
    """
    if listed is None:
        if kept is None:
            return None
        row = kept.iloc[0]
        value, saved = (float(row[column]) / market.minor_per_unit for column in ("value_minor", "saved_minor"))
        return Alerted(int(row["n_listed"]), int(row["n_again"]), int(row["n_spared"]), value, saved, "table")
    return write_alerts(
        listed,
        folder=folder,
        market=market.code,
        as_of_day=as_of_instant(as_of, zone=market.zone)[1],
        minor_per_unit=market.minor_per_unit,
        capacity=capacity,
        again_after_days=again_after_days,
    )

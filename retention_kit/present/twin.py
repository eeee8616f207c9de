"""The report's machine-readable twin: every headline and table as JSON, the same numbers as on the page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from retention_kit import __version__
from retention_kit.config import GROUP
from retention_kit.metrics import Sheet
from retention_kit.metrics.group import GroupSheet
from retention_kit.periods import label
from retention_kit.present import formats, headlines
from retention_kit.present.sentences import group_sentences, sentences
from retention_kit.present.tables import Shown, table
from retention_kit.writing import write_whole

FORMAT = 1


def twin(sheet: Sheet, *, data: str, data_fingerprint: str, findings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the twin of a sheet as plain values; absent and hidden numbers are None."""
    return {
        "format": FORMAT,
        "market": sheet.market.code,
        "name": sheet.market.name,
        "currency": sheet.market.currency if "revenue" in sheet.headlines else None,
        **_told_of_both(sheet, data=data, data_fingerprint=data_fingerprint),
        "in_short": sentences(sheet),
        "changed": _read(sheet),
        "tables": {name: _rows(rows) for name, rows in sheet.tables.items()},
        "findings": list(findings),
        "settings": {
            "refund_policy": sheet.refund_policy,
            "activity_window_days": sheet.market.activity_window_days,
        },
        "restated": [],
    }


def _told_of_both(sheet: Sheet | GroupSheet, *, data: str, data_fingerprint: str) -> dict[str, Any]:
    """Return what the twin of a market and that of the group both tell: of what they are, and their headlines."""
    return {
        "as_of": sheet.as_of,
        "grain": sheet.grain,
        "base_grain": sheet.base_grain,
        "min_cell": sheet.min_cell,
        "data": data,
        "data_fingerprint": data_fingerprint,
        "kit_version": __version__,
        "headlines": [
            h.to_dict() | {"shown": headlines.shown(h), "shown_interval": headlines.interval(h)}
            for h in sheet.headlines.values()
        ],
    }


def publish(
    sheet: Sheet,
    *,
    data: str,
    data_fingerprint: str,
    findings: Sequence[dict[str, Any]],
    to: str = "",
    restated: pd.DataFrame | None = None,
) -> Shown:
    """Write the twin to a file, where one is named, and return where the numbers come from.

    Parameters
    ----------
    to : the file; empty writes nothing.
    restated : what moved since the last report, from `restatement.restated`; told in the file where given.
    """
    if to:
        told = twin(sheet, data=data, data_fingerprint=data_fingerprint, findings=findings)
        told["restated"] = [] if restated is None else _rows(restated)
        write_whole({Path(to): to_json(told).encode()})
    facts = {
        "Market": f"{sheet.market.name} ({sheet.market.code})",
        "Data": data,
        "Observed before": formats.day(sheet.as_of) if len(sheet.as_of) == 10 else sheet.as_of,
        "Currency": sheet.market.currency,
        "Time zone": sheet.market.time_zone,
        "Smallest group shown": f"{sheet.min_cell} customers",
        "retention_kit": __version__,
    }
    return _provenance(facts)


def group_twin(
    sheet: GroupSheet, *, data: str, data_fingerprint: str, findings: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the twin of the group's sheet as plain values; `headlines` are those no small market can be had from."""
    return {
        "format": FORMAT,
        "market": GROUP,
        "name": "All markets",
        "currency": sheet.currency,
        **_told_of_both(sheet, data=data, data_fingerprint=data_fingerprint),
        "in_short": group_sentences(sheet),
        "hidden_markets": list(sheet.hidden),
        "tables": {name: _rows(rows) for name, rows in sheet.tables.items()},
        "findings": list(findings),
    }


def publish_group(
    sheet: GroupSheet, *, data: str, data_fingerprint: str, findings: Sequence[dict[str, Any]], to: str = ""
) -> Shown:
    """Write the group's twin to a file, where one is named, and return where the numbers come from."""
    if to:
        text = to_json(group_twin(sheet, data=data, data_fingerprint=data_fingerprint, findings=findings))
        write_whole({Path(to): text.encode()})
    facts = {
        "Markets": ", ".join(sheet.names.values()),
        "Too small to show": ", ".join(sheet.hidden) or "none",
        "Data": data,
        "Observed before": formats.day(sheet.as_of) if len(sheet.as_of) == 10 else sheet.as_of,
        "Currency of the group": sheet.currency or "none",
        "Smallest group shown": f"{sheet.min_cell} customers",
        "retention_kit": __version__,
    }
    return _provenance(facts)


def _provenance(facts: dict[str, str]) -> Shown:
    frame = pd.DataFrame({"Fact": facts.keys(), "Value": facts.values()})
    return table(frame, name="provenance", caption="Where these numbers come from", left=["Fact", "Value"])


def _read(sheet: Sheet) -> dict[str, Any]:
    """Return where retention changed, as plain values."""
    reading = sheet.reading
    is_period = reading.kind in ("period", "cohorts")
    at = label(reading.at, grain=sheet.grain) if is_period else reading.at
    ends = {name: None if pd.isna(getattr(reading, name)) else getattr(reading, name) for name in ("lower", "upper")}
    return {"kind": reading.kind, "at": at, "ratio": reading.ratio, **ends, "p": reading.p}


def to_json(values: dict[str, Any]) -> str:
    """Return JSON that any reader takes: no NaN, UTF-8, one trailing newline."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(rows.to_json(orient="records", double_precision=15))

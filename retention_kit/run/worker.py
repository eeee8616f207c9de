"""One run in a process of its own: a job on standard input, page, twin and result in the job's folder.

Started by `retention_kit.run.reports` as `python -m retention_kit.run.worker`; it ends with its parent.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from retention_kit.errors import KitError
from retention_kit.present.languages import language_of
from retention_kit.run.display import LANGUAGE_VARIABLE
from retention_kit.run.execution import RunError, executed
from retention_kit.run.page import details, page, provenance
from retention_kit.run.processes import FAILED, Outcome

if TYPE_CHECKING:
    from retention_kit.run.jobs import Job


def main() -> None:
    """Carry out the job on standard input, and leave what came of it as `result.json`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    job: Job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = Path(job["folder"])
    try:
        carry_out(job, folder=folder)
        result: Outcome = {"reason": "", "advice": ""}
    except KitError as why:
        reason, _, advice = str(why).partition("\n")
        result = {"reason": reason, "advice": advice}
    except Exception as why:
        result = {"reason": f"The page could not be made: {type(why).__name__}.", "advice": ""}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def carry_out(job: "Job", *, folder: Path) -> None:
    """Run the job's notebook, and leave `page.html`, and `twin.json` where the notebook writes one."""
    node = nbformat.from_dict(json.loads((folder / "notebook.json").read_text(encoding="utf-8")))
    parameters = dict(job["parameters"])
    twin_file = folder / "twin.json"
    if job["twin"]:
        parameters["twin"] = str(twin_file)
    language = language_of(job["language"]).code
    os.environ[LANGUAGE_VARIABLE] = language
    begun = time.monotonic()
    ran = executed(node, parameters, keep_failed=str(folder / FAILED))
    seconds = time.monotonic() - begun
    twin = _twin(twin_file, market=job["parameters"]["market"]) if job["twin"] else {}
    made_of = {
        **job["made_of"],
        **{key: twin[key] for key in ("data", "as_of", "kit_version", "data_fingerprint") if key in twin},
    }
    html = page(
        ran,
        market=job["market"],
        name=job["name"],
        language=language,
        footer=provenance(made_of),
        details=details(made_of, seconds=seconds, language=language),
        data=made_of.get("data", ""),
        others={code: file for code, file in job["pages"].items() if file != f"{job['stem']}.html"},
    )
    (folder / "page.html").write_text(html, encoding="utf-8")


def _twin(path: Path, *, market: str) -> Mapping[str, Any]:
    """Return the twin the notebook wrote, if it is one, and this market's."""
    try:
        twin = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except FileNotFoundError as why:
        raise RunError(
            "The notebook has a parameter 'twin' but wrote no file there.",
            to_try="write the twin in its last cell, or remove the parameter",
        ) from why
    except ValueError as why:
        raise RunError("The twin that the notebook wrote is not JSON.") from why
    if not isinstance(twin, dict) or twin.get("market", market) != market:
        raise RunError(f"The twin that the notebook wrote is not of market '{market}'.")
    return twin


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _end_with_parent() -> None:
    """Wait until the parent's end of standard input closes, then end as if told to."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()

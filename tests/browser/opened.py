"""Which pages are opened, how they are made, and what a page is when it is open."""

from functools import cached_property
from pathlib import Path
from typing import Any

from retention_kit import run
from retention_kit.config import project_root, read_markets

NOTEBOOKS = {
    "group": ("group_report", "ALL"),
    "value": ("value", "NL"),
    "churn": ("churn_watch", "DK"),
    "experiment": ("experiment_readout", "NL"),
    "explore": ("explore", "RO"),
}
REPORTS = {"en": "US", "nl": "NL", "da": "DK", "ro": "RO", "zh-Hans": "CN", "de": "DE", "ja": "JP", "pt-BR": "BR"}
"""The market whose report is opened, by language."""

TURNED = {"ar": "NL"}
"""The same for what is written from right to left."""

PAGES = ["index", *(f"report-{language}" for language in [*REPORTS, *TURNED]), *NOTEBOOKS]
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


def made_reports(folder: Path) -> dict[str, Path]:
    """Make every page of `PAGES` by the kit, on the sample; return their files."""
    root = project_root()
    names = {code: market.name for code, market in read_markets(root / "data" / "markets.toml").items()}
    asked = [("market_report", folder, {f"report-{code}": (market, code) for code, market in REPORTS.items()})]
    asked += [("market_report", folder / code, {f"report-{code}": (market, code)}) for code, market in TURNED.items()]
    for name, (notebook, market) in NOTEBOOKS.items():
        asked.append((notebook, folder if name == "group" else folder / name, {name: (market, "en")}))
    files = {}
    with run.pool_for(run.read_notebook(root / "notebooks" / "market_report.ipynb"), say=lambda _: None) as pool:
        for notebook, out, pages in asked:
            runs = [run.Run(code, names.get(code, "All markets"), language=spoken) for code, spoken in pages.values()]
            two = run.Execution(workers=2, pool=pool)
            results = run.run_reports(root / "notebooks" / f"{notebook}.ipynb", runs, out=out, execution=two)
            assert [result.reason for result in results] == [""] * len(results)
            files |= {name: result.report for name, result in zip(pages, results, strict=True)}
    return files | {"index": folder / "index.html"}


class Opened:
    """A page in the browser: what it asked for, what it said on the console, what axe finds."""

    def __init__(self, context: Any, path: Path) -> None:
        self.path = path
        self.requests: list[str] = []
        self.said: list[str] = []
        self.tab = context.new_page()
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.goto(path.as_uri())

    @cached_property
    def html(self) -> str:
        """The file's text."""
        return self.path.read_text(encoding="utf-8")

    def at(self, size: dict[str, int], *, scheme: str = "light") -> Any:
        """Return the tab at a size, in light or dark."""
        if self.tab.viewport_size != size:
            self.tab.set_viewport_size(size)
        self.tab.emulate_media(color_scheme=scheme, media="screen")
        return self.tab

    def found_by(self, axe: str, *, rules: list[str] | None = None) -> list[str]:
        """Return what axe finds in the page as it is: rule, help and the first elements."""
        if not self.tab.evaluate("typeof window.axe === 'object'"):
            self.tab.evaluate(axe)
        only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": STANDARDS}
        told = self.tab.evaluate("only => axe.run(document, {runOnly: only, resultTypes: ['violations']})", only)
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
            for one in told["violations"]
        ]


STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

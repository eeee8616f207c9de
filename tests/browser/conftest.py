"""The kit's reports of the sample, made once, and one browser that opens them all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from opened import PAGES, Opened, made_reports

from retention_kit.errors import UsageError

REQUIRED = os.environ.get("RETENTION_KIT_BROWSER") == "required"
"""Whether what is missing fails the tests, as in CI, instead of skipping them."""


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """Return a browser; skip, with the reason, where there is none."""
    from retention_kit.run import browser

    try:
        with browser.browser() as started:
            yield started
    except UsageError as why:
        if REQUIRED:
            raise
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def axe() -> str:
    """Return axe-core; skip where it is not installed."""
    try:
        import axe_playwright_python
    except ImportError:
        if REQUIRED:
            raise
        pytest.skip("no axe-core: python -m pip install 'retention-kit[browser]'")
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def reports(chromium, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the file of each page, by its name in `PAGES`; made after there is a browser to show them."""
    del chromium
    return made_reports(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="session")
def opened(chromium, reports: dict[str, Path]) -> Iterator[dict[str, Opened]]:
    """Return each page as it is open in the browser, with what it asked for and said."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True, bypass_csp=False)
    yield {name: Opened(context, path) for name, path in reports.items()}
    context.close()


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, opened: dict[str, Opened]) -> Opened:
    """Return one page after the other."""
    return opened[request.param]

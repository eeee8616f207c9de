"""Chromium, where this machine has one: it prints pages as PDF, tagged, with an outline."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retention_kit.errors import KitError, UsageError, listed, shown

VARIABLE = "RETENTION_KIT_CHROMIUM"
"""The environment variable that names the program, where it is none of `NAMES`."""

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "msedge")
"""What the program is called, here and there."""

MARGINS = {"top": "16mm", "bottom": "16mm", "left": "14mm", "right": "14mm"}
"""Of a printed page."""


def program() -> str:
    """Return the path of the browser's program.

    Raises
    ------
    UsageError : there is none, or what the variable names is none.
    """
    named = os.environ.get(VARIABLE)
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    raise UsageError(
        "There is no Chromium, which prints reports as PDF.",
        found=f"{VARIABLE} is '{shown(named)}'" if named else f"none of {listed(NAMES)}",
        to_try=f"apt-get install chromium, or its program in {VARIABLE}",
    )


@contextmanager
def browser() -> Iterator[Any]:
    """Yield a browser of Playwright's that asks nobody for anything; it ends with the context.

    Raises
    ------
    UsageError : the package or the program is missing.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as why:
        raise UsageError(
            "Reports are printed as PDF by the package 'playwright'.",
            found="it is not installed",
            to_try="python -m pip install 'retention-kit[pdf]'",
        ) from why
    path = program()
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        try:
            # Chromium's sandbox refuses to run as root; the pages are our own, and offline
            started = playwright.chromium.launch(executable_path=path, chromium_sandbox=not as_root)
        except Error as why:
            raise UsageError(
                "Chromium does not start.",
                found=shown(path, most=80),
                to_try="the same program by hand with --headless; on a server it may lack rights or libraries",
            ) from why
        try:
            yield started
        finally:
            started.close()


def can_print() -> None:
    """Check that pages can be printed, before any report is made.

    Raises
    ------
    UsageError : the package or the program is missing.
    """
    with browser():
        pass


def printed(pages: Iterable[Path]) -> dict[Path, bytes]:
    """Return pages as PDF: A4, tagged for who cannot see it, its sections as an outline; nothing is asked of a network.

    Parameters
    ----------
    pages : HTML files, by their absolute paths.

    Raises
    ------
    UsageError : the package or the program is missing.
    KitError : a page could not be printed.
    """
    with browser() as started:
        return printed_by(started, pages)


def printed_by(started: Any, pages: Iterable[Path]) -> dict[Path, bytes]:
    """Return pages as PDF, printed by a browser that is there; all else as of `printed`."""
    from playwright.sync_api import Error

    found, tab = {}, started.new_context(offline=True, java_script_enabled=False).new_page()
    for page in pages:
        try:
            tab.goto(page.as_uri())
            found[page] = tab.pdf(format="A4", margin=MARGINS, print_background=True, tagged=True, outline=True)
        except Error as why:
            raise KitError(
                f"'{page.name}' could not be printed.", to_try="open it in a browser and print it from there"
            ) from why
    return found

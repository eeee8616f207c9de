"""Chromium, where this machine has one: it prints pages as PDF, tagged, with an outline."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retention_kit.errors import KitError, UsageError, listed, shown

VARIABLE = "RETENTION_KIT_CHROMIUM"
"""The environment variable that names the program, where it is none of `NAMES`."""

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "msedge")
"""What the program is called, here and there."""

_MARGINS = {"top": "16mm", "bottom": "16mm", "left": "14mm", "right": "14mm"}


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


def print_pages(pages: Mapping[Path, Path]) -> None:
    """Print pages as PDF: A4, tagged for who cannot see it, its sections as an outline; nothing is asked of a network.

    Parameters
    ----------
    pages : the PDF to write, by the page's HTML file; both absolute.

    Raises
    ------
    UsageError : the package or the program is missing.
    KitError : a page could not be printed.
    """
    from playwright.sync_api import Error

    with browser() as started:
        context = started.new_context(offline=True, java_script_enabled=False)
        for source, target in pages.items():
            tab = context.new_page()
            try:
                tab.goto(source.as_uri())
                tab.pdf(path=target, format="A4", margin=_MARGINS, print_background=True, tagged=True, outline=True)
            except Error as why:
                raise KitError(
                    f"'{source.name}' could not be printed.", to_try="open it in a browser and print it from there"
                ) from why
            finally:
                tab.close()

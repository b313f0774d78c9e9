"""``--open``: shows a page in the browser of the person who wrote it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from salescli.cli.output.terminal import say
from salescli.errors import BadUsage


def check_can_open(format: str, file: Path | None) -> None:
    """Raise BadUsage, before anything is written, if ``--open`` has no page to show, or nowhere to show it."""
    if format != "html" or file is None or str(file) == "-":
        raise BadUsage("--open shows a page; name its file with --html FILE")
    if "SUDO_UID" in os.environ:  # the browser would run with the permissions of the other account
        raise BadUsage("--open does not work through sudo; leave it out, and open the file in your own browser")
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise BadUsage("--open needs a screen, and there is no DISPLAY here; leave it out, and open the file elsewhere")


def show(file: Path) -> None:
    """Show a page in the browser ($BROWSER, xdg-open, or the system's own), or say where it is."""
    import webbrowser  # see docs/start.md

    if not webbrowser.open(file.resolve().as_uri()):
        say(f"no browser could be started; the page is in {file}")

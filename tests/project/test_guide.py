"""The guide: each page's commands are run in order in a fresh folder, and print what the page says.

`.venv/bin/python scripts/readme` writes what they print now.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from salescli.cli.commands import help as help_pages
from tests import PROJECT

GUIDE = sorted((PROJECT / "salescli" / "docs" / "guide").glob("*.md"))


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_the_commands_of_a_page_print_what_it_says(page: Path) -> None:
    command = [sys.executable, str(PROJECT / "scripts" / "readme"), "--check", str(page)]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_a_page_begins_with_a_database_of_its_own(page: Path) -> None:
    commands = re.findall(r"^\$ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert commands[0] == "export SALESCLI_DB=sales.db"
    assert "salescli init --time-zone Europe/Kyiv --currency EUR" in commands


def test_help_lists_the_guide_in_the_order_in_which_it_is_read() -> None:
    assert sorted(help_pages.GUIDE) == [page.stem for page in GUIDE]

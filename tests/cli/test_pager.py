"""What is taller than the terminal opens in a pager; a pipe, a short table and whoever wants none get none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from salescli.cli.output import pager
from tests.story import Story

_TALL = 45  # lines; the terminal of a test has 40


@pytest.fixture
def tall(story: Story) -> Story:
    """A house with more customers than lines on a terminal."""
    for number in range(_TALL):
        story.house.customer(f"Покупець {number:02}")
    return story


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what a pager of its own leaves a trace in; it shows what it reads."""
    trace = tmp_path / "trace"
    monkeypatch.setenv("PAGER", f"sh -c 'echo paged > {trace}; cat'")
    return trace


def test_a_table_taller_than_the_terminal_opens_in_the_pager(tall: Story, trace: Path) -> None:
    shown = tall.house.run.typed("customers", "list", columns=60)
    assert trace.read_text() == "paged\n"
    assert (len(re.findall("Покупець", shown)), shown.splitlines()[0].split()[:2]) == (_TALL, ["customer", "name"])


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("customers", "list", "--limit", "5"), id="a short table"),
        pytest.param(("customers", "list", "--no-pager"), id="whoever wants none"),
        pytest.param(("customers", "list", "--csv"), id="what a program reads"),
    ],
)
def test_no_pager_opens_for(words: tuple[str, ...], tall: Story, trace: Path) -> None:
    assert "Покупець" in tall.house.run.typed(*words)
    assert not trace.exists()


def test_a_pipe_gets_no_pager(tall: Story, trace: Path) -> None:
    assert tall.house.run("customers", "list", "--limit", "0").out.count("Покупець") == _TALL
    assert not trace.exists()


def test_the_table_is_shown_where_there_is_no_such_pager(tall: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "no-such-program --at-all")
    assert tall.house.run.typed("customers", "list").count("Покупець") == _TALL


def test_a_pager_that_is_closed_early_is_no_error(tall: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "head -n 3")
    assert tall.house.run.typed("customers", "list").count("Покупець") == 1


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        pytest.param({}, ["less", "-FRSX"], id="less, which ends by itself where it need not wait"),
        pytest.param({"PAGER": "most -s"}, ["most", "-s"], id="a person's own"),
        pytest.param({"PAGER": ""}, [], id="none"),
        pytest.param({"PAGER": "cat"}, [], id="what pages nothing"),
        pytest.param({"TERM": "dumb"}, [], id="a terminal that cannot move its cursor"),
        pytest.param({"SUDO_UID": "1000"}, [], id="through sudo, where a pager would be a shell"),
    ],
)
def test_which_pager(environment: dict[str, str], words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGER")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert pager._command() == words

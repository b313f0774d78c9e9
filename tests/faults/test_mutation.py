"""The tool that changes the package by rule: what it changes, and that it tells a caught change from a survivor."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import PROJECT
from tests.faults import mutation
from tests.faults.mutation import Mutation, Reach

SOURCE = '''
LIMIT = 3  # of ten
def rule(a: int = 1, b: bool = False) -> bool:
    """Return 1."""
    if not a or a <= LIMIT and b:
        raise ValueError("no")
    note(a)
    run("SELECT 1 FROM t WHERE a >= 1")
    return a in (1,)
'''


def test_every_kind_of_mistake_is_made() -> None:
    finder = mutation._Finder("rules/x.py", SOURCE)
    finder.visit(ast.parse(SOURCE))
    assert [one.became for one in finder.found] == [
        "LIMIT = 4  # of ten",
        "def rule(a: int = 2, b: bool = False) -> bool:",
        "def rule(a: int = 1, b: bool = True) -> bool:",
        "if not a and a <= LIMIT and b:",
        "if (a) or a <= LIMIT and b:",
        "if not a or a <= LIMIT or b:",
        "if not a or a < LIMIT and b:",
        "pass",
        "pass",
        "pass",
        'run("SELECT 1 FROM t WHERE a > 1")',
        "return None",
        "return a not in (1,)",
        "return a in (2,)",
    ]


def test_every_change_of_the_package_is_a_program() -> None:
    sources: dict[str, str] = {}
    for one in mutation.mutations(list(mutation.ROOMS))[::20]:
        source = sources.setdefault(one.file, (PROJECT / "salescli" / one.file).read_text(encoding="utf-8"))
        ast.parse(source[: one.start] + one.text + source[one.end :])


def test_a_change_is_caught_by_a_test_that_runs_its_line_and_else_survives() -> None:
    test = "tests/rules/test_numbers.py"
    chosen = [one for one in mutation.mutations(["rules"]) if one.file == "rules/numbers.py" and one.lines][:1]
    [one] = chosen
    reach = Reach(seconds={test: 1.0})
    assert [what for _, what in mutation.tried(chosen, reach)] == ["no test"]
    reach.by_line[one.file, one.lines[0]].add(test)
    assert [what for _, what in mutation.tried(chosen, reach)] == ["caught"]
    same = Mutation(one.file, one.line, one.lines, one.start, one.start, "", one.was, one.was)
    assert [what for _, what in mutation.tried([same], reach)] == ["survived"]


def test_what_is_accepted_is_still_a_change_of_the_package_and_has_its_reason() -> None:
    held = {one.key for one in mutation.mutations(list(mutation.ROOMS))}
    accepted = mutation.equivalent()
    assert [key for key in accepted if key not in held] == [], "mend equivalent_mutants.json"
    assert all(accepted.values())


def test_only_known_rooms_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.faults import kills

    with pytest.raises(SystemExit):
        kills.main(["--mutants", "attic"])
    assert "charging" in capsys.readouterr().err
    assert Path(mutation.EQUIVALENT).exists()

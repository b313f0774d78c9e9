"""The scenarios hold for the program as it is, and each notices the mistake that it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

import salescli
from tests import PROJECT
from tests.faults.mutants import MUTANTS, catch, mutated
from tests.faults.play import CAUGHT
from tests.faults.scenarios.registry import SCENARIOS, Mutant
from tests.faults.world import World


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_program_as_it_is_passes(name: str, tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        SCENARIOS[name](world)
    finally:
        world.close()


@pytest.mark.parametrize("mutant", [pytest.param(mutant, id=mutant.name) for mutant in MUTANTS])
def test_a_mistake_on_purpose_is_caught(mutant: Mutant) -> None:
    played = catch(mutant)

    assert played.returncode == CAUGHT, f"{mutant.name} survived {mutant.scenario}:\n{played.stderr}"


def test_a_copy_without_a_mistake_passes() -> None:
    played = catch(Mutant("none", "a_decline_is_followed_by_a_success", ()))

    assert played.returncode == 0, played.stderr


def test_a_mutant_whose_text_is_gone_is_an_error(tmp_path: Path) -> None:
    stale = Mutant("stale", "-", (("charging/tick.py", "a text that is nowhere", ""),))

    with pytest.raises(LookupError, match="mend this mutant"):
        mutated(stale, tmp_path)


def test_a_mutant_that_cannot_start_is_not_taken_as_caught() -> None:
    played = catch(
        Mutant(
            "broken",
            "a_decline_is_followed_by_a_success",
            (("charging/tick.py", "from time import monotonic\n", "import no_\n"),),
        )
    )

    assert played.returncode not in (0, CAUGHT)


def test_every_scenario_but_the_general_ones_catches_some_mistake() -> None:
    assert Path(salescli.__file__).parent == PROJECT / "salescli"
    assert set(SCENARIOS) == {mutant.scenario for mutant in MUTANTS}

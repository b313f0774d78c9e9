"""Where a story is kept under its name, and what a mistake on purpose is.

scenario(world) -> AssertionError, or whatever broke, when a claim does not hold
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.world import World

SCENARIOS: dict[str, Callable[[World], None]] = {}


def scenario(story: Callable[[World], None]) -> Callable[[World], None]:
    """Register a story under its name."""
    SCENARIOS[story.__name__] = story
    return story


@dataclass(frozen=True, slots=True)
class Mutant:
    """A deliberate mistake: texts of the package replaced, ``(file, old, new)``; ``scenario`` must fail with it."""

    name: str
    scenario: str
    patches: tuple[tuple[str, str, str], ...]

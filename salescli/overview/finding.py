"""What doctor finds: a problem, and the advice that its reader may follow."""

from __future__ import annotations

from dataclasses import dataclass, replace

from salescli.rules import permissions
from salescli.rules.permissions import Actor


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem, the check that found it, and what to do about it."""

    check: str
    what: str
    advice: str
    permission: str = permissions.VIEW  # that the advice needs

    def for_actor(self, actor: Actor) -> Finding:
        """Return the finding with advice that the actor may follow."""
        return replace(self, advice=actor.advised(self.permission, self.advice))

"""An amount of a whole order shared among its items, to the minor unit; pure."""

from __future__ import annotations

from collections.abc import Sequence


def share(amount: int, weights: Sequence[int], most: Sequence[int] | None = None) -> list[int]:
    """Return an amount shared in proportion to weights: each share rounded down, the rest on the first.

    Without any weight all is on the first. ``most``: no share is above it, and the rest is on the first with room; the
    amount is at most their sum.
    """
    whole = sum(weights)
    if whole == 0:
        shares = [0] * len(weights)
    else:
        shares = [amount * weight // whole for weight in weights]
    rest = amount - sum(shares)
    if most is None:
        shares[0] += rest
        return shares
    for place, limit in enumerate(most):
        more = min(rest, limit - shares[place])
        shares[place] += more
        rest -= more
    shares[0] += rest  # more than there is to share among: the row is refused for it
    return shares

"""Stacks in the terminal: columns side by side, each group in its own sign, the legend in the order of the stack."""

from __future__ import annotations

from collections.abc import Iterator

from salescli.cli.output.stacks import Series, Stacks
from salescli.cli.output.terminal import escaped, shortened, width, within
from salescli.rules import money, numbers

_HEIGHT = 12  # lines of the columns
_SIGNS = {True: "█▒▚░▞▓·", False: "#=o+x%."}
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def lines(stacks: Stacks, room: int, *, finely: bool) -> Iterator[str]:
    """Yield the lines of a chart, at most ``room`` cells wide: of as many periods as there is room for, the last."""
    low, high = stacks.range
    axis = [numbers.grouped(money.text(minor, stacks.currency)) for minor in (high, 0, low)]
    left = max(map(len, axis))
    shown = min(len(stacks.periods), max(1, room - left - 2))
    step = max(1, min((room - left - 2) // shown, 9))
    if shown < len(stacks.periods):
        stacks = _last(stacks, shown)
        low, high = stacks.range
        axis = [numbers.grouped(money.text(minor, stacks.currency)) for minor in (high, 0, low)]
    yield within(f"\nnet in {stacks.label}", room)
    above, below = _heights(low, high)
    columns = [_column(stacks, at, above, below, finely) for at in range(shown)]
    wide = max(1, step - 1)
    for line in range(above, -below, -1):
        name = axis[0] if line == above else axis[2] if line == 1 - below and below else ""
        drawn = "".join(column[line].ljust(1) * wide + " " * (step - wide) for column in columns)
        yield f"{name.rjust(left)} {'│' if finely else '|'}{drawn}".rstrip()
        if line == 1:
            yield f"{axis[1].rjust(left)} {'└' if finely else '+'}{('─' if finely else '-') * (step * shown)}"
    yield from _below(stacks, left, step * shown, room)
    yield from _legend(stacks, room, finely)


def _last(stacks: Stacks, number: int) -> Stacks:
    series = tuple(Series(one.name, one.amounts[-number:]) for one in stacks.series)
    return Stacks(stacks.currency, stacks.periods[-number:], series, cut=True)


def _heights(low: int, high: int) -> tuple[int, int]:
    """Return how many lines are above and below zero."""
    if not low:
        return _HEIGHT, 0
    below = min(max(1, -low * _HEIGHT // (high - low)), _HEIGHT - 1)
    return _HEIGHT - below, below


def _column(stacks: Stacks, at: int, above: int, below: int, finely: bool) -> dict[int, str]:
    """Return the sign of each line of a column: 1 is the first above zero, 0 the first below it."""
    low, high = stacks.range
    signs = dict.fromkeys(range(1 - below, above + 1), " ")
    up = down = 0
    for sign, one in zip(_SIGNS[finely], stacks.series, strict=False):
        amount = one.amounts[at]
        if amount > 0:
            begun, up = up, up + amount
            for line in range(_lines(begun, high, above), _lines(up, high, above)):
                signs[line + 1] = sign
        elif amount < 0:
            begun, down = down, down - amount
            for line in range(_lines(begun, -low, below), _lines(down, -low, below)):
                signs[-line] = sign
    if up and signs.get(1) == " ":
        signs[1] = "▁" if finely else "."  # anything but 0 shows
    if finely and len(stacks.series) == 1 and up:
        full, eighths = divmod(up * above * 8 // high, 8)
        signs.update({line: "█" if line <= full else " " for line in range(1, above + 1)})
        if full < above:
            signs[full + 1] = _EIGHTHS[max(eighths, not full)]
    return signs


def _lines(amount: int, most: int, lines: int) -> int:
    return (2 * amount * lines + most) // (2 * most)


def _below(stacks: Stacks, left: int, wide: int, room: int) -> Iterator[str]:
    """Yield the first and the last period under the columns, the first alone where both find no room."""
    first, last = stacks.periods[0], stacks.periods[-1]
    apart = max(wide - len(first), len(last) + 3)
    if first == last or left + 2 + len(first) + apart > room:
        yield f"{' ' * (left + 2)}{first}"
    else:
        yield f"{' ' * (left + 2)}{first}{last.rjust(apart)}"


def _legend(stacks: Stacks, room: int, finely: bool) -> Iterator[str]:
    if len(stacks.series) == 1:
        return
    named = list(zip(_SIGNS[finely], stacks.series, strict=False))
    amounts = [numbers.grouped(money.text(sum(one.amounts), stacks.currency)) for _, one in named]
    long = max(map(len, amounts))
    names = [shortened(escaped(one.name), max(room - long - 4, 8)) for _, one in named]
    most = max(map(width, names))
    for (sign, _), name, amount in reversed(list(zip(named, names, amounts, strict=True))):  # from the top down
        yield f"{sign} {name}{' ' * (most - width(name))}  {amount.rjust(long)}"

"""A proposal as the TOML of a mapping, with comments for a person who edits it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from salescli.imports import column_words, find_mapping, propose, sample
from salescli.imports.column_words import CALLED
from salescli.imports.mapping import ORDERS, key
from salescli.imports.propose import SKIP, Proposal, status_values
from salescli.imports.reading.options import AS_FOUND, ReadingOptions

_WIDTH = 90
_PLACES = {ours: place for place, ours in enumerate(CALLED)}
_FILL_IN = "no column sounds like it; to fill in"


def proposal(
    stream: BinaryIO,
    ours: Sequence[str],
    required: Sequence[str],
    options: ReadingOptions = AS_FOUND,
    kind: str = ORDERS,
) -> str:
    """Return a mapping for a file as TOML: the shipped one that knows its header, else one proposed, to be checked.

    ``kind``: the import that it is for, which has the columns ``ours``.
    """
    found = sample.read(stream, ours, options, kind)
    if known := find_mapping.recognised([*found.header, *found.left_out], ours, kind):
        return find_mapping.path_of(known.name).read_text(encoding="utf-8")
    return toml(propose.proposed(found, ours, options, kind), None, required)


def toml(proposal: Proposal, name: str | None, required: Sequence[str]) -> str:
    """Return the text of a mapping; ``name``: its title, and the source of its orders.

    What is not answered is marked to be filled in.
    """
    return "\n".join(_lines(proposal, name, required)) + "\n"


def _lines(proposal: Proposal, name: str | None, required: Sequence[str]) -> Iterator[str]:
    if name is None:
        yield "# A proposal from the columns of a file. Check each line, then import with --map and this file's name."
        yield '# source = "shop"  # its numbers are apart from those of other sources'
    else:
        yield "# How the files of a shop are read: ours = theirs. Edit what is not right; salescli help mappings"
        yield f"title = {_toml(name)}"
        yield f"source = {_toml(name)}  # its numbers are apart from those of other sources"
    yield from [] if proposal.kind == ORDERS else [f"for = {_toml(proposal.kind)}"]
    yield "# A file with these columns is recognised:"
    yield from _array("recognised_by", proposal.used)
    yield from ["", "[file]", *_file(proposal), "", "[columns]"]
    for ours, texts in sorted(proposal.columns.items(), key=lambda pair: _PLACES.get(pair[0], len(_PLACES))):
        if ours != "status":
            yield f"{ours} = {_toml(texts[0] if len(texts) == 1 else list(texts))}{_either(proposal, ours)}"
    for ours, text in proposal.constants.items():
        yield f"{ours} = {{ constant = {_toml(text)} }}"
    given = {*proposal.columns, *proposal.constants}
    for ours in required:
        if ours not in given:
            usual = {"status": "completed", "currency": "EUR", "every": "1 month"}.get(ours, "")
            yield f"{ours} = {{ constant = {_toml(usual)} }}  # {_FILL_IN}{_either(proposal, ours, ' from')}"
    if not ({"price", "unit_price"} & given or proposal.total):
        yield f'price = ""  # to fill in{_either(proposal, "price", " from")}'
    yield from _statuses(proposal)
    if proposal.has_items:
        yield from ["", "[items]  # rows with the same number are the items of one order"]
        yield f"key = {_toml(proposal.source('order') or '')}"
        yield from [f"total = {_toml(proposal.total)}"] if proposal.total else []
    yield from _refunds(proposal)
    if proposal.unused:
        yield from ["", f"# Not used: {', '.join(_shown(one) for one in proposal.unused)}"]


def _file(proposal: Proposal) -> Iterator[str]:
    options = proposal.options
    if proposal.sample.delimiter:
        yield f"delimiter = {_toml(proposal.sample.delimiter)}"
    for name, stated, usual in (("decimal", proposal.decimal, ","), ("dates", proposal.dates, "dmy")):
        why = "not clear: state it" if stated == "" else "left out: as the columns show"
        yield f"{name} = {_toml(stated)}" if stated else f"# {name} = {_toml(usual)}  # {why}"
    yield from ["minor = true"] if options.minor else []
    zone = options.zone.key if options.zone else None
    yield f"zone = {_toml(zone)}" if zone else '# zone = "UTC"  # of times without a zone; else the account\'s'


def _statuses(proposal: Proposal) -> Iterator[str]:
    source = proposal.source("status")
    if source is None:
        return
    yield from ["", "[columns.status]", f"from = {_toml(source)}", "", "[columns.status.values]"]
    for status in column_words.GROUPS[proposal.kind]:
        words = [word for word, ours in proposal.statuses.items() if ours == status]
        yield from (f"{_toml(word)} = {_toml(status)}" for word in words)
    unknown = [value for value in status_values(proposal) if key(value) not in proposal.statuses]
    yield from (f'# {_toml(value)} = "completed"  # in the file; to fill in' for value in unknown)
    for word, ours in proposal.statuses.items():
        if ours == SKIP:
            yield from ["", "[[skip]]"]
            yield f"when = {{ {_toml(source)} = {_toml([word]) if word else _toml('blank')} }}"
            yield f"reason = {_toml(f'status {word}' if word else 'no status')}"


def _refunds(proposal: Proposal) -> Iterator[str]:
    if proposal.refunds is None:
        return
    below = f'when = {{ {_toml(proposal.amount)} = "negative" }}'
    if proposal.refunds:
        yield from ["", "[[refunds]]  # rows that give money back", below]
        yield f"of = {_toml(proposal.source('order') or '')}"
        yield f"amount = {_toml(proposal.amount)}"
    else:
        yield from ["", "[[skip]]", below, 'reason = "amounts below zero"']


def _array(name: str, texts: Sequence[str]) -> Iterator[str]:
    """Yield a list of texts, in lines of a width to be read."""
    lines = textwrap.wrap(", ".join(_toml(text).replace(" ", "\0") for text in texts), _WIDTH)
    if len(lines) == 1:
        yield f"{name} = [{lines[0]}]".replace("\0", " ")
        return
    yield from [f"{name} = [", *(f"    {line}".replace("\0", " ") for line in lines), "]"]


def _either(proposal: Proposal, ours: str, word: str = "") -> str:
    names = [name for name in proposal.either.get(ours, []) if name not in proposal.columns.get(ours, [])]
    return f"{word or '  # or'} {', '.join(map(_toml, names))}" if names else ""


def _shown(name: str) -> str:
    return name if name.isprintable() else _toml(name)


def _toml(value: str | Sequence[str]) -> str:
    """Return TOML's basic strings and arrays, which are written as JSON's but for DEL and what is no text."""
    written = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return re.sub("[\ud800-\udfff]", "\ufffd", written)

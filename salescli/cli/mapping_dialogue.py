"""A file of an unknown shop on a terminal: its columns beside ours, questions, its first rows as they would come in.

``unknown`` -> ``mapping_of``: ``propose`` and ``questions``, asked here -> shown -> the mapping, saved if wanted
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from salescli.catalogue.customers import DEFAULT_SOURCE
from salescli.cli import prompts
from salescli.cli.output.contract import Output
from salescli.cli.output.table import write_table
from salescli.cli.output.terminal import say
from salescli.cli.session import Session
from salescli.errors import BadData, BadUsage, SalesError
from salescli.imports import (
    find_mapping,
    foreign,
    mapping_file,
    mapping_text,
    orders,
    own_lists,
    propose,
    questions,
    sample,
)
from salescli.imports.mapping import Mapping
from salescli.imports.propose import Proposal
from salescli.imports.reading import files
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.run import ImportRequest, Reporting
from salescli.imports.sample import Sample
from salescli.lists.columns import Column
from salescli.rules import numbers, permissions
from salescli.storage import database

_FILE = (Column("column"), Column("becomes"), Column("such as"))
_ROWS = tuple(map(Column, ("order", "created", "status", "customer", "offer", "price")))
_PREVIEWED = 3
_EXAMPLE_MAX = 200  # characters of a cell that are shown


def unknown(file: Path, reading: ReadingOptions) -> Sample | None:
    """Return the sample of a file that no mapping knows; None if one does, it is ours, or nobody can be asked."""
    if not prompts.on_a_terminal() or not file.is_file():  # a pipe could not be read again
        return None
    with files.opened(file) as stream:
        return sample.unknown(stream, orders.COLUMNS, own_lists.ORDERS, reading)


def mapping_of(session: Session, found: Sample, request: ImportRequest, save_as: str | None) -> Mapping:
    """Ask how an unknown file is to be read, show it, and return its mapping, which is saved if a person wants it.

    Raise SalesError for a no, BadData for a file that cannot be mapped.
    """
    session.work.actor.require(permissions.IMPORT)
    if save_as is not None:
        find_mapping.check_new(save_as)
    if not found.rows:
        raise BadData("the file names columns and has no rows; there is nothing to import, and nothing to ask about it")
    proposal = propose.proposed(found, orders.COLUMNS, request.reading)
    if lacking := questions.missing(proposal):
        raise BadData(
            f"no column of the file can be {' or '.join(lacking)}, which orders need; its columns are"
            f" {foreign.shown(found.header)}"
        )
    say(f"No mapping knows this file, which has {numbers.count(len(found.header), 'column')}.")
    home = database.setting(session.work.connection, "currency") or ""
    while question := questions.following(proposal, home):
        proposal = _asked(proposal, question)
    source = request.source if request.source != DEFAULT_SOURCE else save_as or _source(request)
    text = mapping_text.toml(proposal, source, orders.REQUIRED)
    read_by = mapping_file.parsed(text, source, orders.COLUMNS)
    _show(session, proposal)
    _preview(session, replace(request, map=read_by, source=source))
    if not prompts.confirm("Is this right?", default=False):
        raise SalesError(
            "nothing was imported; import it again to answer otherwise, or write what was proposed to a file with"
            " --propose > my.toml, correct it there, and import with --map my.toml"
        )
    _save(text, source, save_as)
    return read_by


def _asked(proposal: Proposal, question: questions.Question) -> Proposal:
    """Ask a question until its answer is one."""
    while True:
        answer = prompts.choose(question.text, question.choices, question.usual)
        try:
            return questions.answered(proposal, question, answer)
        except BadData as error:
            say(str(error))


def _source(request: ImportRequest) -> str:
    """Ask for the name of the shop: the same number in two shops is two orders."""
    stem = request.file.stem if isinstance(request.file, Path) else ""
    usual = re.sub(r"[\W_]+", "-", re.sub(r"[\W\d_]+$", "", stem)).strip("-").lower()[:30] or "shop"
    return _valid("Name of this shop; it keeps its order numbers apart from others", usual, find_mapping.check_name)


def _valid(question: str, usual: str, check: Callable[[str], None]) -> str:
    while True:
        answer = prompts.choose(question, (), usual)
        try:
            check(answer)
        except BadData as error:
            say(str(error))
        else:
            return answer


def _show(session: Session, proposal: Proposal) -> None:
    """Show each source column beside what it becomes, and in words what is not a column."""
    becomes = {name: ours for ours, texts in proposal.columns.items() for name in texts}
    becomes.update({proposal.total: "price of the order"} if proposal.total else {})
    parts = {name: ours for ours, texts in proposal.columns.items() for name in proposal.sample.header
             if any(f"{{{name}}}" in text for text in texts)}  # fmt: skip
    rows = []
    for name in proposal.used:
        example = next(filter(None, proposal.sample.values(name)), "")
        ours = {**parts, **becomes}[name]
        if name in proposal.columns.get("customer", ())[1:]:
            ours = "email; customer without a name" if len(proposal.columns["customer"]) > 1 else ours
        rows.append({"column": name, "becomes": ours, "such as": example[:_EXAMPLE_MAX]})
    say("")
    _table(session, rows, _FILE)
    say("")
    for line in _words(proposal):
        say(line)


def _words(proposal: Proposal) -> list[str]:
    lines = [f'{ours} of all rows: "{text}"' for ours, text in proposal.constants.items()]
    if proposal.has_items:
        lines.append("Rows with the same order number are the items of one order.")
    if proposal.refunds is not None:
        lines.append(f"Rows below zero are {'refunds' if proposal.refunds else 'left out'}.")
    if proposal.sample.rows and proposal.dates in ("dmy", "mdy"):
        lines.append(f"Dates begin with the {'day' if proposal.dates == 'dmy' else 'month'}.")
    if proposal.decimal == ",":
        lines.append("Decimals begin with a comma.")
    if again := [name for name in proposal.sample.left_out if name in proposal.sample.header]:
        lines.append(f"Of columns with the same name only the first is read: {foreign.shown(again)}")
    if proposal.unused:
        lines.append(f"Not used: {foreign.shown(proposal.unused)}")
    return lines


def _preview(session: Session, request: ImportRequest) -> None:
    """Show the first rows as they would be imported, and the first that would not."""
    rows = orders.first_rows(session.work, replace(request, reporting=Reporting()), _PREVIEWED)
    good = [row.values for row in rows if not row.problems]
    say("")
    if good:
        say("The first rows, as they would be imported:")
        _table(session, [_row(values) for values in good], _ROWS)
    for problem in [problem for row in rows for problem in row.problems][:_PREVIEWED]:
        say(str(problem))


def _row(values: dict[str, str]) -> dict[str, str]:
    amount = values.get("price") or values.get("unit_price", "")
    quantity = values.get("quantity", "1")
    each = "" if values.get("price") or quantity == "1" else f"{quantity} × "
    price = f"{each}{amount} {values.get('currency', '')}"
    texts = {name: values.get(name, "")[:_EXAMPLE_MAX] for name in ("order", "status", "customer", "offer")}
    return {**texts, "created": values.get("created_at", "")[:10], "price": price}


def _table(session: Session, rows: Sequence[dict[str, str]], columns: Sequence[Column]) -> None:
    write_table(rows, columns, Output(), session.zone, sys.stderr)


def _save(text: str, source: str, save_as: str | None) -> None:
    """Save a mapping under its name, or offer it."""
    if save_as is None:
        if not prompts.confirm("Save this, so that the next file needs no question?", default=True):
            return
        try:
            find_mapping.check_new(source)
            save_as = source
        except BadData:
            other = "Another mapping has that name. A name for this one"
            save_as = _valid(other, f"{source}-2", find_mapping.check_new)
    path = find_mapping.save(save_as, text)
    say(f"saved as {path}")


def check_save(save_as: str | None, found: Sample | None) -> None:
    """Refuse to save a mapping where nothing was asked."""
    if save_as is not None and found is None:
        raise BadUsage(
            "--save-map saves what is answered about an unknown file, on a terminal; this file is known, or nobody can"
            " answer: leave --save-map out, or write a mapping with --propose"
        )

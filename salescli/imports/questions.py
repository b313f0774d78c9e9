"""What only a person knows of an unknown file: one question after the other, each with its answers.

``Proposal`` -> ``following``: the next ``Question``, or None -> ``answered``: the proposal with its answer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from salescli.imports import propose
from salescli.imports.mapping import key
from salescli.imports.propose import SKIP, Proposal
from salescli.rules import money, numbers

_STATUSES = (
    ("completed", "paid"),
    ("open", "not paid yet"),
    ("declined", "cancelled or failed"),
    ("refund", "paid and refunded"),
    (SKIP, "leave these rows out"),
)
_ASKED = {
    "order": "Which column has the order's number?",
    "created_at": "Which date is the order's?",
    "price": "Which amount did the customer pay for the order?",
    "customer": "Which column has the customer's name?",
    "offer": "Which column says what was sold?",
}
_CHOICES_MAX = 15  # columns to choose from
_CALLED = ":called"  # of a question: for the text that stands in all rows
CONSTANTS = ("currency", "status", f"customer{_CALLED}", f"offer{_CALLED}")
_NONE = {"customer": "none of them", "offer": "none of them: all is one offer"}
_USUAL = {"customer": "Unknown customer", "offer": "Sale"}  # what stands where no column tells


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answers, each in words for a person; ``usual``: the answer of most. No choices: any text."""

    about: str
    text: str
    choices: Sequence[tuple[str, str]] = ()
    usual: str | None = None


def following(proposal: Proposal, home: str) -> Question | None:
    """Return the next question; None if all is known. ``home``: the account's currency."""
    for asked in (_column, _name, _status_of_all, _status, _dates, _decimal, _negative):
        if question := asked(proposal):
            return question
    if not {"currency"} & {*proposal.columns, *proposal.constants, *proposal.answered}:
        return Question("currency", "Which currency are the amounts in?", usual=home)
    return None


def answered(proposal: Proposal, question: Question, answer: str) -> Proposal:
    """Return a proposal with the answer to a question. Raise BadData for a currency that is none."""
    about = question.about
    answer = money.ever_currency_code(answer) if about == "currency" else answer
    proposal = replace(proposal, answered=proposal.answered | {about})
    if about.startswith("status:"):
        return replace(proposal, statuses={**proposal.statuses, key(about.removeprefix("status:")): answer})
    if about == "dates":
        return replace(proposal, dates=answer)
    if about == "decimal":
        return replace(proposal, decimal=answer)
    if about == "refunds":
        return replace(proposal, refunds=answer == "refunds")
    if about in CONSTANTS:
        return replace(proposal, constants={**proposal.constants, about.removesuffix(_CALLED): answer})
    if not answer:
        return replace(proposal, either={ours: names for ours, names in proposal.either.items() if ours != about})
    either = {
        ours: left
        for ours, names in proposal.either.items()
        if ours != about and (left := [name for name in names if name != answer])
    }
    others = {ours: names for ours, names in proposal.columns.items() if ours == about or names != [answer]}
    return propose.reconsidered(replace(proposal, columns={**others, about: [answer]}, either=either))


def missing(proposal: Proposal) -> list[str]:
    """Return our columns without which a file cannot be read, and which no column of it can be."""
    needed = {"order": "the order's number", "created_at": "a date", "price": "an amount"}
    have = {*proposal.columns, *proposal.constants, *proposal.either}
    if proposal.total or "unit_price" in have:
        have.add("price")
    return [words for ours, words in needed.items() if ours not in have]


def _column(proposal: Proposal) -> Question | None:
    ours = next((ours for ours in _ASKED if ours in proposal.either and ours not in proposal.answered), None)
    if ours is not None:
        names = proposal.either[ours][:_CHOICES_MAX]
        choices = [(name, _with_example(proposal, name)) for name in names]
        none = [("", _NONE[ours])] if ours in _NONE and ours not in proposal.columns else []
        return Question(ours, _ASKED[ours], [*choices, *none], names[0] if ours in proposal.columns else None)
    return None


def _name(proposal: Proposal) -> Question | None:
    """Ask for the words for what no column tells."""
    for ours, words in (("customer", "What shall customers without a name be called?"), ("offer", "What was sold?")):
        if ours not in {*proposal.columns, *proposal.constants}:
            return Question(ours + _CALLED, words, usual=_USUAL[ours])
    return None


def _status_of_all(proposal: Proposal) -> Question | None:
    if {"status"} & {*proposal.columns, *proposal.constants}:
        return None
    choices = [("completed", "paid"), ("open", "not paid yet")]
    return Question("status", "No column says whether an order is paid. All orders are", choices)


def _status(proposal: Proposal) -> Question | None:
    for value, rows in propose.status_values(proposal).most_common():
        if key(value) not in proposal.statuses:
            shown = f'"{value}"' if value else "A blank"
            text = f"{shown} in {proposal.source('status')} ({numbers.count(rows, 'row')}) means"
            return Question(f"status:{value}", text, _STATUSES)
    return None


def _dates(proposal: Proposal) -> Question | None:
    if proposal.dates != "":
        return None
    example = propose.ambiguous_date(proposal)
    choices = [("dmy", "the day (31/12/2026)"), ("mdy", "the month (12/31/2026)")]
    return Question("dates", f"What comes first in dates such as {example}?", choices)


def _decimal(proposal: Proposal) -> Question | None:
    if proposal.decimal != "":
        return None
    example = propose.ambiguous_amount(proposal)
    choices = [(".", "a period: 1,234.50"), (",", "a comma: 1.234,50")]
    return Question("decimal", f"What begins the decimals of amounts such as {example}?", choices)


def _negative(proposal: Proposal) -> Question | None:
    if proposal.refunds is None or "refunds" in proposal.answered:
        return None
    rows = sum(map(propose.is_below_zero, proposal.sample.values(proposal.amount)))
    choices = [("refunds", "refunds of the orders with their numbers"), (SKIP, "to be left out")]
    return Question("refunds", f"{numbers.count(rows, 'row')} with an amount below zero: these are", choices)


def _with_example(proposal: Proposal, name: str) -> str:
    values = [text for text in proposal.sample.values(name) if text]
    return f"{name}, such as {values[0]}" if values else name

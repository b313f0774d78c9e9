"""The catalogue's groups, alike: list, show, add, edit, import; and ``offers``, ``categories``, ``payment-systems``.

Each noun gives its options once; a field that is not given stays as it is, one given as '' is emptied.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from salescli.catalogue import categories, offers, payment_systems, records
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.catalogue.records import Noun
from salescli.charging import limits
from salescli.cli import options, pages
from salescli.cli.commands import imports
from salescli.cli.main import ListingGroup, Session, ask_first, pass_session
from salescli.cli.output.render import Output, tell
from salescli.errors import BadData, BadUsage, SeveralFit
from salescli.gateways import Charge, contract
from salescli.lists import tabs
from salescli.lists.columns import View
from salescli.lists.query import Filters
from salescli.rules import money, permissions
from salescli.storage import database


@dataclass(frozen=True, slots=True)
class Room:
    """A catalogue noun at the command line."""

    plural: str
    noun: Noun
    view: View
    find: Callable[[sqlite3.Connection, str, bool], int]  # the last: by a whole name only
    first: str  # the field that `add` takes as its argument
    fields: tuple[tuple[str, str], ...]  # option -> its help, in the order of --help
    add_example: str
    shown: str  # one of them, in examples
    edit_example: str
    flags: tuple[str, ...] = ()  # options that say yes by themselves, as in --multiple/--no-multiple
    parts: tuple[pages.Part | pages.Told, ...] = ()


def group_of(room: Room) -> click.Group:
    """Return the group of a noun with its five commands."""

    @click.group(room.plural, cls=ListingGroup, help=f"{_spoken(room).capitalize()}: the bare name lists.")
    def group() -> None:
        pass

    for command in (_list(room), _show(room), _add(room), _edit(room), imports.catalogue_command(room.noun)):
        group.add_command(command)
    return group


def _list(room: Room) -> click.Command:
    help = _help(room, f"List {_spoken(room)}", "list --csv")

    @click.command("list", cls=pages.ListCommand, view=room.view, help=help)
    @click.option("--search", metavar="WORDS", help="Those with words that begin so.")
    @options.output
    @options.after
    @pass_session
    def list_(session: Session, search: str | None, output: Output, after: str | None) -> None:
        pages.show(session, room.view, Filters(search=search), output, after=after)

    return list_


def _show(room: Room) -> click.Command:
    singular = room.noun.subject

    @click.command("show", help=_help(room, f"Show one {singular}", f"show {room.shown}"))
    @click.argument(singular.replace(" ", "_"), metavar=_place(room))
    @options.output
    @pass_session
    def show(session: Session, /, output: Output, **which: str) -> None:
        session.actor.require(permissions.VIEW)
        try:
            id = room.find(session.connection, next(iter(which.values())), False)
        except SeveralFit as several:
            pages.to_choose_from(session, room.view, several.ids)
            raise
        pages.page(session, room.view, id, room.parts, output)

    return show


def _add(room: Room) -> click.Command:
    @click.command("add", help=_help(room, f"Add {_one(room)}", f"add {room.add_example}"))
    @click.argument(room.first)
    @_fields(room, leave_out=room.first)
    @options.dry_run
    @pass_session
    def add(session: Session, /, dry_run: bool, **words: Any) -> None:
        with options.rehearsed(session, dry_run):
            given = _given(words, room)
            id = records.add(session.connection, room.noun, given, actor=session.actor, now=session.now)
            tell(f"{room.noun.subject} {_name(session, room, id)}: added")

    return add


def _edit(room: Room) -> click.Command:
    help = _help(room, f"Change {_one(room)}; '' empties a field", f"edit {room.shown} {room.edit_example}")

    @click.command("edit", help=help)
    @click.argument("which", metavar=_place(room))
    @_fields(room)
    @options.dry_run
    @pass_session
    def edit(session: Session, /, which: str, dry_run: bool, **words: Any) -> None:
        id = room.find(session.connection, which, True)
        with options.rehearsed(session, dry_run):
            changed = records.edit(
                session.connection, room.noun, id, _given(words, room), actor=session.actor, now=session.now
            )
            what = f"changed {', '.join(changed)}" if changed else "nothing changed"
            tell(f"{room.noun.subject} {_name(session, room, id)}: {what}")

    return edit


def _spoken(room: Room) -> str:
    return room.plural.replace("-", " ")


def _one(room: Room) -> str:
    return f"{'an' if room.noun.subject[0] in 'aeo' else 'a'} {room.noun.subject}"


def _place(room: Room) -> str:
    """Return what stands for a record in a usage line."""
    return room.noun.subject.replace(" ", "-").upper()


def _help(room: Room, what: str, example: str) -> str:
    return f"{what}.\n\n\b\nExample:\n  salescli {room.plural} {example}"


# What may choose a program or a secret: a gateway command:NAME, the variables that it gets.
_OUTSIDE = {"gateway": options.Outside("sandbox", "manual", "stripe"), "env": options.Outside("")}


def _fields(room: Room, leave_out: str = "") -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for name, help in reversed(room.fields):
            if name == leave_out:
                continue
            option = f"--{name.replace('_', '-')}"
            if name in room.flags:
                command = click.option(f"{option}/--no-{option[2:]}", default=None, help=help)(command)
            else:
                command = click.option(option, metavar=name.upper(), type=_OUTSIDE.get(name), help=help)(command)
        return command

    return decorate


def _given(words: dict[str, Any], room: Room) -> dict[str, str]:
    """Return the fields that were given, as the words a file would have."""
    told = {name: value for name, value in words.items() if value is not None}
    return {name: ("yes" if value else "no") if isinstance(value, bool) else value for name, value in told.items()}


def _name(session: Session, room: Room, id: int) -> str:
    row = records.get(session.connection, room.noun, id)
    number = row["number"] if "number" in room.noun.fields else row["id"]
    return f"{number} ({row['name']})"


ACTIVE = ("active", "Whether it takes new orders and payments; plans that began go on.")

offers_group = group_of(
    Room(
        "offers",
        offers.NOUN,
        offers.VIEW,
        lambda connection, words, whole: offers.find(connection, words, whole=whole).id,
        "name",
        (
            ("name", "The name; orders keep the name of their time."),
            ("number", "Its number; the next free one unless told."),
            ("category", "The category's number or name."),
            ("price", "Price per unit: 49.00."),
            ("currency", "Its currency; the account's unless told."),
            ("multiple", "Whether several can be bought in one order."),
            ("partial_min", "Partial payments: the least first payment, in percent of the price."),
            ("partial_success", "Partial payments: the percentage from which an order may be confirmed."),
            ("every", "Recurring: the interval, as in 1 month, 2 weeks, 30 days."),
            ("payments", "Recurring: how many payments, the first included; endless unless told."),
            ("retry_after", "Recurring: the waits after a declined payment; 8h,24h unless told."),
            ACTIVE,
        ),
        '"Drawing, full course" --number 7 --price 49.00 --currency EUR --multiple --partial-min 10'
        "\n    --partial-success 90 --every '1 month' --payments 12 --retry-after 8h,24h",
        "7",
        "--price 59.00",
        ("multiple", "active"),
        (
            pages.Part(
                "latest orders",
                tabs.ORDERS,
                "o.offer_id",
                ("-created_at",),
                ("order", "created_at", "customer", "status", "price", "currency", "quantity", "manager"),
                20,
                "orders list --offer {} --kind all --limit 0",
            ),
        ),
    )
)

categories_group = group_of(
    Room(
        "categories",
        categories.NOUN,
        categories.VIEW,
        lambda connection, words, whole: int(categories.find(connection, words)["id"]),
        "name",
        (("name", "The name."), ("number", "Its number; the next free one unless told."), ACTIVE),
        "Art --number 3",
        "3",
        "--name 'Fine art'",
        ("active",),
        (pages.Part("offers", offers.VIEW, "f.category_id", ("number",)),),
    )
)

payment_systems_group = group_of(
    Room(
        "payment-systems",
        payment_systems.NOUN,
        payment_systems.VIEW,
        lambda connection, words, whole: payment_systems.find(connection, words).id,
        "name",
        (
            ("name", "The merchant's name."),
            (
                "gateway",
                "What charges: sandbox, stripe, command:NAME, or manual, where a person confirms it.",
            ),
            ("fee", "Its commission in percent: 2.9%; unknown unless told."),
            ("fee_fixed", "Its fixed commission per payment: 0.30; with --currency."),
            ("currency", "The currency of the fixed commission."),
            ("one_click", "Whether it has one-click payments."),
            ("env", "Names of environment variables: its key's, and others that its program gets."),
            ACTIVE,
        ),
        '"Sandbox EU" --gateway sandbox --fee 2.9% --fee-fixed 0.30 --currency EUR --one-click',
        '"Sandbox EU"',
        "--fee 2.5%",
        ("one_click", "active"),
        (),
    )
)


@payment_systems_group.command("check")
@click.argument("which", metavar="PAYMENT-SYSTEM")
@click.option("--token", metavar="TOKEN", help="Try the contract: charge this saved payment method and give it back.")
@click.option("--amount", metavar="AMOUNT", default="1.00", show_default=True, help="What is charged then.")
@click.option("--currency", metavar="CODE", help="Its currency; the account's unless told.")
@options.yes
@pass_session
def check_payment_system(
    session: Session, which: str, token: str | None, amount: str, currency: str | None, yes: bool
) -> int:
    """Ask a payment system whether it could be used now, and what it can do.

    With --token it is tried out as the charge protocol needs it, with real money where it moves real money: the same
    reference twice must be one charge, another amount refused, an unknown reference not found. What was charged is
    given back.

    \b
    Example:
      salescli payment-systems check "Sandbox EU" --token tok_ok --amount 1.00
    """
    system = payment_systems.find(session.connection, which)
    gateway = session.gateway(system)
    tell(f"{system.name}, gateway {system.gateway}")
    for line in contract.describe(gateway):
        tell(line)
    if token is None:
        return 0
    request = _trial(session, system, token, amount, currency)
    what = f"{money.text(request.amount_minor, request.currency)} {request.currency} through {system.name}"
    ask_first(f"Charge {what} and give it back?", yes=yes or system.gateway in payment_systems.MOVES_NO_MONEY)
    tell(f"charging {what} as {request.reference}")
    kept = True
    for finding in contract.contract(gateway, request, session.now):
        tell(str(finding))
        kept = kept and finding.kept is not False
    tell("it keeps the contract" if kept else "it does NOT keep the contract; do not charge through it")
    return 0 if kept else 1


def _trial(session: Session, system: PaymentSystem, token: str, amount: str, currency: str | None) -> Charge:
    """Return the charge that tries a payment system out, under a reference that no payment can have."""
    session.actor.require(permissions.REFUND)
    limits.check_on(session.connection)
    if system.manual:
        raise BadUsage(f"{system.name} is manual: a person takes its money, so there is nothing to try")
    payment_systems.check_usable(system, token, one_click=False)
    code = money.currency_code(currency or database.setting(session.connection, "currency") or "EUR")
    minor = money.parse(amount, code)
    if minor <= 0:
        raise BadData("a payment is more than nothing")
    base = f"{database.setting(session.connection, 'installation')}:check-{secrets.token_hex(8)}:1"
    return Charge(f"{base}:1", minor, code, token, "check", f"salescli check of {system.name}", "merchant")

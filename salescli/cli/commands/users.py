"""``users`` and ``roles``: who may act, and what they may do (R78)."""

from __future__ import annotations

import click

from salescli.catalogue import merge, records, roles, users
from salescli.cli import options, results
from salescli.cli.catalogue_group import CatalogueGroup, group_of
from salescli.cli.output.terminal import print_line
from salescli.cli.session import Session, pass_session
from salescli.lists import roles as role_list
from salescli.lists import users as user_list
from salescli.rules import money, permissions, sale_shares, time

users_group = group_of(
    CatalogueGroup(
        "users",
        users.NOUN,
        user_list.VIEW,
        lambda connection, words, whole: int(users.find_manager(connection, words)["id"]),
        "login",
        (
            ("login", "The login in the operating system."),
            ("name", "The name that lists and reports show."),
            ("role", "The role, which says what they may do: see `salescli roles list`; '' for none."),
            ("active", "Whether they may act; their sales keep their name."),
            ("sells", "Whether they are offered when a sale is checked.  [default: as the role enters orders or not]"),
            ("shares", "What they earn of confirmed sales, from which days on: '2026-01-01 10%, 2026-04-01 12%'."),
        ),
        "olena --name 'Olena Kovalenko' --role manager",
        "olena",
        "--role sales-head",
        ("active", "sells"),
        (),
        'olena "Olena Kovalenko"',
        merge.USERS,
    )
)


@users_group.command("deactivate")
@click.argument("user")
@results.changes
@pass_session
def deactivate(session: Session, user: str, dry_run: bool) -> None:
    """Deactivate USER, such as a manager who leaves. Users are never deleted; their sales keep their name.

    \b
    Example:
      salescli users deactivate ivan
    """
    found = users.find_manager(session.connection, user)
    with options.rehearsed(session, dry_run):
        changed = records.edit(session.work, users.NOUN, found["id"], {"active": "no"})
        print_line(f"user {found['id']} ({found['name']}): {'deactivated' if changed else 'is already inactive'}")


@users_group.command("share", short_help="Set what USER earns from their sales.")
@click.argument("user")
@click.argument("percent")
@click.option("--from", "since", metavar="DAY", help="The first day of sales that earn it.  [default: today]")
@results.changes
@pass_session
def share(session: Session, user: str, percent: str, since: str | None, dry_run: bool) -> None:
    """Set what part of their confirmed sales USER earns from a day on; earlier sales keep their share.

    `salescli reports by-manager --share` shows what each earned. A refund takes back what its sale earned, at the share
    of the day on which the sale was made. 0% ends it.

    \b
    Examples:
      salescli users share olena 10% --from 2026-04-01
      salescli users edit olena --shares '2026-01-01 8%, 2026-04-01 10%'
    """
    found = users.find_manager(session.connection, user)
    today = session.now.astimezone(session.zone).date()
    day = time.parse_period(since, today)[0] if since else today
    shares = sale_shares.with_share(sale_shares.parse(found["shares"]), day.isoformat(), money.parse_percent(percent))
    with options.rehearsed(session, dry_run):
        changed = records.edit(session.work, users.NOUN, found["id"], {"shares": sale_shares.text(shares)})
        same = "" if changed else ", as it was"
        print_line(f"user {found['id']} ({found['name']}): earns {sale_shares.text(shares)}{same}")


roles_group = group_of(
    CatalogueGroup(
        "roles",
        roles.NOUN,
        role_list.VIEW,
        lambda connection, words, whole: int(roles.find(connection, words)["id"]),
        "name",
        (
            ("name", "The name. Users who have the role keep it."),
            ("permissions", f"All that the role allows, separated by commas: {', '.join(permissions.PERMISSIONS)}."),
        ),
        "night --permissions view,run-tick",
        "sales-head",
        "\\\n    --permissions view,enter-orders,refund,manage-sales",
    )
)

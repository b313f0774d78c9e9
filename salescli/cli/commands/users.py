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
from salescli.rules import permissions

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

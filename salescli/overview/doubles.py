"""Records that are likely one: names and emails that differ by what nobody sees or hears; for ``doctor``.

records of a noun → grouped by a rough key → those that are not yet known to be two → ``Finding`` with the merge
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass

from salescli.overview.finding import Finding
from salescli.rules import names, permissions, text
from salescli.storage import engine

_FINDINGS_MAX = 20
_Key = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Named:
    """Records that may be doubles: the noun, its group of commands, and a query of (id, name, given, group).

    ``given``: what the command takes for a record. ``group``: only records of equal ones can be doubles.
    """

    noun: str
    plural: str
    sql: str


# Inactive ones are left out, so a person can say that two are two. So are users who both log in: they are two people.
_NAMED = (
    _Named(
        "user",
        "users",
        "SELECT id, name, coalesce(login, CAST(id AS TEXT)) AS given, '' AS of, login IS NOT NULL AS known FROM users",
    ),
    _Named(
        "offer",
        "offers",
        "SELECT id, name, number AS given, currency || ' ' || coalesce(category_id, 0) AS of, 0 AS known FROM offers",
    ),
    _Named("category", "categories", "SELECT id, name, number AS given, '' AS of, 0 AS known FROM categories"),
    _Named(
        "payment system", "payment-systems", "SELECT id, name, name AS given, '' AS of, 0 AS known FROM payment_systems"
    ),
)
_KEYS: tuple[_Key, ...] = (names.key, names.looks_like, names.sounds_like)


def findings(connection: engine.Connection, program: str, *, newest: int | None = None) -> Iterator[Finding]:
    """Yield the likely doubles of each noun, and customers whose emails differ by an invisible mark.

    ``newest``: of customers, as many of the newest, compared with all; None for all.
    """
    for named in _NAMED:
        rows = connection.execute(f"{named.sql} WHERE merged_into IS NULL AND active = 1 ORDER BY id").fetchall()
        for keep, duplicate in _pairs(rows)[:_FINDINGS_MAX]:
            given = " ".join(shlex.quote(row["given"]) for row in (keep, duplicate))
            yield Finding(
                "likely doubles",
                f"{named.noun} {_shown(keep)} and {_shown(duplicate)} are likely one",
                f"{program} {named.plural} merge {given}; if they are two, rename or deactivate one",
                permissions.MANAGE_USERS if named.noun == "user" else permissions.EDIT_CATALOGUE,
            )
    yield from _emails(connection, program, newest)


def _pairs(rows: Iterable[engine.Row]) -> list[tuple[engine.Row, engine.Row]]:
    """Return the pairs of records that a rough key makes one, each duplicate once."""
    found: dict[int, tuple[engine.Row, engine.Row]] = {}
    for key in _KEYS:
        first: dict[Hashable, engine.Row] = {}
        for row in rows:
            alike = (row["of"], key(row["name"]))
            other = first.setdefault(alike, row)
            if other is row or not alike[1] or row["id"] in found or (other["known"] and row["known"]):
                continue
            pair = (row, other) if row["known"] else (other, row)  # a user who logs in is kept
            found.setdefault(row["id"], pair)
    return list(found.values())


def _emails(connection: engine.Connection, program: str, newest: int | None) -> Iterator[Finding]:
    """Yield the customers whose email, without what nobody sees, is that of another."""
    # Only an email that is not ASCII can have such a mark; new ones are cleaned.
    odd = connection.execute(
        "SELECT id, email FROM customers WHERE merged_into IS NULL AND glob('*[^ -~]*', email)"
        " AND id > (SELECT coalesce(max(id), 0) FROM customers) - coalesce(:newest, 9e18) ORDER BY id",
        {"newest": newest},
    ).fetchall()
    same: defaultdict[str, list[int]] = defaultdict(list)
    for row in odd:
        same[text.cleaned_email(row["email"])].append(row["id"])
    for email, ids in list(same.items())[:_FINDINGS_MAX]:
        sql = "SELECT id FROM customers WHERE email = ? AND merged_into IS NULL ORDER BY id"
        keep, *duplicates = dict.fromkeys([row["id"] for row in connection.execute(sql, (email,))] + ids)
        for duplicate in duplicates:
            what = f"customers {keep} and {duplicate} have the email {email}, one with a mark that nobody sees"
            yield Finding(
                "likely doubles", what, f"{program} customers merge {keep} {duplicate}", permissions.EDIT_CATALOGUE
            )


def _shown(row: engine.Row) -> str:
    """Return a record with its name, as it is found."""
    return f"{row['given']} ({row['name']})" if row["given"] != row["name"] else str(row["name"])

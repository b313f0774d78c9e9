"""Our own lists, as they come in again: which of their columns are computed, and which have another name here.

``LISTED``: what is imported -> column of its list that the import does not have -> the column it fills, or nothing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from salescli.catalogue import categories, customers, offers, payment_systems, roles, users
from salescli.imports import order_row
from salescli.imports.cells import Fields
from salescli.imports.run import ImportRun
from salescli.lists import categories as category_list
from salescli.lists import customers as customer_list
from salescli.lists import offers as offer_list
from salescli.lists import orders as order_list
from salescli.lists import payment_systems as payment_system_list
from salescli.lists import recurring as recurring_list
from salescli.lists import roles as role_list
from salescli.lists import users as user_list
from salescli.lists.columns import View
from salescli.rules import numbers


def _listed(view: View, ours: Sequence[str], **filled: str) -> dict[str, str]:
    """Return the columns of a list that its import does not have."""
    return {column.key: filled.get(column.key, "") for column in view.columns if column.key not in ours}


ORDERS: Mapping[str, str] = _listed(
    order_list.VIEW, order_row.COLUMNS, paid_through="payment_system", completed_at="paid_at"
)


def recurring(ours: Sequence[str]) -> Mapping[str, str]:
    """Return the columns of the list of recurring orders that their import does not have."""
    return _listed(recurring_list.VIEW, ours)


CATALOGUE: Mapping[str, Mapping[str, str]] = {
    noun.table: _listed(view, noun.fields, role="name", category_number="category")
    for noun, view in (
        (customers.NOUN, customer_list.VIEW),
        (offers.NOUN, offer_list.VIEW),
        (categories.NOUN, category_list.VIEW),
        (payment_systems.NOUN, payment_system_list.VIEW),
        (roles.NOUN, role_list.VIEW),
        (users.NOUN, user_list.VIEW),
    )
}


def refuse_own(run: ImportRun, fields: Fields, noun: str, first_new: int, same: tuple[Any, ...]) -> None:
    """Refuse a row of our own list if its record was here before the import: it would be here twice.

    ``noun``: order or recurring, also its column. ``same``: when it began, its offer's name and its price.
    """
    table, began = {"order": ("orders", "created_at"), "recurring": ("recurring", "anchor_at")}[noun]
    number = fields.row.values[noun]
    if not numbers.is_record_number(number) or int(number) >= first_new:
        return
    sql = (
        f"SELECT 1 FROM {table} r JOIN customers c ON c.id = r.customer_id WHERE r.id = ? AND r.{began} = ?"
        " AND r.offer_name = ? AND r.price_minor = ? AND c.name = ? AND (r.source IS NOT ? OR r.source_number IS NOT ?)"
    )
    known_as = (fields.row.values["customer"], run.request.source, number)
    if run.work.connection.execute(sql, (int(number), *same, *known_as)).fetchone():
        fields.stop(
            noun,
            f"is here already, and would be here twice: our own list is for importing into another database."
            f" Change it by salescli {table} edit {number}, or remove the row",
        )

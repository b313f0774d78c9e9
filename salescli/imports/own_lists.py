"""Our own lists, as they come in again: which of their columns are computed, and which have another name here.

``LISTED``: what is imported -> column of its list that the import does not have -> the column it fills, or nothing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from salescli.catalogue import categories, customers, offers, payment_systems, users
from salescli.imports import order_row
from salescli.lists import categories as category_list
from salescli.lists import customers as customer_list
from salescli.lists import offers as offer_list
from salescli.lists import orders as order_list
from salescli.lists import payment_systems as payment_system_list
from salescli.lists import recurring as recurring_list
from salescli.lists import users as user_list
from salescli.lists.columns import View


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
    noun.table: _listed(view, noun.fields)
    for noun, view in (
        (customers.NOUN, customer_list.VIEW),
        (offers.NOUN, offer_list.VIEW),
        (categories.NOUN, category_list.VIEW),
        (payment_systems.NOUN, payment_system_list.VIEW),
        (users.NOUN, user_list.VIEW),
    )
}

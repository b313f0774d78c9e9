"""The table of filters: it has all of them, each view knows only those, and what a view has not is said."""

from __future__ import annotations

import pytest

from salescli.errors import BadUsage
from salescli.lists import filters, ledger, offers, orders, payments, recurring
from salescli.lists.columns import View
from salescli.lists.filters import FILTERS, Filters
from salescli.reports import by_facts
from salescli.reports.questions import view
from tests.conftest import House

VIEWS = [orders.VIEW, payments.VIEW, recurring.VIEW, ledger.VIEW, offers.VIEW, view(by_facts._FILTERS)]


def test_every_filter_has_one_row() -> None:
    assert [filter.field for filter in FILTERS] == list(Filters._fields)


@pytest.mark.parametrize("view", [pytest.param(view, id=view.name) for view in VIEWS])
def test_a_view_has_columns_for_filters_that_there_are(view: View) -> None:
    assert set(view.filters) <= {name for filter in FILTERS for name in filter.clauses}


def test_a_view_that_cannot_be_filtered_so_names_the_option(house: House) -> None:
    with pytest.raises(BadUsage, match="recurring orders cannot be filtered by --kind"):
        filters.clauses(house.connection, recurring.VIEW, Filters(kind=("regular",)), zone=house.zone)


def test_a_filter_of_everything_does_not_narrow() -> None:
    assert filters.given(Filters(kind=("all",), offer=())) == set()
    assert filters.given(Filters(confirmed=False, least="0")) == {"confirmed", "least"}

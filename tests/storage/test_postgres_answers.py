"""Every statement of the program is answered on PostgreSQL as on SQLite: a shop's whole life is lived on both.

command lines, stories of other rooms, and what they seldom ask -> each statement to both -> the same rows, in order
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from salescli.catalogue import actors, records, roles, users
from salescli.charging import elsewhere, tick_log
from salescli.errors import NotFound, NotPermitted
from salescli.gateways.answers import Answer
from salescli.lists import candidates
from salescli.lists.changes import ChangeText
from salescli.lists.filters import Filters
from salescli.notices import deliver
from salescli.overview import glance
from salescli.rules import time
from salescli.sales import attempts, closed_months, customer_credit, invoices, orders, recurring
from salescli.storage import database, new_file, totals
from salescli.storage.postgres import connection as postgres
from tests import postgres_server
from tests.catalogue import test_customer_erase, test_customer_merge, test_records, test_tokens
from tests.charging import test_gateway_check
from tests.conftest import House
from tests.imports import test_batch, test_mappings, test_own_lists, test_parts, test_recurring, test_refunds
from tests.mirror import Mirror, Sender, senders
from tests.notices import test_deliver, test_events
from tests.postgres_server import Shops
from tests.reconcile import test_propose
from tests.sales import test_pauses
from tests.shop import after_every_act
from tests.stories import test_an_attack, test_mistakes, test_money_moved_elsewhere
from tests.story import Story

pytestmark = pytest.mark.of_files("it asks a file and a server the same")

LINES = Path(__file__).with_name("whole_life.txt").read_text("utf-8").splitlines()
LOGINS = ("ivan", "maria", "olha", "olha2")  # only who may log in to a server can be a user of its shop
STORIES: tuple[Callable[..., None], ...] = (
    test_customer_erase.test_the_same_customers_again_do_not_bring_her_back,
    test_customer_merge.test_an_update_of_a_moved_order_keeps_the_customer,
    test_records.test_an_offer_of_an_unknown_category_is_refused,
    test_records.test_the_last_owner_cannot_lock_everybody_out,
    test_tokens.test_with_one_payment_system_that_charges_none_is_named,
    test_gateway_check.test_a_test_charge_that_may_be_on_its_way_is_not_given_up,
    test_batch.test_a_customer_takes_on_an_id_in_a_row_of_which_all_is_there,
    partial(
        test_refunds.test_a_corrected_sum_takes_off_the_newest,
        row={"refunded": "10.00", "refunded_at": "2026-03-11"},
        left=[("2026-02-11", 1000)],
    ),
    test_mappings.test_a_payment_of_paypal_and_its_refunds_are_one_order,
    test_own_lists.test_a_list_of_this_database_never_changes_another_order_of_its_number,
    test_parts.test_what_is_missing_is_said_at_the_command_line,
    test_events.test_an_event_is_written_in_the_transaction_of_its_change,
    test_deliver.test_a_hook_that_fails_pauses_is_in_doctor_and_then_gets_all_in_order,
    test_deliver.test_an_address_that_is_refused_for_good_holds_up_no_other_customer,
    test_deliver.test_a_digest_is_one_letter_each_morning_about_everything,
    test_pauses.test_a_program_is_told_until_when,
    test_propose.test_a_payment_of_the_amount_with_the_customers_name_is_proposed_with_the_reason,
    test_recurring.test_an_update_later_keeps_the_date_that_is_due,
    test_mistakes.test_credit_used_by_mistake_comes_back,
    test_mistakes.test_a_refund_that_was_not_made_is_taken_back,
    test_mistakes.test_a_decline_by_mistake_waits_again,
    test_mistakes.test_dates_after_a_moved_payment_count_from_the_anchor_unless_told,
    test_an_attack.test_a_payment_that_began_by_a_clock_set_back_since_is_found_out_all_the_same,
    test_money_moved_elsewhere.test_reconcile_matches_disputes,
    test_money_moved_elsewhere.test_a_recorded_refund_gets_its_number_and_is_no_second_one,
    test_money_moved_elsewhere.test_a_payment_that_a_person_called_not_charged_is_told_of,
    test_money_moved_elsewhere.test_a_refund_of_ours_that_the_database_lacks_keeps_its_number,
    test_money_moved_elsewhere.test_a_refund_that_a_person_called_not_made_is_recorded_once_it_was,
)
NOW = datetime(2026, 12, 1, 10, tzinfo=timezone.utc)
# What a life asks seldom, of the shop after it.
SELDOM: tuple[Callable[[House], object], ...] = (
    lambda house: actors.acting(house.connection, "olha2"),
    lambda house: actors.acting_or_system(house.connection, "nobody"),
    lambda house: records.find(house.connection, roles.NOUN, "CRON"),
    lambda house: users.sellers(house.connection),
    lambda house: [
        candidates.find(house.connection, kind, word) for kind in candidates.KINDS for word in ("", "о", "1")
    ],
    lambda house: elsewhere.confirm_checked(house.work, "Sandbox", "looked there"),
    lambda house: ChangeText(house.connection, house.zone).of(
        {"subject": "invoice", "number": 1, "line": 1, "changes": '{"share_minor": [1, 2]}'}
    ),
    lambda house: glance.ahead(house.work, Filters(), "salescli"),
    lambda house: tick_log.began(house.connection, NOW),
    lambda house: deliver.note_dead_tick(house.work),
    lambda house: attempts.any_awaited(house.connection),
    lambda house: attempts.unsent(house.connection, [1, 2, 3]),
    lambda house: attempts.let_go(house.connection, attempts.of_invoice(house.connection, 1)[0]),
    lambda house: attempts.reopen(house.connection, attempts.of_invoice(house.connection, 1)[0], NOW),
    lambda house: attempts.close(
        house.connection, attempts.of_invoice(house.connection, 1)[0], "not_sent", Answer("not_sent"), NOW
    ),
    lambda house: attempts.keep_prepared(house.connection, [(attempts.of_invoice(house.connection, 1)[0], "sb_9")]),
    lambda house: closed_months.fixed(house.connection, 1),
    lambda house: customer_credit.of_customer(house.connection, 1, "EUR"),
    lambda house: invoices.expect_fee(house.connection, 1, NOW),
    lambda house: orders.of_invoices_before(house.connection, [1, 2], 1_772_323_200),
    lambda house: recurring.begun_before(house.connection, [1, 2], 1_772_323_200),
    lambda house: recurring.due_and_begun_before(house.connection, 1_772_323_200, NOW),
    lambda house: list(database.ids_between(house.connection, "orders", 3, 9)),
    lambda house: wrong_facts(house),
)
# What no life of a shop sends to both: the beginning of a file's name, perhaps with functions -> why.
ELSEWHERE: dict[str, tuple[str, ...]] = {
    # The tables: a server's are those of the newest version, and nobody there may drop a trigger or an index.
    "storage/migrat": (),
    "storage/new_file.py": (),
    "storage/offsets.py": ("store",),
    "storage/totals.py": ("_without_triggers", "count_from", "rebuild", "recount"),
    "imports/bulk_load.py": (),
    # Files: opened, copied, saved, put back, and their pages.
    "storage/sqlite/": (),
    "charging/simulate.py": (),
    "storage/database.py": ("_wait", "lightly", "path_of", "sorting"),
    "storage/pages.py": (),
    # Servers, and what moves a shop from one to the other: their own tests.
    "storage/postgres/": (),
    "storage/transfer.py": (),
    # Other databases: the ledger of the sandbox, and rows that wait to be sorted, are always in a file.
    "gateways/sandbox.py": (),
    "storage/scratch.py": (),
}  # fmt: skip


def test_every_statement_is_answered_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_house: Callable[..., House], request: pytest.FixtureRequest
) -> None:
    reached: set[Sender] = set()
    with postgres_server.server() as host:
        shops = Shops(host)
        for login in LOGINS:
            shops.execute(f"CREATE ROLE {login} LOGIN")
        empty = blank(shops)
        for number, told in enumerate((whole_life, *STORIES)):
            folder = tmp_path / str(number)
            folder.mkdir()
            mirror = Mirror(folder / "sales.db", shops.url(shops.new(empty)))
            with monkeypatch.context() as patched, ExitStack() as ended:
                patched.setattr("sqlite3.connect", mirror.connect)
                house = new_house(f"{number}/sales.db")
                tell(told, house, request, ended)
                house.connection.close()
            assert mirror.differences == {}, told
            reached |= mirror.senders
    left = {sender for sender in senders() - reached if not is_elsewhere(sender)}
    assert left == set(), "let a story reach them, or say in ELSEWHERE why none can"


def blank(shops: Shops) -> str:
    """Make a shop without settings, as that of a new house, and return the name of its database."""
    name = shops.new()
    new_file.create(shops.url(name), {})
    there = postgres.connect(shops.url(name))
    there.execute("DELETE FROM settings")
    there.close()
    return name


def wrong_facts(house: House) -> None:
    """Look for a fact that is missing, in a transaction that is undone; a server has not counted it off yet."""
    house.connection.execute("DELETE FROM facts WHERE id = (SELECT min(id) FROM facts)")
    assert next(totals.differences(house.connection)).dimension == "order"
    raise NotFound("it is put back")


def is_elsewhere(sender: Sender) -> bool:
    """Return whether what a function sends is of files or of servers alone."""
    file, function = sender
    return any(file.startswith(begins) and (not some or function in some) for begins, some in ELSEWHERE.items())


def whole_life(house: House) -> None:
    """Let everything happen in a shop, then ask it everything."""
    after_every_act(house)
    for line in LINES:
        if not line.startswith("#"):
            ran = house.run(*shlex.split(line.format(next_year=time.now().year + 1)))
            assert ran.code == 0 or line.startswith("doctor"), (line, ran.err)
    for ask in SELDOM:
        with suppress(NotPermitted, NotFound), database.transaction(house.connection):
            ask(house)


def tell(told: Callable[..., Any], house: House, request: pytest.FixtureRequest, ended: ExitStack) -> Any:
    """Call a test, or a fixture of its file, with what it asks for by name, in a house."""

    def asked(name: str) -> Any:
        if name == "story":
            return story_of(house)
        if name in ("house", "run", "connection"):
            return {"house": house, "run": house.run, "connection": house.connection}[name]
        own = getattr(inspect.getmodule(told), name, None)  # a fixture of the file
        return request.getfixturevalue(name) if own is None else tell(own.__wrapped__, house, request, ended)

    wanted = (one.name for one in inspect.signature(told).parameters.values() if one.default is one.empty)
    made = told(**{name: asked(name) for name in wanted})
    return ended.enter_context(contextmanager(lambda: made)()) if inspect.isgenerator(made) else made


def story_of(house: House) -> Story:
    """Return a story as ``tests.conftest`` has it."""
    house.customer("Олена Коваленко", email="olena@example.com")
    house.payment_system("Sandbox", fee="2.9%")
    house.payment_system("Bank transfer", gateway="manual")
    return Story(house).at("2026-01-31 10:00")

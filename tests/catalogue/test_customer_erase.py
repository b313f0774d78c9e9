"""Erasing a customer: nothing of them is left in the file, the money's record stays, and nothing brings them back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from salescli.catalogue import customer_erase, customer_merge, customers, records
from salescli.catalogue.customer_erase import Erased
from salescli.charging import by_hand
from salescli.errors import BadData, NotFound, NotPermitted, SalesError, WrongStatus
from salescli.imports import catalogue, recurring
from salescli.imports import orders as order_import
from salescli.imports.run import ImportRequest
from salescli.lists.filters import Filters
from salescli.overview import doctor
from salescli.reports import report
from salescli.rules import time
from salescli.rules.permissions import Actor
from salescli.sales import orders, recurring_actions, recurring_edit, sales_plans
from salescli.sales.recurring_edit import RecurringEdit
from salescli.storage import pages
from salescli.storage.work import Work
from tests.conftest import House
from tests.inside import asked, check_search, dump, refuse
from tests.story import Story

# Long and unlike one another, so that no compression and no other word can hide or show them.
HERS = (
    "Жаклінщина", "Xzqvortham", "qwzyxvut@example.com", "555017283946", "KJHGF-98127", "Nmbvcxzlk",
    "dupmail@zzyyxx.org", "DUPID-55512", "commentqqwwee", "noteqqwweerr", "refundreasonqw", "declinereasonqw",
    "mergereasonqw", "tok_ok", "tok_insufficient_funds", "tok_secondcard", "tok_ofanorder",
    "messageqqww", "lasterrorqqww",
)  # fmt: skip


def erase(story: Story, words: str, actor: Actor | None = None, days_on: int = 0, **more: Any) -> Erased:
    work = story.work.at(story.now + timedelta(days=days_on))
    work = replace(work, actor=actor) if actor else work
    [erased] = customer_erase.erase_all(work, [words], **more)
    return erased


def hers_in(house: House) -> set[str]:
    """Return which of her words stand in the bytes of the file, or of what lies beside it; on a server, in a row."""
    path = house.path
    files = [file for file in path.parent.glob(f"{path.name}*") if not file.name.endswith(".sandbox")]
    data = b"".join(file.read_bytes() for file in files) + "".join(dump(house.connection)).encode()
    return {word for word in HERS if word.encode() in data or word.lower().encode() in data}  # an index folds case


@pytest.fixture
def lived(story: Story) -> Story:
    """Customer 2 with a merged duplicate 3, and something of hers wherever anything of a customer can stand."""
    house, connection = story.house, story.house.connection
    house.offer("100.00", number="7", partial_min="10", partial_success="90")
    house.offer("49.00", number="8", name="Plan", every="1 month")
    house.user("ivan", name="Іван")
    house.customer(
        "Жаклінщина Xzqvortham", email="qwzyxvut@example.com", phone="555017283946",
        customer_id="KJHGF-98127", source="shop",
    )  # fmt: skip
    house.customer("Nmbvcxzlk", email="dupmail@zzyyxx.org", customer_id="DUPID-55512", source="shop")
    sales_plans.mark(story.work, "2", "7", "ivan", note="noteqqwweerr")
    for customer in ("2", "3"):
        order = story.order_of(customer, "7")
        for token in ("tok_insufficient_funds", "tok_ok"):
            story.pay(order, payment_system="Sandbox", token=token, amount="50.00", comment="commentqqwwee")
    customer_merge.merge(story.work, "2", "3", reason="mergereasonqw")
    by_hand.decline(story.work, 2, reason="declinereasonqw")
    story.refund(orders.get(connection, 2), amount="5.00", reason="refundreasonqw")
    story.pay(story.order_of("2", "8"), payment_system="Sandbox", token="tok_ok")
    connection.execute("UPDATE recurring SET token = 'tok_insufficient_funds'")
    story.at("2026-02-28 10:05").tick()
    recurring_edit.edit(Work(connection, house.actor, story.now, house.zone), 1, RecurringEdit(token="tok_secondcard"))
    recurring_actions.complete(Work(connection, house.actor, story.now, house.zone), 1)
    connection.execute("UPDATE orders SET token = 'tok_ofanorder' WHERE id = 1")
    connection.execute("UPDATE attempts SET message = 'messageqqww' WHERE id = 1")
    connection.execute("UPDATE recurring SET last_error = 'lasterrorqqww'")
    return story


def test_nothing_of_hers_is_left_in_the_file(lived: Story) -> None:
    assert hers_in(lived.house) == set(HERS)
    customer_erase.sweep(lived.house.connection, erase(lived, "2"))
    assert hers_in(lived.house) == set()
    assert list(pages.damages(lived.house.connection, 1)) == []
    check_search(lived.house.connection, "customers")


@pytest.mark.of_files("its free pages")
def test_what_another_program_left_in_free_pages_goes_too(lived: Story) -> None:
    with closing(sqlite3.connect(lived.house.path, isolation_level=None)) as plain:
        plain.execute("PRAGMA secure_delete = 0")
        plain.execute("CREATE TABLE notes (note TEXT)")
        plain.executemany("INSERT INTO notes VALUES (?)", [(f"Xzqvortham {i}",) for i in range(2000)])
        plain.execute("DROP TABLE notes")
    done = erase(lived, "2")
    assert "Xzqvortham" in hers_in(lived.house)  # else the next line would prove nothing
    customer_erase.sweep(lived.house.connection, done)
    assert hers_in(lived.house) == set()


@pytest.mark.of_files("its write-ahead log")
def test_no_write_ahead_log_keeps_it(lived: Story) -> None:
    lived.house.connection.execute("PRAGMA journal_mode = wal").fetchall()
    records.edit(lived.work, customers.NOUN, 2, {"phone": "555017283946 1"})
    assert lived.house.path.with_name(f"{lived.house.path.name}-wal").stat().st_size
    customer_erase.sweep(lived.house.connection, erase(lived, "2"))
    assert hers_in(lived.house) == set()


@pytest.mark.of_files("its write-ahead log")
def test_a_reader_who_keeps_the_log_from_being_emptied_is_named(lived: Story) -> None:
    lived.house.connection.execute("PRAGMA journal_mode = wal").fetchall()
    lived.house.connection.execute("PRAGMA busy_timeout = 0").fetchall()
    with closing(sqlite3.connect(lived.house.path)) as reader:
        reading = reader.execute("SELECT * FROM history")
        reading.fetchone()
        done = erase(lived, "2")
        with pytest.raises(SalesError, match=r"could not be rewritten \(somebody is reading it\)"):
            customer_erase.sweep(lived.house.connection, done)
        assert hers_in(lived.house)
        reading.close()
    customer_erase.sweep(lived.house.connection, erase(lived, "2"))
    assert hers_in(lived.house) == set()


def test_the_names_of_files_that_updated_her_recurring_orders_go(lived: Story, tmp_path: Path) -> None:
    header = "recurring,customer,email,offer,currency,price,payment_system,token,started_at,every\n"
    row = "R1,Xzqvortham,qwzyxvut@example.com,Plan,EUR,49.00,Sandbox,{},2026-01-01,1 month\n"
    for name, token in (("first.csv", "tok_ok"), ("qwzyxvut@example.com.csv", "tok_secondcard")):
        (tmp_path / name).write_text(header + row.format(token), encoding="utf-8")
        recurring.import_recurring(lived.work, ImportRequest(tmp_path / name, update=True, source="shop"))
    [line] = lived.house.history("recurring", 2)
    assert line["what"] == "updated by an import"
    recurring_actions.complete(lived.work, 2)
    erase(lived, "2")
    assert lived.house.history("recurring", 2)[0]["reason"] is None


def test_the_money_s_record_stays(lived: Story) -> None:
    before = _money(lived.house)
    erase(lived, "2")
    assert _money(lived.house) == before
    assert doctor.examine(lived.house.connection, lived.now, lived.house.zone) == []
    row = records.get(lived.house.connection, customers.NOUN, 2)
    assert (row["name"], row["active"], row["email"]) == ("(erased)", 0, None)


def _money(house: House) -> list[Any]:
    found: list[Any] = [report.statement(house.connection, report.BREAKDOWNS, Filters(), zone=house.zone)]
    for sql in (
        "SELECT id, uid, source_number, customer_id, status, price_minor, paid_minor, manager_id FROM orders",
        "SELECT id, status, amount_minor, fee_minor, refunded_minor, gateway_id FROM invoices",
        "SELECT id, reference, status, amount_minor, code, raw_code, gateway_id FROM attempts",
        "SELECT id, amount_minor, refunded_on FROM refunds",
        "SELECT id, status, payments_made, last_error_code FROM recurring",
        "SELECT id, at, user_id, subject, subject_id, what, changes FROM history WHERE what <> 'erased'",
    ):
        found.append(sorted(map(repr, map(tuple, house.connection.execute(sql)))))  # noqa: PERF401 - a table each
    return found


def test_other_customers_keep_everything(lived: Story) -> None:
    lived.house.customer("Petro", email="petro@example.com", phone="5551234")
    order = lived.order_of("Petro", "7")
    lived.pay(order, payment_system="Sandbox", token="tok_ok", amount="50.00", comment="his own")
    by_hand.decline(lived.work, order.id, reason="he moved")
    sales_plans.mark(lived.work, "Petro", "7", "ivan", note="his note")
    his = ("Petro", "his own", "his note", "he moved")
    lines = {line for line in dump(lived.house.connection) if any(f"'{word}'" in line for word in his)}
    erase(lived, "2")
    assert len(lines) == (4 if lived.house.url else 5)  # the search of a file has his name in a table of its own
    assert lines <= set(dump(lived.house.connection))
    assert customers.find(lived.house.connection, "petr")["email"] == "petro@example.com"


def test_history_says_erased_and_keeps_no_reason_but_that_one(lived: Story) -> None:
    assert lived.house.count("texts", "text IS NOT NULL") > 5
    erase(lived, "2", reason="asked on 3 May")
    last = lived.house.history("customer", 2)[-1]
    assert (last["what"], last["changes"], last["reason"]) == ("erased", {}, "asked on 3 May")
    for subject, ids in (("order", (1, 2, 3)), ("invoice", (1, 2)), ("recurring", (1,)), ("customer", (3,))):
        lines = [line for id in ids for line in lived.house.history(subject, id)]
        assert {line["reason"] for line in lines} == {None}, subject


def test_repeating_it_changes_nothing(lived: Story) -> None:
    assert not erase(lived, "2").again
    before = dump(lived.house.connection)
    for number in ("2", "3"):  # the duplicate's number as well
        assert erase(lived, number, days_on=1) == Erased(2, 4, 1, again=True)
    assert dump(lived.house.connection) == before


def test_a_failure_in_the_middle_erases_nothing(lived: Story) -> None:
    refuse(lived.house.connection, "UPDATE", "customers", "cut")
    before = dump(lived.house.connection)
    with pytest.raises(sqlite3.IntegrityError, match="cut"):
        erase(lived, "2")
    assert dump(lived.house.connection) == before


# Refused


@pytest.mark.parametrize("status", ["active", "processing", "paused", "failed"])
def test_a_recurring_order_that_is_not_over_refuses_it(story: Story, status: str) -> None:
    story.house.offer("49.00", number="8", every="1 month")
    id = story.subscribed("8")
    due = None if status == "failed" else time.stored(story.now)
    story.house.connection.execute("UPDATE recurring SET status = ?, next_payment_at = ?", (status, due))
    before = dump(story.house.connection)
    said = rf"recurring order {id} is {status.capitalize()}; finish that first: salescli recurring complete {id}$"
    with pytest.raises(WrongStatus, match=said):
        erase(story, "1")
    assert dump(story.house.connection) == before


def test_a_payment_that_waits_for_a_person_refuses_it(story: Story) -> None:
    story.house.offer("49.00", number="7")
    story.pay(story.order("7", through="Bank transfer"))
    with pytest.raises(WrongStatus, match="a charge of invoice 1 is under way; see: salescli explain invoice 1"):
        erase(story, "1")
    story.answer(1)
    assert erase(story, "1").orders == 1


def test_a_refund_in_doubt_refuses_it(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7")
    story.pay(order)
    story.refund(order, amount="5.00")
    story.house.connection.execute("UPDATE attempts SET status = 'live', settled_at = NULL WHERE kind = 'refund'")
    with pytest.raises(WrongStatus, match="a refund of invoice 1 is under way"):
        erase(story, "1")


def test_who_lacks_the_permission_may_not(lived: Story) -> None:
    head = lived.house.user("petro", name="Петро", role="sales-head")
    with pytest.raises(NotPermitted, match="erase a customer's personal data"):
        erase(lived, "2", actor=head)


# Afterwards


@pytest.mark.parametrize(
    "attempted",
    [
        pytest.param(lambda s: s.order_of("2", "7"), id="an order"),
        pytest.param(
            lambda s: sales_plans.mark(s.work, "2", "7", "ivan"), id="a sales plan"
        ),
        pytest.param(
            lambda s: records.edit(s.work, customers.NOUN, 2, {"name": "X"}),
            id="an edit",
        ),
        pytest.param(
            lambda s: s.pay(orders.get(s.house.connection, 1), payment_system="Sandbox", token="t", amount="10.00"),
            id="a payment",
        ),
        pytest.param(
            lambda s: customer_merge.merge(s.work, "1", "2"), id="a merge"
        ),
    ],
)  # fmt: skip
def test_nothing_more_is_kept_of_her(lived: Story, attempted: Callable[[Story], Any]) -> None:
    erase(lived, "2")
    before = dump(lived.house.connection)
    with pytest.raises(WrongStatus, match="customer 2 was erased"):
        attempted(lived)
    assert dump(lived.house.connection) == before


def test_her_money_can_still_be_given_back(lived: Story) -> None:
    erase(lived, "2")
    assert lived.refund(orders.get(lived.house.connection, 2), amount="10.00") == ["succeeded"]


def test_the_database_refuses_a_name_of_somebody_erased(lived: Story) -> None:
    erase(lived, "2")
    for columns in ("name = 'X'", "email = 'x@y.z'", "phone = '1'", "source = 's', source_id = '1'", "active = 1"):
        with pytest.raises(sqlite3.IntegrityError):
            lived.house.connection.execute(f"UPDATE customers SET {columns} WHERE id = 2")


@pytest.mark.parametrize(
    "broken", ["UPDATE orders SET token = 't' WHERE id = 1", "UPDATE invoices SET comment = 'c' WHERE order_id = 1"]
)
def test_doctor_finds_what_is_kept_of_somebody_erased(lived: Story, broken: str) -> None:
    erase(lived, "2")
    lived.house.connection.execute(broken)
    (found,) = doctor.examine(lived.house.connection, lived.now, lived.house.zone)
    assert found.check == "erased customers"


# Imports do not bring her back

HEADER = "order,created_at,status,customer,customer_id,email,comment,offer,price,currency\n"
ORDERS = (
    "A1,2026-01-05,completed,Olena,C-1,o@example.com,said so,Course,10.00,EUR",
    "A2,2026-01-06,completed,Petro,C-2,p@example.com,,Course,10.00,EUR",
)


def _import_orders(house: House, *rows: str, **more: Any) -> tuple[Any, list[str]]:
    """Import orders and return the counts, None when rows were bad, with what was said of these."""
    return _imported(house, order_import.import_orders, HEADER, rows, **more)


def _imported(house: House, run: Any, header: str, rows: tuple[str, ...], **more: Any) -> tuple[Any, list[str]]:
    from salescli.imports.run import Reporting

    file = house.path.with_name("rows.csv")
    file.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    told: list[str] = []
    request = ImportRequest(file, reporting=Reporting(on_bad=lambda problem: told.append(problem.message)), **more)
    try:
        return run(house.work, request), told
    except BadData:
        return None, told
    finally:
        file.unlink()


@pytest.mark.parametrize("update", [False, True])
def test_the_same_orders_again_leave_her_orders_as_they_are(house: House, update: bool) -> None:
    _import_orders(house, *ORDERS)
    customer_erase.erase_all(house.work, ["1"])
    before = dump(house.connection)

    counts, _ = _import_orders(house, ORDERS[0].replace("10.00", "11.00"), ORDERS[1], update=update)

    assert counts.unchanged == 2
    assert dump(house.connection) == before
    assert house.count("orders", "imported_as IS NULL") == 1


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("A3,2026-01-07,completed,Olena,C-1,,,Course,10.00,EUR", id="by her id"),
        pytest.param("A3,2026-01-07,completed,Olena,,O@example.com,,Course,10.00,EUR", id="by her email"),
        pytest.param(
            "A3,2026-01-07,completed,Olena,C-9,o@example.com,,Course,10.00,EUR", id="by her email and a new id"
        ),
        pytest.param("A3,2026-01-07,completed,Olena,,,,Course,10.00,EUR", id="by her name alone"),
    ],
)
def test_another_order_of_hers_is_a_bad_row(house: House, row: str) -> None:
    _import_orders(house, *ORDERS)
    customer_erase.erase_all(house.work, ["1"])
    counts, told = _import_orders(house, row)
    assert counts is None
    assert "customer 1, who was erased; remove the row" in told[0]
    assert house.count("customers") == 2


def test_a_namesake_with_an_email_of_their_own_is_somebody_else(house: House) -> None:
    _import_orders(house, *ORDERS)
    customer_erase.erase_all(house.work, ["1"])
    assert _import_orders(house, "A3,2026-01-07,completed,Olena,,other@example.com,,Course,10.00,EUR")[0].added == 1


def test_the_same_customers_again_do_not_bring_her_back(house: House) -> None:
    header, rows = "name,email,customer_id,source\n", ("Olena,o@example.com,C-1,shop", "Petro,p@example.com,C-2,shop")

    def load() -> tuple[Any, list[str]]:
        run = lambda work, request: catalogue.import_catalogue(work, customers.NOUN, request)  # noqa: E731
        return _imported(house, run, header, rows)

    load()
    customer_erase.erase_all(house.work, ["1"])
    counts, told = load()
    assert counts is None
    assert "who was erased" in told[0]
    assert house.count("customers") == 2


def test_her_recurring_orders_are_left_as_they_are(house: House) -> None:
    house.payment_system("Card")
    header = "recurring,customer,email,offer,currency,price,payment_system,token,started_at,every,status\n"
    row = "R1,Olena,o@example.com,Plan,EUR,10.00,Card,tok_ok,2026-01-05,1 month,completed"
    assert _imported(house, recurring.import_recurring, header, (row,))[0].added == 1
    customer_erase.erase_all(house.work, ["1"])
    assert _imported(house, recurring.import_recurring, header, (row,), update=True)[0].unchanged == 1
    assert house.count("recurring", "token IS NULL AND imported_as IS NULL") == 1


def test_who_comes_back_is_added_anew_and_then_known_to_imports(house: House) -> None:
    _import_orders(house, *ORDERS)
    customer_erase.erase_all(house.work, ["1"])
    back = house.customer("Olena", email="o@example.com")
    assert _import_orders(house, "A3,2026-01-07,completed,Olena,,o@example.com,,Course,10.00,EUR")[0].added == 1
    assert house.count("orders", f"customer_id = {back['id']}") == 1


def test_the_digests_are_this_file_s_own(new_house: Callable[..., House]) -> None:
    known_by = customers.identifiers({"email": "o@example.com", "name": "Olena", "customer_id": "C-1"})
    houses = (new_house(f"{name}.db", installation=name) for name in ("a", "b"))
    here, there = (set(customers.digests(house.connection, known_by).values()) for house in houses)
    assert not here & there


# At the command line


def test_the_command_asks_says_what_stays_and_where_else_to_erase(lived: Story) -> None:
    def run(*words: str) -> tuple[int, str]:
        code, out, err = lived.house.run("customers", "erase", *words)
        return code, out + err

    before = lived.house.held()
    assert run("2")[0] == 2
    assert run("2", "-n")[0] == 0
    assert lived.house.held() == before
    code, said = run("2", "--yes", "--reason", "asked on 3 May")
    assert code == 0
    assert "customer 2: erased; 4 orders and 1 recurring order stay, without a name" in said
    assert "older backups, replicas, exports, rejects files and the payment systems still hold the data" in said
    assert hers_in(lived.house) == set()
    code, said = run("3", "--yes")
    assert (code, "was erased before" in said) == (0, True)
    assert run("99", "--yes")[0] == 3


@pytest.mark.of_files("it is written anew as a whole")
def test_a_file_that_cannot_be_written_anew_is_said_and_done_the_next_time(lived: Story) -> None:
    done = erase(lived, "2")
    with closing(sqlite3.connect(lived.house.path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM orders").fetchone()
        lived.house.connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(SalesError, match="repeat: salescli customers erase 2"):
            customer_erase.sweep(lived.house.connection, done)
    customer_erase.sweep(lived.house.connection, erase(lived, "2"))
    assert hers_in(lived.house) == set()


def test_many_are_erased_at_once_or_none(lived: Story) -> None:
    for name in ("Іван", "Марія"):
        lived.house.customer(name)
    with asked(lived.house.connection) as statements:
        erased = customer_erase.erase_all(lived.work, ["4", "2", "5", "2"])
        customer_erase.sweep(lived.house.connection, *erased)
    assert [(one.id, one.again) for one in erased] == [(4, False), (2, False), (5, False), (2, True)]
    assert sum(statement == "VACUUM" for statement in statements) == (not lived.house.url)
    assert sum("'rebuild'" in statement and "customers_search" in statement for statement in statements) == 1
    assert hers_in(lived.house) == set()


def test_of_many_a_refused_one_keeps_all(lived: Story) -> None:
    lived.house.customer("Іван")
    with pytest.raises(NotFound):
        customer_erase.erase_all(lived.work, ["2", "4", "99"])
    gone = "SELECT count(*) FROM customers WHERE erased_at IS NOT NULL"
    assert lived.house.connection.execute(gone).fetchone()[0] == 0

"""What happened, as events: each step of a sale and of a recurring order by its kind, with whom it is about."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from salescli.charging import limits
from salescli.cli.main import cli
from salescli.cli.output import json as json_output
from salescli.cli.schema import all_schemas
from salescli.notices import events
from salescli.sales import attribution, recurring_actions
from salescli.sales.attribution import Seller
from salescli.storage import history
from salescli.storage.sqlite import beside
from tests.inside import asked
from tests.shop import Shop
from tests.story import Story
from tests.terminal import STUCK_AFTER


def since(story: Story, number: int = 0) -> list[dict[str, Any]]:
    return list(events.after(story.house.connection, number))


def kinds(story: Story, number: int = 0) -> list[str]:
    return [event["kind"] for event in since(story, number)]


def test_a_sale_is_a_row_of_events_with_names_and_amounts(story: Story) -> None:
    story.house.offer("49.00", number="7", name="Course")
    order = story.order("7")
    story.pay(order)
    attribution.confirm_sale(story.work, order.id, Seller(system=True))
    story.refund(order, amount="9.00")
    assert kinds(story) == ["order.opened", "payment.paid", "order.paid", "sale.confirmed", "payment.refunded"]
    back = since(story)[-1]
    assert (back["order"], back["customer"], back["name"], back["amount"]) == (order.id, 1, "Олена Коваленко", 900)


def test_declines_of_a_plan_say_when_it_is_tried_again_and_then_that_it_failed(story: Story) -> None:
    story.house.offer("49.00", number="7", name="Club", every="1 month")
    story.subscribed("7", token="tok_card_declined")
    begun = events.last(story.house.connection)
    for _ in range(3):
        story.now += timedelta(days=40)
        story.tick()
    told = [event for event in since(story, begun) if event["kind"] in ("attempt.scheduled", "recurring.failed")]
    assert [(event["kind"], event["attempt"]) for event in told] == [
        ("attempt.scheduled", 1),
        ("attempt.scheduled", 2),
        ("recurring.failed", 3),
    ]
    assert told[0]["next_attempt_at"] > told[0]["at"]
    assert told[2]["next_attempt_at"] is None
    assert kinds(story, begun).count("payment.declined") == 3
    recurring_actions.retry(story.work, 1)
    assert "recurring.resumed" in kinds(story)


def test_doubt_a_last_payment_and_charging_turned_off_are_events(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="2")
    story.pay(story.order("7"), token="tok_timeout_after_charge", payment_system="Sandbox")
    assert kinds(story)[-1] == "payment.unknown"
    story.subscribed("7")
    story.now += timedelta(days=40)
    story.tick()
    assert "recurring.completed" in kinds(story)
    limits.turn_off(story.work, "a doubt")
    assert kinds(story)[-1] == "charging.off"


def test_an_event_is_written_in_the_transaction_of_its_change(story: Story) -> None:
    story.house.offer("49.00", number="7")
    before = kinds(story)
    assert story.house.run("orders", "new", "1", "7", "--dry-run").code == 0
    assert kinds(story) == before


def test_every_kind_happens_or_is_known_and_all_are_shown(shop: Shop) -> None:
    happened = set(kinds(shop))
    assert happened <= set(events.KINDS)
    assert {"order.paid", "order.declined", "order.refunded", "sale.confirmed", "recurring.started"} <= happened


@pytest.mark.parametrize(
    ("subject", "what", "changes", "kind"),
    [
        *((subject, "changed", {"status": (before, after)}, kind)
          for (subject, before, after), kind in events._MOVES.items()),
        *((subject, f"{words} 7", {"price_minor": (1, 2)}, kind) for (subject, words), kind in events._WORDS.items()),
        ("order", "opened", {"status": (None, "open"), "price_minor": (None, 4900)}, "order.opened"),
        ("order", "confirmed", {"confirmed": (0, 1)}, "sale.confirmed"),
        ("order", "confirmed", {"status": ("open", "completed"), "confirmed": (0, 1)}, "sale.confirmed"),
        ("order", "checked", {"confirmed": (1, 0)}, None),
        ("order", "changed", {"status": (None, "completed")}, None),
        ("order", "changed", {"comment": (None, '"status":["open","completed"]')}, None),
        ("order", "changed", {"offer_name": (None, '"status":["open","completed"]')}, None),
        ("order", "updated by an import", {"status": ("open", "completed")}, None),
        ("invoice", "refunded", {"refunded_minor": (0, 100)}, "payment.refunded"),
        ("invoice", "refunded", {"status": ("completed", "refund")}, "payment.refunded"),
        ("invoice", "dispute lost", {"refunded_minor": (0, 100)}, "dispute.lost"),
        ("invoice", "dispute dp_1 opened", {}, "dispute.opened"),
        ("invoice", "dispute dp_1 won", {}, None),
        ("recurring", "payment 2 made", {"payments_made": (1, 2)}, None),
        ("recurring", "payment 12 made", {"status": ("processing", "completed")}, "recurring.completed"),
        ("recurring", "completed", {"status": ("paused", "completed")}, "recurring.completed"),
        ("recurring", "attempt 1 of payment 2 declined", {"status": ("processing", "active")}, "attempt.scheduled"),
        ("recurring", "attempt 3 of payment 2 declined", {"status": ("processing", "failed")}, "recurring.failed"),
        ("recurring", "attempt 1 of payment 2 declined", {"declines": (0, 1)}, None),
        ("customer", "opened", {"status": ("open", "completed")}, None),
    ],
)  # fmt: skip
def test_a_lines_kind_is_that_of_its_words_and_its_status(
    story: Story, subject: str, what: str, changes: dict[str, tuple[object, object]], kind: str | None
) -> None:
    begun = events.last(story.house.connection)
    history.record(story.work, subject, None, what, changes)
    assert kinds(story, begun) == ([kind] if kind else [])


def test_lines_of_older_versions_have_blanks_in_their_changes(story: Story) -> None:
    begun = events.last(story.house.connection)
    history.record(story.work, "order", 1, "paid")
    story.house.connection.execute("CREATE TEMP TABLE line AS SELECT * FROM history ORDER BY id DESC LIMIT 1")
    older = """UPDATE temp.line SET id = id + 1, changes = '{"status": ["open", "completed"]}'"""
    for sql in (older, "INSERT INTO history SELECT * FROM temp.line"):
        story.house.connection.execute(sql)
    assert kinds(story, begun) == ["order.paid"]


@pytest.mark.of_files("SQLite's plan")
def test_the_latest_are_read_from_the_end_of_the_history(story: Story) -> None:
    connection, statements = story.house.connection, list[str]()
    connection.set_trace_callback(statements.append)
    events.latest(connection, 1)
    connection.set_trace_callback(None)
    plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {statements[0]}")]
    assert plan == ["SEARCH h USING INTEGER PRIMARY KEY (rowid>?)"]


def test_programs_get_the_objects_of_the_schema_and_go_on_after_a_number(shop: Shop) -> None:
    ran = shop.house.run("events", "--after", "0", "--ndjson")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    found = since(shop)
    assert [line["event"] for line in lines] == [event["event"] for event in found]
    assert lines == [events.as_object(event) for event in found]
    assert lines == [json_output.as_object(events.COLUMNS, event) for event in found]
    assert lines[0].keys() == all_schemas(cli)["events"]["items"]["properties"].keys()
    middle = lines[len(lines) // 2]["event"]
    rest = shop.house.run("events", "--after", middle, "--format", "ndjson").out.splitlines()
    assert [json.loads(line)["event"] for line in rest] == [n["event"] for n in lines if n["event"] > middle]


def test_a_table_shows_the_latest_and_a_kind_alone(shop: Shop) -> None:
    found = [event["event"] for event in since(shop) if event["kind"] == "order.paid"]
    shown = shop.house.run("events", "--kind", "order.paid", "--limit", "3", "--csv").rows
    assert [int(row["event"]) for row in shown] == found[-3:]
    wrong = shop.house.run("events", "--kind", "order.payd")
    assert (wrong.code, "order.paid" in wrong.err) == (2, True)


def test_follow_writes_what_happens_while_it_runs(story: Story) -> None:
    story.house.offer("49.00", number="7")
    line = [sys.executable, "-m", "salescli", "--db", story.house.run.named, "events", "--follow", "--ndjson"]
    with subprocess.Popen([*line, "--after", "0"], stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout
        story.order("7")
        assert json.loads(following.stdout.readline())["kind"] == "order.opened"
        following.kill()


@pytest.mark.of_files("a shop on a server stays where it is")
def test_follow_goes_on_in_the_file_that_a_long_import_put_there(
    story: Story, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = story.house.run
    story.house.offer("49.00", number="7")
    imported = tmp_path / "orders.csv"
    imported.write_text("order,created_at,status,customer,offer,currency,price\nA1,2026-01-02,open,Ivan,Mug,EUR,9\n")
    line = [sys.executable, "-m", "salescli", "--db", run.named, "events", "--follow", "--ndjson", "--after", "0"]
    monkeypatch.setattr(beside, "LONG_BYTES", 1)
    monkeypatch.setattr(beside, "_COST_OF_COPYING", 1 << 20)
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as following:
        try:
            assert following.stdout
            assert run("orders", "new", "1", "7").code == 0
            assert json.loads(following.stdout.readline())["order"] == 1
            before = run.path.stat().st_ino
            assert run("import", "orders", imported).code == 0
            assert run.path.stat().st_ino != before
            assert run("orders", "new", "1", "7").code == 0
            assert select.select([following.stdout], [], [], STUCK_AFTER)[0]
            assert json.loads(following.stdout.readline())["order"] == 3
        finally:
            following.kill()


def test_who_was_erased_has_no_name_in_old_events(story: Story) -> None:
    story.house.offer("49.00", number="7")
    story.pay(story.order("7"))
    assert since(story)[-1]["name"] == "Олена Коваленко"
    assert story.house.run("customers", "erase", "1", "--yes").code == 0
    assert "Олена" not in story.house.run("events", "--json").out
    assert "olena@" not in story.house.run("events", "--json").out


def test_events_are_counted_and_chosen_by_what_decides_their_kind_alone(shop: Shop) -> None:
    found = since(shop)
    connection = shop.house.connection
    with asked(connection) as statements:
        assert events.count(connection) == len(found)
    assert len(statements) == 1
    for kind in {event["kind"] for event in found}:
        own = [event for event in found if event["kind"] == kind]
        assert list(events.after(connection, 0, [kind])) == own
        assert events.latest(connection, 2, [kind]) == own[-2:]
        assert events.count(connection, own[0]["event"], [kind]) == len(own) - 1
        assert int(shop.house.run("events", "--kind", kind, "--format", "count").out) == len(own)
    assert events.latest(connection, 3) == found[-3:]

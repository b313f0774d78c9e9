"""What a change leaves, for programs: the records as the lists give them, or their numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

import salescli
from salescli.cli import schema
from salescli.cli.main import cli
from salescli.cli.pages import ListCommand
from salescli.cli.results import LISTS
from tests.conftest import LOGIN, House
from tests.project.test_architecture import COMMANDS

# Command -> why it gives no objects.
WITHOUT = {
    "init": "there is no record yet",
    "adopt": "changes where the file lives, no record",
    "move": "changes where the database lives, no record",
    "upgrade": "changes the tables, no record",
    "rebuild-totals": "what reports show is the same before and after",
    "restore": "replaces the file",
    "cron": "changes the crontab",
    "tick": "its user may run it without viewing records; the history and events tell what it did",
    "gateway-sync": "its user may run it without viewing records; the history and events tell what it did",
    "reconcile": "has a list of its own, of what was compared",
}


@pytest.fixture
def shop(house: House) -> House:
    """A customer, an offer, a payment system that charges and one for people."""
    house.customer("Olena", email="olena@example.com")
    house.offer(number="7", price="49.00")
    house.payment_system("Sandbox")
    house.payment_system("Bank", gateway="manual")
    return house


def test_every_command_that_changes_a_record_has_json_and_numbers() -> None:
    for path, command in COMMANDS:
        names = {param.name for param in command.params}
        name = " ".join(path)
        if isinstance(command, click.Group) or "dry_run" not in names or name in WITHOUT:
            continue
        assert {"as_json", "as_ids"} <= names, name


def test_a_change_gives_the_objects_of_the_lists(shop: House) -> None:
    done = shop.run("orders", "new", "1", "7", "--payment-system", "Sandbox", "--token", "tok_ok", "--json")
    assert done.json["orders"] == shop.run("orders", "list", "--json").json
    assert "order 1: Course" in done.err
    paid = shop.run("orders", "pay", "1", "--json").json
    assert paid == {
        "orders": shop.run("orders", "list", "--json").json,
        "payments": shop.run("payments", "list", "--json").json,
    }


def test_a_declined_payment_gives_what_it_left(shop: House) -> None:
    shop.run("orders", "new", "1", "7", "--payment-system", "Sandbox", "--token", "tok_declined")
    done = shop.run("orders", "pay", "1", "--json")
    assert (done.code, [one["status"] for one in done.json["payments"]]) == (1, ["declined"])


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("orders new 1 7", "1\n"),
        ("customers add Ivan", "2\n"),
        ("customers edit 1 --phone +380441234567", "1\n"),
        ("customers edit 1 --email olena@example.com", ""),
        ("offers add Pen --price 1.00", "2\n"),
        ("payment-systems edit Bank --fee 1%", "Bank\n"),
    ],
)
def test_q_gives_the_numbers_of_what_changed(shop: House, line: str, numbers: str) -> None:
    done = shop.run(*line.split(), "-q")
    assert (done.code, done.out) == (0, numbers), done.err


def test_several_records_are_given_in_one_object(shop: House) -> None:
    for _ in range(2):
        shop.run("orders", "new", "1", "7")
    done = shop.run("orders", "cancel", "1", "2", "--reason", "twice", "--yes", "--json")
    assert [(one["order"], one["status"]) for one in done.json["orders"]] == [(1, "declined"), (2, "declined")], done


@pytest.mark.parametrize(
    ("line", "key", "told", "words"),
    [
        ("charging off --reason why", "charging", {"on": False, "reason": "why", "limits": []}, "off"),
        ("charging on", "charging", {"on": True, "reason": None, "limits": []}, "on"),
        ("charging limit 5", "charging", {"on": True, "reason": None, "limits": ["at most 5 charges per day"]}, "on"),
        ("close 2026-02", "months", {"month": "2026-02", "closed": True, "unconfirmed": 0}, "2026-02"),
        ("reopen 2026-01 --reason why --yes", "months", {"month": "2026-01", "closed": False, "by": None}, "2026-01"),
        ("close", "months", {"month": "2026-01", "closed": True}, "2026-01"),
        ("hooks add log --program log", "hooks", {"name": "log", "target": "log", "active": True}, "log"),
        ("hooks edit crm --no-active", "hooks", {"name": "crm", "target": "crm", "active": False}, "crm"),
        ("hooks remove crm", "hooks", None, "crm"),
        ("notify crm", "told", {"hook": "crm", "sent": 0, "refused": 0}, "crm"),
    ],
)
def test_what_changes_no_record_gives_what_is_now_true(
    shop: House, line: str, key: str, told: dict[str, Any] | None, words: str
) -> None:
    def prepared() -> None:
        shop.run("close", "2026-01")
        shop.run("hooks", "add", "crm", "--program", "crm")

    prepared()
    done = shop.run(*line.split(), "--json")
    assert list(done.json) == [key], done.err
    rows = done.json[key]
    assert [{name: row[name] for name in told or ()} for row in rows] == ([] if told is None else [told])
    assert _faults(schema.all_schemas(cli)["changes"]["properties"][key], rows) == []
    shop.run("hooks", "remove", "log")
    shop.run("reopen", "2026-02", "--reason", "again", "--yes")
    prepared()
    assert shop.run(*line.split(), "-q").out == f"{words}\n"


@pytest.mark.parametrize(
    ("command", "file", "counts", "more", "numbers"),
    [
        ("customers import", "name,email\nA,a@example.com\nB,\nOlena,olena@example.com\n", (3, 2, 1), "C,\n", "4\n"),
        ("payment-systems import", "name,gateway\nCash,manual\n", (1, 1, 0), "Card,manual\n", "Card\n"),
        (
            "import orders",
            "order,created_at,status,customer,offer,price,currency\n9,2026-02-01,open,Ivan,Pen,5,EUR\n",
            (1, 1, 0),
            "7,2026-02-02,open,Ivan,Pen,5,EUR\n",
            "2\n",
        ),
    ],
)
def test_an_import_gives_what_it_did_and_the_numbers_of_what_it_added(
    shop: House, tmp_path: Path, command: str, file: str, counts: tuple[int, int, int], more: str, numbers: str
) -> None:
    (tmp_path / "rows.csv").write_text(file)
    words = [*command.split(), str(tmp_path / "rows.csv")]
    done = shop.run(*words, "--json")
    [told] = done.json["imports"]
    assert (told["rows"], told["added"], told["unchanged"]) == counts, done.err
    assert _faults(schema.all_schemas(cli)["changes"]["properties"]["imports"], [told]) == []
    if command == "import orders":
        assert told["created"] == [{"what": "customers", "number": 1}, {"what": "offers", "number": 1}]
    assert shop.run(*words, "-q").out == "", "nothing is added twice"
    (tmp_path / "rows.csv").write_text(file + more)
    assert (again := shop.run(*words, "-q")).out == numbers, again.err


def test_what_is_refused_gives_nothing_and_a_dry_run_has_nothing_to_give(shop: House) -> None:
    refused = shop.run("orders", "new", "1", "nothing", "--json")
    assert (refused.code, refused.out) == (3, "")
    done = shop.run("orders", "new", "1", "7", "--json", "--dry-run")
    assert (done.code, "a dry run changes nothing" in done.err) == (2, True)


def test_the_history_gives_changes_as_fields_in_json_only(shop: House) -> None:
    shop.run("offers", "edit", "7", "--price", "50.00")
    [first, *_] = shop.run("history", "offer", "7", "--json").json
    assert first["fields"] == [{"field": "price_minor", "from": 4900, "to": 5000}]
    assert first["changes"] == "price: 49.00 → 50.00 EUR"
    assert "fields" not in shop.run("history", "offer", "7", "--csv").rows[0]
    [row, *_] = shop.run("history", "offer", "7", "--csv", "--columns", "fields").rows
    assert json.loads(row["fields"]) == first["fields"]


def test_each_subject_has_its_list() -> None:
    from salescli.storage.history import SUBJECTS

    assert LISTS.keys() == set(SUBJECTS) - {"import", "file"}


def test_what_is_written_is_as_its_schema_says(shop: House) -> None:
    shop.run("orders", "new", "1", "7", "--payment-system", "Sandbox", "--token", "tok_ok")
    changed = shop.run("orders", "pay", "1", "--json").json
    schemas = schema.all_schemas(cli)
    for key in (*dict(LISTS.values()), "history"):
        words = ["history"] if key == "history" else [key, "list"]
        rows = shop.run(*words, "--json").json
        assert _faults(schemas[key], rows) == [], key
    for key, rows in changed.items():
        assert _faults(schemas[key], rows) == []
        assert key in schemas["changes"]["properties"]
    assert _faults(schemas["orders"], [{"order": "1"}]) != []


def test_each_output_of_rows_is_as_its_schema_says(shop: House) -> None:
    """Of the commands that are no plain list of records: who owes, what to do, reports."""
    shop.offer(number="8", price="5.00", every="1 month", instalments="30% now, the rest in 30 days")
    for line in (
        "customers save-token 1 tok_ok --payment-system Sandbox",
        "orders sell 1 8 --paid --check",
        "orders sell 1 8 --paid 2.00 --payment-system Bank",
        "orders new 1 7 --payment-system Bank",
        "orders pay 3",
    ):
        assert shop.run(*line.split()).code == 0, line
    schemas = schema.all_schemas(cli)
    for path, command in COMMANDS:
        if not isinstance(command, ListCommand) or path[-1] in ("list", "show", "history", "reconcile"):
            continue
        needs = {"customers tokens": ["1"], "customers plans": ["1"], "simulate": ["--until", "+40d"]}
        name, given = "-".join(path), needs.get(" ".join(path), [])
        if path[0] == "reports":  # with what options add
            given = ["--by", "month", "--compare", *{"by-manager": ["--share", "10%"]}.get(path[-1], [])]
            given += ["--and", "offer"] if path[-1] in ("by-manager", "by-currency") else []
        found = shop.run(*path, *given, "--json").json
        if path[0] == "reports":
            rows, wanted = found["rows"], schemas[name]["properties"]["rows"]
        else:
            rows, wanted = found, schemas[name]
        assert _faults(wanted, rows) == [], name
        assert rows or name in ("doctor", "customers-plans", "reports-by-category", "reports-by-manager"), name
    assert {"reconcile", "config-show"} <= schemas.keys()


def test_each_record_s_page_is_as_its_schema_says(shop: House) -> None:
    shop.offer(number="8", price="5.00", every="1 month")
    for line in (
        "customers save-token 1 tok_ok --payment-system Sandbox",
        "orders sell 1 8 --paid --check",
        "categories add Courses --number 3",
    ):
        assert shop.run(*line.split()).code == 0, line
    schemas = schema.all_schemas(cli)
    found = {path[0]: command for path, command in COMMANDS if getattr(command, "record", None)}
    assert {"orders", "payments", "recurring", "customers", "offers"} <= found.keys()
    for name in found:
        record = {"categories": "3", "offers": "8", "users": LOGIN, "roles": "owner", "payment-systems": "Sandbox"}
        page = shop.run(name, "show", record.get(name, "1"), "--json").json
        wanted = schemas[f"{name}-show"]
        lists = {key: value for key, value in page.items() if wanted["properties"][key]["type"] == "array"}
        for key, rows in lists.items():
            assert _faults(wanted["properties"][key], rows) == [], (name, key)
        own = {key: one for key, one in wanted["properties"].items() if key not in (*lists, "more")}
        keys = [key for key in wanted["required"] if key in own]
        record_alone = {"items": {"properties": own, "required": keys}}
        assert _faults(record_alone, [{key: page[key] for key in page if key not in (*lists, "more")}]) == [], name
        assert set(wanted["required"]) <= page.keys(), name
    assert isinstance(shop.run("customers", "show", "1", "--json").json["orders"], int)


def _faults(wanted: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Return what is not as the schema of a list says."""
    types = {"string": str, "integer": int, "boolean": bool, "array": list, "null": type(None)}
    row_schema, faults = wanted["items"], []
    for row in rows:
        faults += [f"{key} is missing" for key in row_schema["required"] if key not in row]
        for key, value in row.items():
            expected = row_schema["properties"].get(key)
            if expected is None:
                faults.append(f"{key} is not told")
                continue
            allowed = [expected["type"]] if isinstance(expected["type"], str) else expected["type"]
            if type(value) not in [types[name] for name in allowed] or (
                isinstance(value, str) and not re.search(expected.get("pattern", ""), value)
            ):
                faults.append(f"{key} is {value!r}")
    return faults


def test_the_schemas_in_the_docs_are_fresh() -> None:
    folder = Path(salescli.__file__).parent / "docs" / "schema"
    stored = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    assert stored == schema.all_schemas(cli)

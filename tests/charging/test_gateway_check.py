"""The test charge of `payment-systems check --token`: refused as any charge is, and never forgotten."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from salescli.catalogue import payment_systems
from salescli.charging import gateway_check, limits
from salescli.errors import WrongStatus
from salescli.gateways.sandbox import Sandbox
from salescli.rules.time import now
from salescli.storage import database
from tests import PROJECT
from tests.conftest import House

CHECK = ("payment-systems", "check", "Sandbox", "--token", "tok_ok", "--yes")


def _booked(house: House) -> int:
    ledger = Path(f"{house.path}.sandbox")
    if not ledger.exists():
        return 0
    with sqlite3.connect(ledger) as book:
        return int(book.execute("SELECT count(*) FROM entries").fetchone()[0])


def test_it_is_recorded_from_its_beginning_to_its_end(house: House) -> None:
    house.payment_system("Sandbox", gateway="sandbox")

    assert house.run(*CHECK).code == 0

    assert house.count("gateway_checks", "ended_at IS NOT NULL") == 1
    lines = [line["what"] for line in house.history("payment system", 1)]
    assert lines[-2:] == ["check begun", "check ended"]


def test_a_copy_tests_through_no_door(house: House) -> None:
    house.payment_system("Sandbox", gateway="sandbox")
    database.set_setting(house.connection, "home", "elsewhere:/sales.db")

    ran = house.run(*CHECK)

    assert (ran.code, _booked(house)) == (1, 0)
    assert "salescli adopt" in ran.err


def test_the_brakes_hold_it(house: House) -> None:
    house.payment_system("Sandbox", gateway="sandbox")
    limits.limit(house.work, "day", "0.50", "EUR")
    assert house.run(*CHECK).code == 5
    limits.limit(house.work, "day", "", "EUR")
    limits.turn_off(house.work, "a wrong price")
    assert house.run(*CHECK).code == 5
    assert _booked(house) == 0
    assert house.count("gateway_checks") == 0


@pytest.fixture
def slow(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A payment system whose program charges, and then hangs: it has written a file by then."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(PROJECT / "scripts" / "salescli-gateway-example", folder)
    (folder / "python3").symlink_to(sys.executable)
    charged = tmp_path / "charged"
    program = folder / "salescli-gateway-slow"
    program.write_text(
        f'#!/bin/sh\n"{folder}/salescli-gateway-example" "$@"\n'
        f'if [ "$1" = charge ]; then touch "{charged}"; while [ -e "{charged}" ]; do sleep 0.05; done; fi\n'
    )
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("EXAMPLE_BOOK", str(tmp_path / "book.db"))
    house.payment_system("Slow", gateway="command:slow", env="EXAMPLE_BOOK")
    return charged


def test_one_that_was_killed_after_its_charge_is_named_and_refunded(house: House, slow: Path) -> None:
    line = [sys.executable, "-m", "salescli", "--db", house.run.named, "payment-systems", "check", "Slow"]
    running = subprocess.Popen([*line, "--token", "rich", "--yes"], stdout=subprocess.DEVNULL)
    for _ in range(600):
        if slow.exists():
            break
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    slow.unlink()
    assert house.count("gateway_checks", "ended_at IS NULL") == 1
    [named] = gateway_check.unended_lines(house.work.at(now() + timedelta(minutes=11)))
    assert "--finish" in named
    refused = house.run("payment-systems", "check", "Slow", "--token", "rich", "--yes")
    assert (refused.code, "--finish" in refused.err) == (5, True)

    ran = house.run("payment-systems", "check", "Slow", "--finish")

    assert ran.code == 0, ran.err
    assert "1.00 EUR refunded" in ran.out
    assert house.count("gateway_checks", "ended_at IS NULL") == 0
    with sqlite3.connect(os.environ["EXAMPLE_BOOK"]) as book:
        rows = book.execute("SELECT * FROM book").fetchall()
    assert len(rows) == 2, rows


def test_a_test_charge_that_may_be_on_its_way_is_not_given_up(house: House) -> None:
    system = payment_systems.find(house.connection, str(house.payment_system("Sandbox", gateway="sandbox").name))
    request = gateway_check.request_for(house.work, system, "tok_ok", "1.00", "EUR")
    check = gateway_check.begin(house.work, system, request)
    gateway = Sandbox(Path(f"{house.path}.sandbox"))

    with pytest.raises(WrongStatus, match="on its way"):
        gateway_check.finish(house.work, check, gateway)
    gateway.charge(request, 10)

    assert "refunded" in gateway_check.finish(house.work, check, gateway)


ODD = """#!/bin/sh
here=$(dirname "$0"); op=$1; echo $op >> "$here/calls"
say() { echo "{\\"version\\": 1, \\"kind\\": \\"result\\", $1}"; }
money='"gateway_id": "p1", "amount_minor": 100, "currency": "EUR"'
[ "$op" = "$(cat "$here/cut")" ] && exit 1
case $op in
check) say "\\"capabilities\\": [$(cat "$here/able")], \\"key_ttl_seconds\\": 0";;
charge) say "\\"result\\": {\\"status\\": \\"succeeded\\", $money}";;
refund) say "\\"result\\": {\\"status\\": \\"refunded\\", $money}";;
lookup) if grep -q :refund: && ! grep -q refund "$here/calls"; then say '"result": {"status": "not_found"}'
  else say "\\"result\\": {\\"status\\": \\"succeeded\\", $money}"; fi;;
esac
"""


@pytest.mark.parametrize(
    ("able", "cut", "refunds_asked"),
    [
        pytest.param('"charge", "refund"', "charge", 0, id="a charge that nobody can look up"),
        pytest.param('"charge", "refund", "lookup"', "refund", 1, id="a refund that was cut"),
    ],
)
def test_a_charge_that_may_be_owed_stays_open_until_it_is_finished(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, able: str, cut: str, refunds_asked: int
) -> None:
    program = tmp_path / "salescli-gateway-odd"
    program.write_text(ODD)
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "able").write_text(able)
    (tmp_path / "cut").write_text(cut)
    house.payment_system("Odd", gateway="command:odd")

    ran = house.run("payment-systems", "check", "Odd", "--token", "t", "--yes")

    assert ran.code == 1
    assert "payment-systems check Odd --finish" in ran.out
    assert house.count("gateway_checks", "ended_at IS NULL") == 1
    (tmp_path / "cut").write_text("none")
    assert house.run("payment-systems", "check", "Odd", "--finish").code == 0
    assert house.count("gateway_checks", "ended_at IS NULL") == 0
    assert (tmp_path / "calls").read_text().split().count("refund") == refunds_asked

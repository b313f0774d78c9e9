"""A card number that is typed or sent anywhere is stored nowhere and shown nowhere, whole or in groups."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from salescli.gateways import answers
from salescli.gateways.protocol import Declined, Result
from tests.conftest import House
from tests.story import Story

PLAIN = "4111111111111111"
CARDS = (PLAIN, "4111-1111-1111-1111", "4111 1111 1111 1111", "4111.1111.1111.1111")
EVERYWHERE = (
    *(
        f"{noun} list --{option} CARD"
        for noun in ("orders", "payments", "recurring")
        for option in ("search", "customer", "offer", "category", "manager", "payment-system", "min", "currency")
    ),
    *(
        f"orders list --{option} CARD"
        for option in ("status", "columns", "sort", "after", "from", "month", "format", "limit")
    ),
    *(f"{noun} show CARD" for noun in ("orders", "customers", "offers", "payments", "recurring", "categories")),
    "history CARD", "history order CARD", "history --by CARD", "explain order CARD", "explain invoice CARD",
    "reports by-offer --by CARD", "reports CARD", "CARD", "orders CARD", "--as CARD todo", "--CARD", "help CARD",
    "customers add CARD", "customers add X --email CARD@x.y", "customers add X --phone CARD",
    "customers plan 1 Course CARD", "customers plan 1 Course ivan --note CARD", "customers erase CARD",
    "customers erase 1 --reason CARD", "customers merge 1 CARD", "customers edit 1 --name CARD",
    "offers add CARD --price 10", "offers add Y --number CARD --price 10", "offers add Y --price CARD",
    "offers edit 1 --name CARD", "offers edit 1 --category CARD", "categories add CARD",
    "categories add Z --number CARD", "payment-systems edit 1 --env ACARD",
    "users add CARD", "users add petro --name CARD", "users edit 1 --role CARD", "roles add CARD",
    "payment-systems add CARD --gateway sandbox", "payment-systems add Q --gateway CARD",
    "payment-systems add Q --gateway command:CARD", "payment-systems edit 1 --fee CARD",
    "orders new CARD Course", "orders new 1 CARD", "orders new 1 Course --token CARD --payment-system Sandbox",
    "orders new 1 Course --manager CARD", "orders new 1 Course --quantity CARD", "orders new 1 Course --at CARD",
    "orders pay 1 --amount CARD", "orders pay 1 --comment CARD", "orders pay 1 --payment-system Sandbox --token CARD",
    "orders refund 1 --reason CARD", "orders refund 1 --amount CARD", "orders decline CARD",
    "payments confirm CARD", "payments resolve 1 --failed --reason CARD", "payments decline CARD",
    "recurring pause CARD", "charging off --reason CARD", "charging limit CARD", "charging limit 10 --currency CARD",
    "tick --now CARD", "simulate --until CARD", "simulate --until +1d --keep no/CARD", "backup no/CARD/CARD",
    "restore CARD", "restore CARD --yes", "--db CARD todo", "orders list -o no/CARD", "import orders CARD.csv",
    "import orders there/CARD.csv", "offers import there/CARD.csv", "offers import there/CARD.csv",
    "offers import bad.csv", "offers import bad.csv --skip-bad --rejects rejected.csv", "offers import header.csv",
    "import orders orders.csv", "import orders orders.csv --source CARD", "reconcile CARD.csv --payment-system Sandbox",
    "reconcile bad.csv --payment-system CARD", "reconcile there/CARD.csv --payment-system Sandbox",
)  # fmt: skip


@pytest.mark.parametrize("card", CARDS)
def test_a_card_number_goes_in_nowhere_and_comes_out_nowhere(
    card: str, story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = story.house
    house.offer("49.00")
    house.user("ivan")
    story.order("Course")
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    Path("there", f"{card}.csv").write_text("name,price,currency\nSecond,10,EUR\n")
    Path("bad.csv").write_text(f"name,price\n{card},10\nX,{card}\nY,10,{card}\n{card}\n")
    Path("header.csv").write_text(f"name,price,{card}\nX,10,1\n")
    header = "order,created_at,status,customer,offer,currency,price,manager,comment"
    Path("orders.csv").write_text(f"{header}\n{','.join([card] * 9)}\nA,2026-01-01,Open,X,Y,EUR,1.00,{card},{card}\n")
    for line in EVERYWHERE:
        ran = house.run(*[word.replace("CARD", card) for word in line.split(" ")])
        shown = f"{ran.out}{ran.err}"
        assert card not in shown, f"{line}: {shown}"
        assert PLAIN not in shown, f"{line}: {shown}"
        assert "Traceback" not in shown, f"{line}: {shown}"
    for file in [*tmp_path.glob("sales.db*"), tmp_path / "rejected.csv"]:
        assert card.encode() not in file.read_bytes(), file
        assert PLAIN.encode() not in file.read_bytes(), file
    assert [word for word in (card, PLAIN) if word in str(house.held())] == []
    assert "(card number).csv, sha256" in house.run("history", "imports", "--csv").out


def test_what_a_gateway_says_is_masked_and_its_own_numbers_are_whole() -> None:
    def declines() -> Result:
        raise Declined(f"card {PLAIN} was refused", code="card_declined", raw_code=f"E-{PLAIN}")

    def breaks() -> Result:
        raise ValueError(f"cannot read {PLAIN}")

    declined, broken = answers.ask(declines), answers.ask(breaks)
    assert (declined.message, declined.raw_code) == ("card (card number) was refused", "E-(card number)")
    assert broken.message == "ValueError: cannot read (card number)"
    said = answers.ask(lambda: Result("succeeded", "r", PLAIN, amount_minor=1, currency="EUR", message=f"by {PLAIN}"))
    assert said.result is not None
    assert (said.result.gateway_id, said.message) == (PLAIN, "by (card number)")
    assert PLAIN not in str(said.result.message)


@pytest.mark.of_files("a restore replaces it")
def test_a_restore_keeps_no_card_number_of_its_file_s_name(house: House, tmp_path: Path) -> None:
    copy = tmp_path / "copies" / f"{PLAIN}.db"
    copy.parent.mkdir()
    assert house.run("backup", copy).code == 0
    house.connection.close()
    line = [sys.executable, "-m", "salescli", "--db", house.run.named, "restore", os.fspath(copy), "--yes"]
    ran = subprocess.run(line, capture_output=True, text=True, check=True)
    assert PLAIN not in ran.stderr
    assert PLAIN not in str(house.held())

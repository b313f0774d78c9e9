"""What programs read: every command that writes JSON writes it, also of nothing, with keys that are words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import House
from tests.project.test_architecture import COMMANDS
from tests.shop import Shop

_RECORDS = {
    "orders show": "1", "recurring show": "1", "payments show": "1", "customers show": "1", "customers plans": "1", "customers tokens": "1",
    "offers show": "10", "categories show": "1", "payment-systems show": "Sandbox", "users show": "ivan",
    "roles show": "manager",
}  # fmt: skip
_FURTHER = {
    "simulate": ["--until", "+1d"],
    "reconcile": ["-", "--payment-system", "Sandbox", "--from", "2026-01", "--to", "2026-01"],
}
WITH_JSON = [" ".join(path) for path, command in COMMANDS if any(param.name == "format" for param in command.params)]
_STATEMENT = "gateway_id,amount,currency\n"


def _keys(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        yield from found
        for value in found.values():
            yield from _keys(value)
    if isinstance(found, list):
        for value in found:
            yield from _keys(value)


@pytest.mark.parametrize("command", WITH_JSON)
def test_every_key_is_a_word(shop: Shop, command: str) -> None:
    record = [_RECORDS[command]] if command in _RECORDS else []
    ran = shop.house.run(*command.split(), *record, *_FURTHER.get(command, []), "--json", stdin=_STATEMENT)
    keys = set(_keys(ran.json))
    assert {key for key in keys if not re.fullmatch("[a-z0-9_]+", key)} == set(), ran.err


@pytest.mark.parametrize("command", [command for command in WITH_JSON if command not in _RECORDS])
def test_nothing_is_an_empty_list(house: House, command: str) -> None:
    house.payment_system()
    ran = house.run(*command.split(), *_FURTHER.get(command, []), "--json", stdin=_STATEMENT)
    rows = ran.json["rows"] if command.startswith("reports ") else ran.json  # beside their totals
    assert (ran.code, isinstance(rows, list)) == (0, True), ran.err


def test_a_check_that_finds_nothing_is_empty_in_every_format(house: House) -> None:
    assert house.run("doctor", "--json").json == []
    assert house.run("doctor", "--csv").out == "check,what,advice\n"
    assert house.run("doctor", "--format", "count").out == "0\n"
    assert house.run("doctor").out == ""

"""The power goes between any two syncs of a claim and its settling: nothing acknowledged may be lost (I2).

A claim that is lost after the gateway was called is a charge that nobody knows of.
"""

from __future__ import annotations

import sqlite3

import pytest

from salescli.storage.sqlite import connection as of_file
from tests.faults import power

pytestmark = pytest.mark.skipif(not power.can_record(), reason="needs strace and the permission to trace")


def test_the_program_s_own_settings_lose_nothing() -> None:
    lost, states = power.lost(None)

    assert states > 50, "too little was recorded to show anything"
    assert lost == 0


def test_its_settings_are_among_those_that_lose_nothing() -> None:
    settings = dict(of_file._journal(sqlite3.sqlite_version_info))

    assert (settings["journal_mode"], settings["synchronous"]) in power.LOSE_NOTHING


@pytest.mark.parametrize("settings", [pytest.param(pair, id=f"{pair[0]} {pair[1]}") for pair in power.LOSE_NOTHING])
def test_either_of_its_settings_loses_nothing(settings: tuple[str, int]) -> None:
    lost, states = power.lost(settings)

    assert states > 50
    assert lost == 0


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(("delete", 2), id="DELETE and FULL: the journal's removal is not synced"),
        pytest.param(("wal", 1), id="WAL and NORMAL: the last commits are not synced"),
    ],
)
def test_the_usual_settings_lose_an_acknowledged_commit(settings: tuple[str, int]) -> None:
    lost, _ = power.lost(settings)

    assert lost > 0

"""The model of ``scripts/bench scale``: what it may never say, and that docs/scale.md shows what it computes."""

from __future__ import annotations

import math
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.storage import migrate
from salescli.storage.postgres import dialect
from tests import PROJECT
from tests.bench import scale
from tests.bench.scale import Inputs

NAMES = [one.name for one in fields(Inputs)]
COSTS = [name for name in NAMES if name.endswith(("_ms", "_us")) or name in ("trips_held", "commits", "reads")]
HELPS = ["workers", "shops", "reads_a_second"]
HOSTS = st.integers(1, 1_000)
ENGINES = st.booleans()


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    """Draw inputs from a tenth of those of the page to ten times as much."""
    usual = Inputs()
    return Inputs(**{name: getattr(usual, name) * draw(st.floats(0.1, 10)) for name in NAMES})


@given(inputs(), HOSTS, HOSTS)
def test_another_host_never_slows_a_server_down_and_never_speeds_a_file_up(given: Inputs, few: int, more: int) -> None:
    few, more = sorted((few, more))
    there = [scale.binding(given, hosts, server=True)[1] for hosts in (few, more)]
    file = {scale.binding(given, hosts, server=False) for hosts in (few, more)}
    assert there == sorted(there)
    assert len(file) == 1


@given(inputs(), HOSTS, ENGINES)
def test_nothing_is_faster_than_any_limit(given: Inputs, hosts: int, server: bool) -> None:
    name, rate = scale.binding(given, hosts, server=server)
    ticks = given.shops * (hosts if server else 1)
    assert rate <= ticks * given.workers / given.gateway_ms * 1000 * (1 + 1e-12)
    assert rate <= ticks / given.cpu_ms * 1000 * (1 + 1e-12)
    assert rate * scale.held_ms(given, server=server) <= given.shops * 1000 * (1 + 1e-12)
    assert rate * given.reads <= given.reads_a_second * (1 + 1e-12)
    assert rate == min(scale.limits(given, hosts, server=server).values())
    assert rate == scale.limits(given, hosts, server=server)[name]


@given(inputs(), HOSTS, ENGINES, st.sampled_from(COSTS), st.floats(1, 100))
def test_what_takes_longer_never_makes_it_faster(
    given: Inputs, hosts: int, server: bool, name: str, times: float
) -> None:
    slower = replace(given, **{name: getattr(given, name) * times})
    assert scale.binding(slower, hosts, server=server)[1] <= scale.binding(given, hosts, server=server)[1]


@given(inputs(), HOSTS, ENGINES, st.sampled_from(HELPS), st.floats(1, 100))
def test_more_workers_shops_and_reads_never_make_it_slower(
    given: Inputs, hosts: int, server: bool, name: str, times: float
) -> None:
    more = replace(given, **{name: getattr(given, name) * times})
    assert scale.binding(more, hosts, server=server)[1] >= scale.binding(given, hosts, server=server)[1]


@given(inputs())
def test_from_enough_hosts_on_another_one_adds_nothing_and_with_fewer_it_does(given: Inputs) -> None:
    enough = scale.hosts_enough(given)
    rates = {hosts: scale.binding(given, hosts, server=True)[1] for hosts in (enough - 1, enough, enough + 1) if hosts}
    assert rates[enough + 1] == pytest.approx(rates[enough])
    assert enough == 1 or rates[enough - 1] < rates[enough]


@given(inputs(), st.floats(0, 1e9), st.floats(1, 1e4))
def test_ticks_take_no_less_time_than_the_payments_alone_and_each_ends_before_the_next(
    given: Inputs, payments: float, rate: float
) -> None:
    seconds = scale.seconds_for(given, payments, rate)
    least, budget = payments / rate, min(given.budget_s, scale.TICK_SECONDS)
    assert least * (1 - 1e-9) <= seconds <= least * scale.TICK_SECONDS / budget * (1 + 1e-9)
    assert scale.seconds_for(given, payments * 2, rate) >= seconds


@given(inputs(), st.integers(1, 10**9), st.floats(0, 20), ENGINES)
def test_a_database_grows_by_its_payments(given: Inputs, recurring: int, years: float, server: bool) -> None:
    sizes = [scale.bytes_after(given, recurring, after, server=server) for after in (0, years, years + 1)]
    each = given.server_bytes if server else given.file_bytes
    assert sizes == sorted(sizes)
    assert sizes[2] - sizes[1] == pytest.approx(recurring * given.payments_a_year * each)


def test_what_costs_nothing_limits_nothing_and_no_workers_charge_nobody() -> None:
    usual = Inputs()
    assert math.isinf(scale.limits(replace(usual, gateway_ms=0), 1, server=True)["gateway"])
    assert scale.binding(replace(usual, workers=0), 4, server=True) == ("gateway", 0)
    assert "never" in scale.text(replace(usual, workers=0))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (["wrokers=5"], "'wrokers' is no input; there are"),
        (["workers"], "could not convert"),
        (["workers=-1"], "workers = -1.0"),
        (["cpu_ms=nan"], "cpu_ms = nan"),
        (["cpu_ms=inf"], "cpu_ms = inf"),
    ],
)
def test_an_input_that_cannot_be_is_refused(settings: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        scale.changed(Inputs(), settings)


def test_the_page_shows_what_the_model_computes() -> None:
    assert scale.PAGE.read_text(encoding="utf-8") == scale.page(Inputs()), "run scripts/bench scale --write"
    assert scale.text(Inputs()) in scale.page(Inputs())


def test_the_command_prints_the_tables_for_other_inputs() -> None:
    line = [sys.executable, "-m", "tests.bench", "scale", "--set", "workers=128"]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == scale.text(replace(Inputs(), workers=128))
    assert "| `workers` | 128 | given |" in done.stdout


def test_the_page_counts_what_the_tables_need_of_an_engine() -> None:
    page = " ".join(scale.PAGE.read_text(encoding="utf-8").split())
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        migrate.run(made)
        held = migrate.definitions(made)
        keys = sum(len({row[0] for row in made.execute(f"PRAGMA foreign_key_list({name})")}) for name in held)
    indexes = [sql for sql in held.values() if re.match(r"CREATE (UNIQUE )?INDEX", sql)]
    partial = [sql for sql in indexes if " WHERE " in sql]
    triggers = [sql for sql in held.values() if sql.startswith("CREATE TRIGGER")]
    named = sum(" UPDATE OF " in sql for sql in triggers)
    unique = sum(sql.startswith("CREATE UNIQUE") for sql in partial)
    assert f"{len(indexes)} indexes, {len(partial)} of them on a part of the rows, and of these {unique} unique" in page
    assert f"{len(triggers)} triggers for each row, before and after, {named} of them for named columns" in page
    assert f"{keys} foreign keys, deferrable" in page
    assert {4: "four"}[sum("CREATE OPERATOR" in sql for sql in dialect.statements())] + " operators" in page

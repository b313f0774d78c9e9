"""Tab completion, as bash asks for it: what the program takes, and the database's names and numbers."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from salescli.cli.index import PAYMENTS
from salescli.cli.main import cli
from salescli.lists import candidates
from tests.conftest import House

_COMPLETE = """
eval "$(_SALESCLI_COMPLETE=bash_source salescli)"
COMP_LINE="$1" COMP_POINT=${#1}
_salescli_completion salescli
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        pytest.param("salescli or", {"orders"}, id="a group"),
        pytest.param("salescli payments ", set(PAYMENTS), id="all commands of a group"),
        pytest.param("salescli orders p", {"pay"}, id="a command"),
        pytest.param("salescli customers ed", {"edit"}, id="a command of a group without an index"),
        pytest.param("salescli orders list --unc", {"--unconfirmed"}, id="an option"),
        pytest.param("salescli orders --unc", {"--unconfirmed"}, id="an option of the list that the bare name means"),
        pytest.param("salescli --color n", {"never"}, id="a choice"),
        pytest.param("salescli orders list --format nd", {"ndjson"}, id="a format"),
        pytest.param("salescli orders list --month last-m", {"last-month"}, id="a period"),
        pytest.param("salescli orders list --status de", {"declined"}, id="a status of orders"),
        pytest.param("salescli recurring list --status pa", {"paused"}, id="a status of recurring orders"),
        pytest.param("salescli reports by-offer --status Com", {"completed"}, id="a status in a report"),
        pytest.param("salescli orders --status completed --limit 3 --fr", {"--from"}, id="after other options"),
        pytest.param("salescli payments list --columns share", {"share", "share_total"}, id="a column"),
        pytest.param("salescli offers list --columns name,pr", {"name,price"}, id="a column after another"),
        pytest.param("salescli orders list --sort order,-pri", {"order,-price"}, id="a column to sort by, descending"),
        pytest.param("salescli reports by-offer --sort orders,-ne", {"orders,-net"}, id="a column of a report"),
        pytest.param("salescli reports --columns payment", {"payments"}, id="a column of all reports"),
        pytest.param("salescli history pay", {"payments", "payment-systems"}, id="a subject of the history"),
        pytest.param("salescli history order --columns rea", {"reason"}, id="a column of the history"),
        pytest.param("salescli help sev", {"several-people"}, id="a page of help"),
        pytest.param("salescli orders show ", {""}, id="nothing for a record where there is no database"),
    ],
)
def test_bash_is_offered(typed: str, offered: set[str], tmp_path: Path) -> None:
    done = _bash(typed, tmp_path / "none.db")

    assert (set(done.stdout.split("\n")[:-1]), done.stderr) == (offered, "")
    assert list(tmp_path.iterdir()) == []


def _bash(typed: str, path: str | Path) -> subprocess.CompletedProcess[str]:
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "SALESCLI_DB": str(path)}
    return subprocess.run(["bash", "-c", _COMPLETE, "bash", typed], env=environment, capture_output=True, text=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        pytest.param("salescli orders new Ol", {r"Olena\ Koval", "olena@example.com"}, id="a name and an email"),
        pytest.param(r"salescli orders new Olena\ K", {r"Olena\ Koval"}, id="within a name"),
        pytest.param("salescli orders new 'Olena K", {"Olena Koval"}, id="within quotes"),
        pytest.param("salescli customers show olena@ex", {"example.com"}, id="after @, where bash splits"),
        pytest.param("salescli orders list --customer=Ole", {r"Olena\ Koval", "olena@example.com"}, id="after ="),
    ],
)
def test_bash_is_offered_names_as_it_takes_them(shop: House, typed: str, offered: set[str]) -> None:
    done = _bash(typed, shop.run.named)
    assert (set(done.stdout.split("\n")[:-1]), done.stderr) == (offered, "")


_TYPED = """
eval "$(_SALESCLI_COMPLETE=bash_source salescli)"
COMP_LINE="salescli customers show $1$2" COMP_POINT=1000
_salescli_completion salescli
quote="$1"
for one in "${COMPREPLY[@]}"; do eval "set -- $quote$one$quote"; printf '%s\\n' "$*"; done
"""

_HOSTILE = [
    "x$(touch pwned)", "x`touch pwned`", "x'; touch pwned; '", 'x"; touch pwned; "', "x; touch pwned", "x&touch pwned",
    "x|touch pwned", "x >pwned", "x\\", "x\\$(touch pwned)", "x *", "x?", "x{a,b}", "x!!", "x!$(touch pwned)", "x#y",
    "x~",
    "x a  b", "x=~", "x\u00a0y",
]  # fmt: skip


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize("quote", ["", "'", '"'], ids=["bare", "single quotes", "double quotes"])
def test_a_name_that_bash_offers_is_that_name_and_runs_nothing(house: House, quote: str) -> None:
    """What is offered, read by bash as part of a line, is one word; a file beside it is not offered."""
    for name in _HOSTILE:
        house.customer(name)
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "SALESCLI_DB": house.run.named}
    folder = house.path.parent
    before = sorted(folder.iterdir())
    line = ["bash", "-c", _TYPED, "bash", quote, "x"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, cwd=folder)
    assert done.stderr == ""
    assert sorted(done.stdout.splitlines()) == sorted(_HOSTILE)
    assert sorted(folder.iterdir()) == before


def test_names_that_would_be_options_or_lines_are_not_offered(house: House) -> None:
    """Also not in what stands beside a number: a shell reads it line by line."""
    for name in ("--yes", "-y", "two\nlines", "tab\tname"):
        house.customer(name)
    assert _offered(house.run.named, "customers", "erase", "") == []
    found = ShellComplete(cli, {}, "salescli", "_SALESCLI_COMPLETE")
    items = found.get_completions(["--db", house.run.named, "customers", "show"], "3")
    assert [(item.value, item.help) for item in items] == [("3", "two lines")]


@pytest.fixture
def shop(house: House) -> House:
    """A customer with two orders, one of them paid, an offer, a payment system."""
    house.customer("Olena Koval", email="olena@example.com")
    house.offer(name="Drawing course", number="7")
    house.payment_system("Sandbox")
    assert house.run("orders", "new", "1", "7", "--payment-system", "Sandbox", "--token", "tok_ok").code == 0
    assert house.run("orders", "pay", "1").code == 0
    assert house.run("orders", "new", "1", "7").code == 0
    return house


def _offered(path: str | Path, *words: str) -> list[str]:
    """Return what is offered for the last word."""
    found = ShellComplete(cli, {}, "salescli", "_SALESCLI_COMPLETE")
    return [item.value for item in found.get_completions(["--db", str(path), *words[:-1]], words[-1])]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["orders", "show", ""], ["2", "1"]),
        (["orders", "pay", ""], ["2"]),
        (["orders", "refund", ""], ["1"]),
        (["orders", "show", "1"], ["1"]),
        (["orders", "show", "0"], []),
        (["orders", "show", "x"], []),
        (["orders", "new", "1", "dra"], ["Drawing course"]),
        (["orders", "new", "1", "7", "--payment-system", "s"], ["Sandbox"]),
        (["orders", "list", "--offer", ""], ["Drawing course"]),
        (["orders", "assign", "--manager", "zz"], []),
        (["payments", "show", ""], ["1"]),
        (["payments", "confirm", ""], []),
        (["recurring", "pause", ""], []),
        (["recurring", "retry", ""], []),
        (["customers", "edit", "ole"], ["Olena Koval", "olena@example.com"]),
        (["customers", "add", "ole"], []),
        (["explain", "order", "2"], ["2"]),
        (["users", "edit", "zz"], []),
        (["order", "pay", ""], ["2"]),
    ],
    ids=" ".join,
)
def test_records_are_offered(shop: House, words: list[str], offered: list[str]) -> None:
    assert _offered(shop.run.named, *words) == offered


@pytest.mark.of_files("another writer locks it")
def test_nothing_is_offered_while_the_database_is_locked(shop: House) -> None:
    with sqlite3.connect(shop.path) as other:
        other.execute("PRAGMA locking_mode = exclusive")
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        offered = _offered(shop.run.named, "orders", "show", "")
        took = time.monotonic() - began
    assert offered in ([], ["2", "1"])  # a write-ahead log lets others read
    assert took < 2


def test_nothing_is_offered_to_a_stranger_nor_through_sudo(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("salescli.cli.caller.os_login", lambda: "stranger")
        assert _offered(shop.run.named, "orders", "show", "") == []
    monkeypatch.setenv("SUDO_UID", "0")
    assert _offered(shop.run.named, "orders", "show", "") == []


def test_what_is_no_database_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("not a database " * 100)
    assert _offered(file, "orders", "show", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_installed_where_the_shell_looks(
    shell: str, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    done = house.run("completion", shell, "--install")
    [file] = [path for path in tmp_path.rglob("*salescli*") if path.is_file() and path.suffix in ("", ".fish")]
    assert (done.code, file.read_text(), str(file) in done.err) == (0, house.run("completion", shell).out, True)
    if program := shutil.which(shell):
        syntax = subprocess.run([program, "-n", str(file)], capture_output=True, text=True)
        assert (syntax.returncode, syntax.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_is_offered_what_has_a_comma(shop: House) -> None:
    shop.customer("Koval, Olena & Co")
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "SALESCLI_DB": str(shop.path)}
    lines = ("orders pay ", "orders new Kov", "orders list --columns order,pri")
    asked = [f"complete -C 'salescli {line}'" for line in lines]
    script = "; ".join(["salescli completion fish | source", *asked])
    done = subprocess.run(["fish", "--no-config", "-c", script], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (
        "2\tOlena Koval, Drawing course, open\nKoval, Olena & Co\norder,price\n",
        "",
    )


_LOADED = """
import os, sys, types
os.environ.update(_SALESCLI_COMPLETE="bash_complete", COMP_LINE="salescli " + sys.argv[1])
from salescli.cli.main import run
run([])
rooms = ("charging", "sales", "imports", "reconcile", "reports", "notices", "overview", "gateways")
files = (name for name, module in sys.modules.items() if type(module) is types.ModuleType)
print(*(name for name in files if name.count(".") > 1 and name.split(".")[1] in rooms), file=sys.stderr)
"""


_SLOWEST = (
    "recurring edit --",
    "recurring show ",
    "payments confirm ",
    "customers show ",
    "reconcile --",
    "import orders --",
    "charging resume ",
)
# What options and columns are made of; the first is the package alone.
_CONSTANTS = {
    "salescli.imports.reading",
    "salescli.overview.customer_card",
    "salescli.overview.owing",
    "salescli.sales.customer_credit",
}


@pytest.mark.parametrize("typed", ["", "orders pay ", "orders sell ", "imp", *_SLOWEST])
def test_no_operation_is_loaded_to_complete(shop: House, typed: str) -> None:
    environment = {**os.environ, "SALESCLI_DB": str(shop.path)}
    line = [sys.executable, "-c", _LOADED, typed]
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert done.stdout
    assert [name for name in done.stderr.split() if name not in _CONSTANTS] == []


@pytest.mark.of_files("SQLite's steps")
def test_many_records_cost_no_more_to_look_among(house: House) -> None:
    """What is looked at is bounded, and no record is read whole that is not offered."""
    house.customer("Olena Koval")
    house.offer(name="Drawing course", number="7")
    assert house.run("orders", "new", "1", "7").code == 0
    order = dict(house.connection.execute("SELECT * FROM orders").fetchone())
    columns = [name for name in order if name not in ("id", "uid", "external_id")]
    listed = ", ".join(columns)
    house.connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        f" INSERT INTO orders (id, uid, {listed}) SELECT i, 'u' || i, {listed} FROM n, orders WHERE orders.id = 1"
    )
    steps = {(kind, typed): _steps(house.connection, kind, typed) for kind in candidates.KINDS for typed in ("", "1")}
    assert {asked: count for asked, count in steps.items() if count > 20_000} == {}


def _steps(connection: sqlite3.Connection, kind: str, typed: str) -> int:
    """Return the steps of SQLite's machine, in tens."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 10
        return 0

    connection.set_progress_handler(count, 10)
    candidates.find(connection, kind, typed)
    connection.set_progress_handler(None, 0)
    return steps


@pytest.mark.of_files("SQLite's plan")
def test_a_status_is_looked_for_by_index_and_among_the_newest(house: House) -> None:
    for kind in candidates.KINDS:
        assert candidates.find(house.connection, kind, "") is not None
    plans: list[str] = []
    house.connection.set_trace_callback(plans.append)
    candidates.find(house.connection, "customer", "ole")
    candidates.find(house.connection, "open order", "12")
    house.connection.set_trace_callback(None)
    for sql in plans:
        for row in house.connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall():
            assert not re.match(r"SCAN (orders|customers)", row["detail"]), (sql, row["detail"])

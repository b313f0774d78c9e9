"""Whoever reads slowly holds nobody up: a command lets the database go before it waits for its reader.

The reader is a pipe that is full from the start, as one to a pager is, or a terminal that was stopped.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import sqlite3
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from salescli.cli.output import read_ahead as ahead
from tests.conftest import House
from tests.importing import as_csv
from tests.story import Story

pytestmark = pytest.mark.of_files("a reader would hold up its writers")

JOURNALS = {"delete": ("delete", 3), "wal": ("wal", 2)}
ROWS = 400  # whose output is longer than every buffer on the way
PATIENCE = 60  # seconds
COLUMNS = ("order", "created_at", "status", "customer", "offer", "price", "currency", "paid", "paid_at", "comment")
LISTS = (
    *(f"{noun} list {options}" for noun in ("orders", "payments") for options in ("--csv", "--json", "--limit 0")),
    "orders list --format md", "orders list -q --search Course", "orders list --excel --sort price",
    "orders list --csv --limit 390", "orders list --csv -o /dev/stdout", "customers list --format ndjson",
    "offers list --csv", "payments ledger --csv", "history --csv --limit 0", "history imports", "reports details",
    "reports by-offer --csv", "reports by-offer --by month", "customers show 1", "customers show 1 --csv --limit 0",
    "orders show 1 --json", "todo", "explain order 1", "recurring list", "recurring upcoming", "doctor",
    "charging status",
)  # fmt: skip
WRITES_AT_ONCE = (
    "import contextlib; from salescli.cli.output import destination as d;"
    " d.read_ahead = lambda stream, **_: contextlib.{}(stream)"
)


def salescli(house: House, journal: str, *words: str, first: str = "") -> list[str]:
    """Return a command line of a process that uses this journal."""
    code = (
        f"{first}\nfrom salescli.storage.sqlite import connection as of_file\n"
        f"mode, synchronous = {JOURNALS[journal]!r}\n"
        "of_file._journal = lambda version: (('journal_mode', mode), ('synchronous', synchronous))\n"
        "from salescli.__main__ import main\nmain()"
    )
    return [sys.executable, "-c", code, "--db", house.run.named, *words]


@pytest.fixture(params=JOURNALS)
def journal(request: pytest.FixtureRequest) -> str:
    """Return each of the journals that SQLite's version chooses between."""
    return str(request.param)


@pytest.fixture
def full(house: House, journal: str, tmp_path: Path) -> House:
    """Return a house with many orders, and nobody who has it open."""
    usual = {"created_at": "2026-02-03 12:00", "status": "Completed", "customer": "Марія", "price": "20.00"}
    usual |= {"currency": "EUR", "paid": "20.00", "paid_at": "2026-02-04 12:00", "comment": "x" * 400}
    rows = [{"order": f"A{number}", "offer": f"Course {'long ' * 20}{number}"} for number in range(ROWS)]
    (tmp_path / "orders.csv").write_bytes(as_csv(COLUMNS, usual, rows))
    story = Story(house).at((datetime.now(timezone.utc) - timedelta(days=40)).strftime("%Y-%m-%d %H:%M"))
    house.customer("Олена Коваленко")
    house.payment_system("Sandbox")
    house.offer("49.00", name="Monthly", every="1 month", payments="4")
    story.subscribed("Monthly")
    house.connection.execute(f"PRAGMA journal_mode = {journal}").fetchall()
    house.connection.close()
    line = salescli(house, journal, "import", "orders", str(tmp_path / "orders.csv"))
    subprocess.run(line, check=True, capture_output=True)
    return house


@contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """Yield the ends of a pipe that takes nothing more."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"\n" * 4096)
    except BlockingIOError:
        os.set_blocking(write, True)
    try:
        yield read, write
    finally:
        os.close(read)
        os.close(write)


@contextmanager
def stuck(*lines: list[str], stdout: int, stderr: int = subprocess.DEVNULL) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run command lines until they do nothing but wait, and end them after the block."""
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    running = [
        subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=usual) for line in lines
    ]
    try:
        _wait_until_they_wait(running)
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def _wait_until_they_wait(running: list[subprocess.Popen[bytes]]) -> None:
    deadline, before = time.monotonic() + PATIENCE, [0]
    while time.monotonic() < deadline:
        used = [_processor_time(process.pid) for process in running if process.poll() is None]
        if used == before and all(used):
            return
        before = used
        time.sleep(1)
    raise AssertionError("they do not come to rest")


def _processor_time(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def is_held(path: Path, journal: str) -> bool:
    """Return whether somebody reads or writes the database: has a lock, or keeps the log from being emptied."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("INSERT OR REPLACE INTO settings (name, value) VALUES ('x', random())")
            connection.execute("COMMIT")
        except sqlite3.OperationalError:
            return True
        return journal == "wal" and bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])


def test_nothing_that_is_shown_holds_the_database_while_its_reader_waits(full: House, journal: str) -> None:
    with full_pipe() as (_, write):
        lines = [salescli(full, journal, *words.split()) for words in LISTS]
        for some in (lines[:9], lines[9:18], lines[18:]):
            with stuck(*some, stdout=write) as running:
                waiting = [words for words, process in zip(LISTS, running, strict=False) if process.poll() is None]
                assert waiting
                assert not is_held(full.path, journal)


def test_this_would_be_noticed_where_output_is_not_read_ahead(full: House, journal: str) -> None:
    line = salescli(full, journal, "orders", "list", "--csv", first=WRITES_AT_ONCE.format("nullcontext"))
    with full_pipe() as (_, write), stuck(line, stdout=write) as [process]:
        assert process.poll() is None
        assert is_held(full.path, journal)


def test_somebody_is_charged_while_somebody_reads(full: House, journal: str) -> None:
    with full_pipe() as (_, write), stuck(salescli(full, journal, "orders", "list", "--csv"), stdout=write):
        began = time.monotonic()
        line = salescli(full, journal, "tick", "-v", "--accept-clock")
        ticked = subprocess.run(line, capture_output=True, text=True, check=False)
        assert (ticked.returncode, time.monotonic() - began < 15) == (0, True), ticked.stderr
        assert "49.00 EUR" in ticked.stdout


@pytest.mark.parametrize("words", ["import orders bad.csv", "import orders bad.csv --dry-run"])
def test_an_import_whose_problems_nobody_reads_holds_nobody_up(
    words: str, full: House, journal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_bytes(as_csv(COLUMNS, {"order": "B1"}, [{"price": "?"}] * 100))
    line = salescli(full, journal, *words.split())
    with full_pipe() as (_, write), stuck(line, stdout=write, stderr=write) as [process]:
        assert process.poll() is None
        assert not is_held(full.path, journal)


def test_a_change_that_is_rehearsed_and_that_nobody_reads_holds_nobody_up(full: House, journal: str) -> None:
    line = salescli(full, journal, "orders", "new", "1", "Monthly", "-n")
    with full_pipe() as (_, write), stuck(line, stdout=write) as [process]:
        assert process.poll() is None
        assert not is_held(full.path, journal)


def test_an_import_on_a_stopped_terminal_goes_on(full: House, journal: str, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    termios.tcflow(slave, termios.TCOOFF)  # what Ctrl-S does
    line = salescli(full, journal, "import", "orders", str(tmp_path / "orders.csv"))
    try:
        with stuck(line, stdout=slave, stderr=slave) as [process]:
            assert process.poll() is None
            assert not is_held(full.path, journal)
    finally:
        os.close(master)
        os.close(slave)


# What is kept until it is read


def shown(house: House, *words: str, folder: Path, first: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command line through a pipe, with a folder for its temporary files."""
    line = salescli(house, "delete", *words, first=first)
    there = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(line, capture_output=True, text=True, check=False, env=there)


SMALL = "from salescli.cli.output import read_ahead as r\nr.KEPT_MAX = 1000"


@pytest.mark.parametrize("journal", ["delete"], indirect=True)
@pytest.mark.parametrize("format", ["--csv", "--excel", "--json", "--limit 0", "--format md"])
def test_what_does_not_fit_into_memory_comes_whole_from_a_file_without_a_name(
    format: str, full: House, tmp_path: Path
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    words = ("orders", "list", *format.split())
    whole, spilled = shown(full, *words, folder=folder), shown(full, *words, folder=folder, first=SMALL)
    assert (spilled.returncode, spilled.stdout) == (0, whole.stdout)
    assert len(spilled.stdout) > 1000 * 20
    assert not list(folder.iterdir())


@pytest.mark.parametrize("journal", ["delete"], indirect=True)
def test_what_can_be_kept_nowhere_is_an_error_in_words_and_shows_nothing(full: House, tmp_path: Path) -> None:
    small = f"{SMALL}\nimport resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
    small += "\nimport signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    ran = shown(full, "orders", "list", "--csv", folder=tmp_path, first=small)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"the output does not fit into {tmp_path}: File too large; set TMPDIR" in ran.stderr


def test_what_is_kept_in_memory_has_a_limit() -> None:
    kept = ahead._Kept(terminal=False)
    for _ in range(3):
        kept.write(b"x" * (ahead.KEPT_MAX // 2))
    assert not kept._in_memory
    assert kept._bytes.fileno() >= 0
    out = io.BytesIO()
    kept.pour(out)
    assert len(out.getvalue()) == ahead.KEPT_MAX // 2 * 3

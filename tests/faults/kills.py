"""Real processes of the program killed with SIGKILL, at random and at every commit; the sandbox's ledger is the judge.

furnish a file -> a process, killed -> ``disagreements`` -> … -> calm -> nothing forgotten -> the next file; then the
mutants, the state machine, a crowd of ticks and the notices; at last the counts, and exit 1 unless all is as it must be
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import pwd
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

from salescli.catalogue import actors
from salescli.charging import pay
from salescli.charging.pay import NewPayment
from salescli.cli import main as program
from salescli.gateways.sandbox import Sandbox
from salescli.rules import time
from salescli.sales import orders
from salescli.sales.orders import NewOrder
from salescli.storage import database, home
from salescli.storage.work import Work
from tests import PROJECT
from tests.faults import mutation
from tests.faults.bank import Entry, Ledger
from tests.faults.mutants import MUTANTS, catch
from tests.faults.play import CAUGHT
from tests.faults.scenarios.registry import Mutant
from tests.faults.world import START, ZONE, disagreements, forgotten, furnished

TOKENS = (
    "tok_ok",
    "tok_fee",
    "tok_fail_once",
    "tok_fail_twice",
    "tok_timeout_before_charge",
    "tok_timeout_after_charge",
)
PLANS = 12
KILLS_A_FILE = 250
TICK_SECONDS = 0.15  # about as long as a tick takes here; a random kill comes within it


@dataclass
class Found:
    """What a run of kills has seen."""

    charges: int = 0
    double: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


@dataclass
class Counts(Found):
    """What a run of kills has seen on files."""

    at_random: int = 0
    at_commits: int = 0

    @property
    def kills(self) -> int:
        """All kills."""
        return self.at_random + self.at_commits


class Deadly(sqlite3.Connection):
    """A connection whose process kills itself just before or just after its n-th COMMIT, the gateway's included."""

    left = 0
    lock = threading.Lock()

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Run a statement and count the moments around a COMMIT."""
        if sql != "COMMIT":
            return super().execute(sql, *values)
        self._moment()
        cursor = super().execute(sql, *values)
        self._moment()
        return cursor

    def _moment(self) -> None:
        with Deadly.lock:
            Deadly.left -= 1
            if Deadly.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Trial:
    """One file under fire. ``point``: at which moment around a commit the next process dies."""

    path: Path  # of a shop on a server, beside which this machine keeps what belongs to it
    chance: random.Random
    now: datetime = START
    point: int = 0
    point_of_person: int = 0
    url: str = ""  # of a shop on a server

    @property
    def named(self) -> str:
        """The database as --db names it."""
        return self.url or str(self.path)

    @property
    def sandbox(self) -> Path:
        """The gateway's ledger."""
        return self.path.with_name(f"{self.path.name}.sandbox")

    def ledger(self) -> Ledger:
        """Read what the sandbox has booked."""
        ledger = Ledger()
        connection = sqlite3.connect(self.sandbox, timeout=30)
        connection.row_factory = sqlite3.Row
        for row in connection.execute("SELECT * FROM entries ORDER BY id"):
            booked_at = time.from_text(row["created_at"])
            names = ("reference", "kind", "status", "amount_minor", "currency")
            booked = {name: row[name] for name in names}
            entry = Entry(**booked, booked_at=booked_at, of=row["charge_id"])
            ledger.booked[entry.reference] = entry
            if entry.status == "succeeded":
                ledger.moved.append(entry)
        connection.close()
        return ledger

    def tick(self, counts: Counts, *, dies: bool) -> None:
        """Run `salescli tick`, killed at a commit or at random when it ``dies``, and compare with the ledger."""
        line = ["tick", "--now", time.utc_text(self.now), "--workers", self.chance.choice(["1", "4"])]
        if dies and self.chance.random() < 0.5:
            killed = self._run(counts, line, dies_within=self.chance.random() * TICK_SECONDS)
            counts.at_random += killed
        elif dies:
            killed = self._run(counts, line, dies_at=self.point)
            self.point = self.point + 1 if killed else 0
            counts.at_commits += killed
        else:
            self._run(counts, line)

    def person(self, counts: Counts) -> None:
        """Pay an order, or give a payment back, in a process that dies at a commit."""
        connection = database.connect(self.named)
        paid = connection.execute(
            "SELECT id FROM orders WHERE status = 'completed' AND recurring_id IS NULL ORDER BY random() LIMIT 1"
        ).fetchone()
        if paid and self.chance.random() < 0.3:
            line = ["orders", "refund", str(paid["id"]), "--yes"]
        else:
            new = NewOrder("1", "once", payment_system="One", token=self.chance.choice(TOKENS))
            actor = actors.acting(connection, login())
            order = orders.open_order(Work(connection, actor, self.now, ZONE), new)
            line = ["orders", "pay", str(order.id), "--at", time.utc_text(self.now)]
        connection.close()
        # 1: declined or in doubt; 5: what an earlier death left under way is not found out yet
        killed = self._run(counts, line, dies_at=self.point_of_person, codes=(0, 1, 5))
        self.point_of_person = self.point_of_person + 1 if killed else 0
        counts.at_commits += killed

    def calm(self, counts: Counts) -> None:
        """Let tick run as it should for some hours: then nobody may be forgotten."""
        for _ in range(12):
            self.tick(counts, dies=False)
            left = self._left()
            if not left:
                break
            self.now += timedelta(minutes=30)
        counts.forgotten += left
        counts.charges += len(self.ledger().charged())

    def go_on(self) -> None:
        """Let a minute pass, or go to the next date when nothing is to be done before it."""
        connection = database.connect(self.named)
        soonest = connection.execute(
            "SELECT min(at) AS at FROM (SELECT next_payment_at AS at FROM recurring WHERE status = 'active'"
            " UNION ALL SELECT coalesce(next_lookup_at, started_at) FROM attempts WHERE status = 'live')"
        ).fetchone()["at"]
        connection.close()
        following = self.now if soonest is None else time.from_stored(soonest)
        self.now = max(self.now + timedelta(minutes=1), following)

    def compare(self, counts: Counts) -> None:
        """Note where the file is at odds with the ledger."""
        connection = database.connect(self.named)
        try:
            for found in disagreements(connection, self.ledger(), self.now):
                (counts.double if found.startswith("I1") else counts.violations).append(found)
        finally:
            connection.close()

    def _left(self) -> list[str]:
        connection = database.connect(self.named)
        try:
            return forgotten(connection, self.now)
        finally:
            connection.close()

    def _run(
        self,
        counts: Counts,
        line: list[str],
        *,
        dies_at: int | None = None,
        dies_within: float | None = None,
        codes: tuple[int, ...] = (0,),
    ) -> bool:
        """Run a command in a process of its own, check what it left, and return whether it was killed."""
        child = forked(["--db", self.named, *line], dies_at)
        if dies_within is not None:
            kill_within(child, dies_within)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not killed and os.waitstatus_to_exitcode(status) not in codes:
            counts.violations.append(f"{' '.join(line)} ended with {os.waitstatus_to_exitcode(status)}")
        self.compare(counts)
        return killed


def kill(kills: int, seed: int) -> Counts:
    """Kill so many processes, on as many files as it takes."""
    counts, chance = Counts(), random.Random(seed)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # so that the end of a child can be awaited
    with tempfile.TemporaryDirectory() as directory:
        model = furnish(Path(directory) / "model.db")
        for number in count():
            trial = Trial(Path(directory) / f"{number}.db", chance, START + timedelta(days=1))
            copy(model, trial)
            until = min(kills, counts.kills + KILLS_A_FILE)
            while counts.kills < until and not counts.double and not counts.violations:
                if chance.random() < 0.15:
                    trial.person(counts)
                trial.tick(counts, dies=True)
                trial.go_on()
            trial.calm(counts)
            if counts.kills >= kills or counts.double or counts.violations or counts.forgotten:
                return counts
    raise AssertionError("there is always another file")


def login() -> str:
    """Return who runs this, as the program sees them."""
    return pwd.getpwuid(os.getuid()).pw_name


def forked(line: list[str], dies_at: int | None) -> int:
    """Run a command of the program in a new process; importing it anew each time would take most of the time."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        if dies_at is not None:
            Deadly.left = dies_at
            setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Deadly))  # noqa: B010
        code = program.run(line)
    finally:
        os._exit(code)


def kill_within(child: int, seconds: float) -> None:
    """Kill a process after some time, unless it ends before."""
    deadline = monotonic() + seconds
    while (left := deadline - monotonic()) > 0:
        if signal.sigtimedwait({signal.SIGCHLD}, left) and os.waitid(
            os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
        ):
            return
    os.kill(child, signal.SIGKILL)


def furnish(path: Path, plans: int = PLANS) -> Path:
    """Make a file with plans of every kind of card, due daily, and its sandbox."""
    path.write_bytes(furnished())
    connection = database.connect(path)
    connection.execute("UPDATE users SET login = ?", (login(),))
    database.set_setting(connection, "home", home.home_of(path))
    open_plans(connection, path, plans)
    connection.close()
    return path


def open_plans(connection: sqlite3.Connection, path: Path, plans: int) -> None:
    """Open plans of every kind of card, due daily, and pay the first payment of each at the sandbox beside a path."""
    actor = actors.acting(connection, login())
    for number in range(plans):
        new = NewOrder("1", "day", payment_system="One", token="tok_ok")
        order = pay.open_and_settle_free(Work(connection, actor, START, ZONE), new)
        pay.pay(
            Work(connection, actor, START, ZONE),
            order.id,
            NewPayment(),
            gateways=lambda system: Sandbox(path.with_name(f"{path.name}.sandbox")),
        )
        token = TOKENS[number % len(TOKENS)]
        connection.execute("UPDATE recurring SET token = ? WHERE id = (SELECT max(id) FROM recurring)", (token,))


def copy(model: Path, trial: Trial) -> None:
    """Put the furnished file and its sandbox in the place of a trial's."""
    shutil.copyfile(model, trial.path)
    shutil.copyfile(model.with_name(f"{model.name}.sandbox"), trial.sandbox)
    connection = database.connect(trial.path)
    database.set_setting(connection, "home", home.home_of(trial.path))
    connection.close()


_MUTANTS = "change each operator, constant, condition, call and return of these rooms, all by default, one at a time"


def main(arguments: list[str]) -> int:
    """Run the whole proof and print its counts."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description="Kill the program and count what that broke.")
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="how many processes to kill (100)")
    parser.add_argument("--seed", type=int, default=7, help="of chance; what it says is the same for the same seed")
    parser.add_argument(
        "--runs", type=int, metavar="N", help="of the state machine (a tenth of the kills, at least 20)"
    )
    parser.add_argument("--only-kills", action="store_true", help="print the kills' counts as JSON, and nothing else")
    parser.add_argument("--mutants", nargs="*", metavar="ROOM", choices=[*mutation.ROOMS], help=_MUTANTS)
    parser.add_argument("--sample", type=int, metavar="N", help="of the mutants: N by chance")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server, which is killed, too")
    asked = parser.parse_args(arguments)
    if asked.postgres:
        return _on_a_server(asked.kills, asked.seed)
    if asked.mutants is not None:
        return mutation.run(asked.mutants, asked.sample, asked.seed)
    if asked.only_kills:
        print(json.dumps(asdict(kill(asked.kills, asked.seed))))  # noqa: T201
        return 0
    counts = _killed_by_several(asked.kills, asked.seed)
    survivors = _survivors()
    runs = max(20, asked.kills // 10) if asked.runs is None else asked.runs
    machine = _broken("test_machine.py", SALESCLI_FAULTS_EXAMPLES=runs)
    crowd = _broken("test_many.py", "-k", "sixteen", SALESCLI_FAULTS_DUE=asked.kills)
    damages = max(60, asked.kills // 20)
    damaged = _broken("test_damaged.py", SALESCLI_FAULTS_DAMAGES=damages)
    notices = max(20, asked.kills // 10)
    told = _broken("../notices/test_kills.py", SALESCLI_NOTICE_KILLS=notices)
    found = [*told, *damaged, *counts.double, *counts.forgotten, *counts.violations, *survivors, *machine, *crowd]
    for line in (
        f"kills: {counts.kills} ({counts.at_random} at random, {counts.at_commits} at commits)",
        f"charges: {counts.charges}",
        f"double charges: {len(counts.double)}",
        f"forgotten: {len(counts.forgotten)}",
        f"violations: {len(counts.violations)}",
        f"mutants caught: {len(MUTANTS) - len(survivors)}/{len(MUTANTS)}",
        f"state machine: {runs} runs, {'broken' if machine else 'no violation'}",
        f"16 ticks at once on {asked.kills} due: {'broken' if crowd else 'each charged once, none left'}",
        f"damaged files: {2 * damages}, {'broken' if damaged else 'each one line, nobody charged twice'}",
        f"kills of tick and notify: {notices}, {'broken' if told else 'each event told once, none lost'}",
        *found,
    ):
        print(line)  # noqa: T201
    return 1 if found or counts.kills < asked.kills else 0


def _on_a_server(kills: int, seed: int) -> int:
    """Kill hosts and servers; print the counts, and whether a test of fail-overs found anything."""
    from tests.faults import host_kills  # which needs the driver of a server

    counts = host_kills.run(kills, seed)
    broken = _broken("test_fail_over.py", SALESCLI_FAULTS_HOST_KILLS=0)
    found = [*counts.double, *counts.forgotten, *counts.violations, *broken]
    for line in (
        f"kills: {counts.all_kills} ({counts.kills} of hosts, {counts.servers_killed} of the server)",
        f"fail-overs to a stand-by that lacks the last ticks: {counts.fail_overs}",
        f"charges: {counts.charges}",
        f"double charges: {len(counts.double)}",
        f"forgotten: {len(counts.forgotten)}",
        f"violations: {len(counts.violations)}",
        f"fail-overs without the rule, which the book must notice: {'broken' if broken else 'noticed'}",
        *found,
    ):
        print(line)  # noqa: T201
    return 1 if found else 0


def _killed_by_several(kills: int, seed: int) -> Counts:
    """Share the kills among as many processes as there are processors, and add up."""
    jobs = max(1, min(os.cpu_count() or 1, kills // 25))
    shares = [kills // jobs + (job < kills % jobs) for job in range(jobs)]
    line = [sys.executable, "-m", "tests.faults.kills", "--only-kills", "--kills"]
    at_work = [
        subprocess.Popen([*line, str(share), "--seed", str(seed + job)], cwd=PROJECT, stdout=subprocess.PIPE)
        for job, share in enumerate(shares)
    ]
    total = Counts()
    for process in at_work:
        said, _ = process.communicate()
        if process.returncode:
            total.violations.append(f"a run of kills ended with {process.returncode}")
            continue
        for name, value in json.loads(said).items():
            setattr(total, name, getattr(total, name) + value)
    return total


def _survivors() -> list[str]:
    """Name the mutants that no scenario caught."""

    def survived(mutant: Mutant) -> str | None:
        return None if catch(mutant).returncode == CAUGHT else f"survived: {mutant.name}"

    with ThreadPoolExecutor(os.cpu_count()) as crew:
        return [name for name in crew.map(survived, MUTANTS) if name]


def _broken(file: str, *options: str, **sizes: int) -> list[str]:
    """Run a test of the faults at another size, and return what it said when it found something."""
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/faults/{file}", *options]
    environment = {**os.environ, **{name: str(size) for name, size in sizes.items()}}
    ran = subprocess.run(line, cwd=PROJECT, env=environment, capture_output=True, text=True)
    return [] if ran.returncode == 0 else re.findall(r"^E .*", ran.stdout, re.MULTILINE) or [ran.stdout]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

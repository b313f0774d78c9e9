"""Processes of tick and notify killed at random and at commits; what each receiver kept for itself is the judge.

a furnished file with hooks -> tick, and notify beside it, killed -> the sandbox's ledger agrees -> … -> calm ->
each receiver has each event once, in order, after it dropped the numbers that it had
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO

from salescli.catalogue import actors
from salescli.notices import events, hooks
from salescli.notices.hooks import NewHook
from salescli.rules import time
from salescli.storage import database
from salescli.storage.work import Work
from tests import PROJECT
from tests.faults import kills
from tests.faults.kills import Counts, Trial
from tests.faults.world import START, ZONE
from tests.notices import receivers

PLANS = 6
NOTIFY_BESIDE = 0.3
NOTICE_SECONDS = 0.5  # about as long as a tick with deliveries takes here; a random kill comes within it


@dataclass
class Told:
    """What a run of kills has seen: the kills and the charges, and of each receiver what it lost or had twice."""

    tick_at_random: int = 0
    tick_at_commits: int = 0
    notify_at_random: int = 0
    notify_at_commits: int = 0
    charges: int = 0
    events: int = 0
    deliveries: int = 0
    again: int = 0  # deliveries whose number the receiver had, and dropped
    lost: list[str] = field(default_factory=list)
    charged_wrongly: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """Return how many processes were killed."""
        return self.tick_at_random + self.tick_at_commits + self.notify_at_random + self.notify_at_commits


def kill(number: int, seed: int) -> Told:
    """Kill so many processes on one file, let all be told, and compare."""
    told, counts, chance = Told(), Counts(), random.Random(seed)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # so that the end of a child can be awaited
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        trial = Trial(kills.furnish(folder / "sales.db", PLANS), chance, START + timedelta(days=1))
        with _receiving(folder) as receiving:
            begun = _hooked(trial, folder, receiving.urls)
            points = {"tick": 0, "notify": 0}
            while told.kills < number and not counts.double and not counts.violations:
                _once(trial, told, points)
                trial.compare(counts)
                trial.go_on()
            trial.calm(counts)
            _tell_the_rest(trial)
            kept = receiving.kept()
        told.charges = counts.charges
        told.charged_wrongly = counts.double + counts.violations + counts.forgotten
        _judge(trial, begun, kept | {"program": _of_program(folder)}, told)
    return told


def _once(trial: Trial, told: Told, points: dict[str, int]) -> None:
    """Run tick, sometimes with notify beside it or alone, and kill what runs."""
    ticks = ["tick", "--now", time.utc_text(trial.now), "--workers", trial.chance.choice(["1", "4"])]
    lines = [ticks, ["notify"]] if trial.chance.random() < NOTIFY_BESIDE else [ticks]
    lines = [["notify"]] if trial.chance.random() < NOTIFY_BESIDE else lines
    for line, child, point in [(line, *_started(trial, line, points)) for line in lines]:
        if point is None:
            kills.kill_within(child, trial.chance.random() * NOTICE_SECONDS)
        _, status = os.waitpid(child, 0)
        died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if point is not None:
            points[line[0]] = point + 1 if died else 0
        name = f"{line[0]}_at_{'random' if point is None else 'commits'}"
        setattr(told, name, getattr(told, name) + died)


def _started(trial: Trial, line: list[str], points: dict[str, int]) -> tuple[int, int | None]:
    point = points[line[0]] if trial.chance.random() < 0.5 else None
    return kills.forked(["--db", str(trial.path), *line], point), point


def _tell_the_rest(trial: Trial) -> None:
    """Let notify run until nothing is left, beside the pause of a hook whose delivery failed."""
    for _ in range(3):
        with closing(database.connect(trial.path)) as connection:
            connection.execute("UPDATE hooks SET next_try_at = NULL")
        os.waitpid(kills.forked(["--db", str(trial.path), "notify"], None), 0)


def _hooked(trial: Trial, folder: Path, urls: dict[str, str]) -> int:
    """Add a hook of every kind, and return the number of the event from which they are told."""
    program = folder / "salescli-hook-judge"
    program.write_text(f"#!/bin/sh\nread -r event\necho \"$event\" >> '{folder}/program'\n")
    program.chmod(0o755)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
    via, shop = urls["smtp"], "shop@example.com"
    with closing(database.connect(trial.path)) as connection:
        connection.execute("UPDATE customers SET email = 'buyer' || id || '@example.com'")
        work = Work(connection, actors.acting(connection, kills.login()), START, ZONE)
        hooks.add(work, NewHook("webhook", "webhook", urls["webhook"]))
        hooks.add(work, NewHook("program", "program", "judge"))
        hooks.add(work, NewHook("seller", "email", "me@example.com", via, shop, events="all"))
        hooks.add(work, NewHook("customer", "email", "customer", via, shop))
        return events.last(connection)


def _judge(trial: Trial, begun: int, kept: dict[str, list[int]], told: Told) -> None:
    """Note what a receiver that drops a number that it has, or has passed, did not get once and in order."""
    with closing(database.connect(trial.path)) as connection:
        happened = list(events.after(connection, begun))
        for hook in hooks.every(connection):
            got: list[int] = []
            for number in kept[hook.name]:
                if not got or number > got[-1]:
                    got.append(number)
                else:
                    told.again += 1
            told.deliveries += len(kept[hook.name])
            due = [event["event"] for event in happened if hook.wants(event)]
            told.events += len(due)
            if got != due:
                told.lost.append(f"{hook.name}: not told {sorted({*due} - {*got})}, told {sorted({*got} - {*due})}")
            if hook.last_error:
                told.lost.append(f"{hook.name} failed: {hook.last_error}")


def _of_program(folder: Path) -> list[int]:
    """Return the numbers that the program got; what was cut when its sender was killed is no event for it."""
    lines = (folder / "program").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines if line.endswith("}")]


@dataclass
class _Receiving:
    """Servers in a process of their own: a process with threads is not forked."""

    urls: dict[str, str]
    process: subprocess.Popen[str]

    def kept(self) -> dict[str, list[int]]:
        """End the servers, and return the numbers that each receiver got, in order, again ones included."""
        said, _ = self.process.communicate(timeout=60)
        found: dict[str, list[int]] = json.loads(said)
        return found


@contextmanager
def _receiving(folder: Path) -> Iterator[_Receiving]:
    line = [sys.executable, "-m", "tests.faults.notice_kills", "--receive"]
    with subprocess.Popen(line, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield _Receiving(json.loads(process.stdout.readline()), process)
        finally:
            process.kill()


def receive(until: IO[str]) -> None:
    """Be the servers until stdin ends; say their addresses first, and what they kept at the end."""
    with receivers.webhook() as web, receivers.smtp() as post:
        print(json.dumps({"webhook": web.url, "smtp": post.url}), flush=True)  # noqa: T201
        until.read()
        kept: dict[str, list[int]] = {"webhook": [event["event"] for event in web.events], "seller": [], "customer": []}
        for to, letter in post.letters:
            number = re.fullmatch(r"<\d+\.(\d+)\..*", str(letter["Message-ID"]))
            assert number
            kept["seller" if to == "me@example.com" else "customer"].append(int(number[1]))
        print(json.dumps(kept))  # noqa: T201


def main(arguments: list[str]) -> int:
    """Kill, and print what was seen as JSON."""
    parser = argparse.ArgumentParser(prog="tests.faults.notice_kills", description="Kill tick and notify.")
    parser.add_argument("--kills", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.receive:
        receive(sys.stdin)
        return 0
    told = kill(asked.kills, asked.seed)
    print(json.dumps(asdict(told)))  # noqa: T201
    return 1 if told.lost or told.charged_wrongly or told.kills < asked.kills else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

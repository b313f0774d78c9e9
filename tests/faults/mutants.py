"""Every safety claim of the charge protocol broken on purpose, and the scenario that must notice.

copy of the package + exact replacement -> ``python -m tests.faults.mutants SCENARIO`` there -> caught | survived
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CAUGHT = 3  # the exit code of a scenario that saw a claim broken; a mutant that cannot even start is not caught


@dataclass(frozen=True, slots=True)
class Mutant:
    """A deliberate mistake: texts of the package replaced, ``(file, old, new)``; ``scenario`` must fail with it."""

    name: str
    scenario: str
    patches: tuple[tuple[str, str, str], ...]


MUTANTS = (
    Mutant(
        "call before commit",
        "the_line_is_cut_after_the_money_moved",
        (
            (
                "tick.py",
                "        claims = list(_claims(this, crew, room))\n",
                "        claims = list(_claims(this, crew, room))\n"
                "        [charging.answer_to(claimed) for claimed in claims]\n",
            ),
        ),
    ),
    Mutant(
        "random key",
        "a_backup_of_half_an_hour_ago_is_put_back",
        (("attempts.py", 'f"{new.base}:{number}"', 'f"{new.base}:{os.urandom(4).hex()}:{number}"'),),
    ),
    Mutant(
        "key without attempt",
        "a_decline_is_followed_by_a_success",
        (("attempts.py", 'f"{new.base}:{number}"', 'f"{new.base}:1"'),),
    ),
    Mutant(
        "key without attempt, and the file does not mind",
        "a_decline_is_followed_by_a_success",
        (
            ("attempts.py", 'f"{new.base}:{number}"', 'f"{new.base}:1"'),
            ("schema.py", "reference TEXT NOT NULL UNIQUE,          --", "reference TEXT NOT NULL,  --"),
        ),
    ),
    Mutant(
        "time-out taken as decline",
        "the_line_is_cut_after_the_money_moved",
        (("gateways/__init__.py", 'Answer("unknown", None, "outcome_unknown"', 'Answer("declined", None, "unknown"'),),
    ),
    Mutant(
        "time-out taken as not sent",
        "the_line_is_cut_after_the_money_moved",
        (("gateways/__init__.py", 'Answer("unknown", None, "outcome_unknown"', 'Answer("not_sent", None, "unknown"'),),
    ),
    Mutant(
        "outage counts as attempt",
        "a_gateway_is_away_for_half_an_hour",
        (("gateways/__init__.py", 'Answer("not_sent", None, "unavailable"', 'Answer("declined", None, "unavailable"'),),
    ),
    Mutant(
        "settle twice",
        "two_processes_settle_one_payment",
        (
            (
                "attempts.py",
                "\" retryable = :retryable WHERE id = :id AND status = 'live' AND fence = :fence\"",
                '" retryable = :retryable WHERE id = :id"',
            ),
        ),
    ),
    Mutant(
        "settle split in two",
        "a_tick_dies_at_every_moment",
        (
            (
                "settlement.py",
                "    order = take_payment(connection, invoice, actor=actor, now=now, zone=zone)\n",
                "    order = take_payment(connection, invoice, actor=actor, now=now, zone=zone)\n"
                '    connection.execute("COMMIT")\n'
                '    connection.execute("BEGIN IMMEDIATE")\n',
            ),
        ),
    ),
    Mutant(
        "no window rule: missed dates are billed",
        "a_hundred_days_without_a_tick",
        (("recurring.py", "recurring.planned_after(max(due, now), zone)", "recurring.planned_after(due, zone)"),),
    ),
    Mutant(
        "no window rule: a date is billed again",
        "the_clock_goes_back_while_a_payment_is_in_doubt",
        (("recurring.py", "recurring.planned_after(max(due, now), zone)", "recurring.planned_after(now, zone)"),),
    ),
    Mutant(
        "recovery without look-up",
        "a_payment_is_in_doubt_for_two_days",
        (
            ("recovery.py", 'if "lookup" in able:', "if False:"),
            ("recovery.py", "elif not _still_idempotent(this, claimed, able):", "elif False:"),
        ),
    ),
    Mutant(
        "a failed look-up taken as not sent",
        "a_payment_is_in_doubt_for_two_days",
        (("recovery.py", 'if answer.became in ("not_sent", "misconfigured"):', "if False:"),),
    ),
    Mutant(
        "late payment without look-up",
        "a_backup_of_two_days_ago_is_put_back",
        (("charging.py", 'if claimed.late and "lookup" in able:', "if False:"),),
    ),
    Mutant(
        "fence ignored",
        "a_process_taken_for_dead_comes_back_with_a_stale_answer",
        (
            (
                "attempts.py",
                "\" retryable = :retryable WHERE id = :id AND status = 'live' AND fence = :fence\"",
                "\" retryable = :retryable WHERE id = :id AND status = 'live'\"",
            ),
        ),
    ),
    Mutant(
        "the living taken for dead",
        "an_attempt_of_another_process_is_left_alone_while_it_lives",
        (("attempts.py", "if not is_alive(attempt.owner)]", "]"),),
    ),
    Mutant(
        "advance before charge",
        "a_gateway_is_away_for_half_an_hour",
        (
            (
                "charging.py",
                'replace(due, status="processing")',
                'replace(due, status="processing", next_payment_at=clock.utc_text(due.planned_after(this.now, this.zone)))',
            ),
        ),
    ),
    Mutant(
        "overwrite of a success",
        "a_success_is_followed_by_a_decline_of_the_same_attempt",
        (
            (
                "attempts.py",
                "\" retryable = :retryable WHERE id = :id AND status = 'live' AND fence = :fence\"",
                '" retryable = :retryable WHERE id = :id AND fence = :fence"',
            ),
            ("lifecycle.py", '"completed": ("refund",),\n        "refund": (),\n    },\n    "recurring', '"completed": ("refund", "declined"),\n        "refund": (),\n    },\n    "recurring'),
            ("schema.py", "CHECK ((paid_at IS NOT NULL) = (status IN ('completed', 'refund')))\n) STRICT;\nCREATE INDEX invoices_attempted", "CHECK (1)\n) STRICT;\nCREATE INDEX invoices_attempted"),
        ),
    ),
    Mutant(
        "deferred begin",
        "a_transaction_holds_the_write_lock_from_its_beginning",
        (("db.py", 'connection.execute("BEGIN IMMEDIATE")', 'connection.execute("BEGIN")'),),
    ),
    Mutant(
        "synchronous NORMAL",
        "power_is_cut_after_a_claim",
        (
            ("db.py", '(("journal_mode", "delete"), ("synchronous", 3))', '(("journal_mode", "delete"), ("synchronous", 1))'),
            ("db.py", '(("journal_mode", "wal"), ("synchronous", 2))', '(("journal_mode", "wal"), ("synchronous", 1))'),
        ),
    ),
)  # fmt: skip


def mutated(mutant: Mutant, directory: Path) -> None:
    """Make a copy of the package with the mistake in ``directory``. Raise LookupError when a text is not there once."""
    shutil.copytree(PROJECT / "salescli", directory / "salescli", ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "tests").symlink_to(PROJECT / "tests")
    for name, old, new in mutant.patches:
        file = directory / "salescli" / name
        text = file.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise LookupError(f"{mutant.name}: {name} holds {old!r} {text.count(old)} times; mend this mutant")
        file.write_text(text.replace(old, new), encoding="utf-8")


def catch(mutant: Mutant) -> subprocess.CompletedProcess[str]:
    """Run a mutant's scenario against it; its exit code is CAUGHT, 0 when it survived, else it could not be run."""
    with tempfile.TemporaryDirectory() as directory:
        mutated(mutant, Path(directory))
        line = [sys.executable, "-m", "tests.faults.mutants", mutant.scenario]
        return subprocess.run(line, cwd=directory, capture_output=True, text=True, timeout=120)


def play(name: str) -> int:
    """Play a scenario against the package that is imported here and return the exit code."""
    from tests.faults.scenarios import SCENARIOS
    from tests.faults.world import World

    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        try:
            SCENARIOS[name](world)
        except Exception:
            traceback.print_exc()
            return CAUGHT
        finally:
            world.close()
    return 0


if __name__ == "__main__":
    sys.exit(play(sys.argv[1]))

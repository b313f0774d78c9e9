"""Processes of tick and notify killed with SIGKILL, in small; each receiver's own notes are the judge.

More kills: SALESCLI_NOTICE_KILLS=1000 python -m pytest tests/notices/test_kills.py, or scripts/faults --kills 10000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests import PROJECT

KILLS = int(os.environ.get("SALESCLI_NOTICE_KILLS", "20"))


def test_a_receiver_that_keeps_numbers_has_each_event_once_and_misses_none() -> None:
    """A webhook, a program, the seller's mailbox and the customers': over kills at random and at commits."""
    line = [sys.executable, "-m", "tests.faults.notice_kills", "--kills", str(KILLS)]
    ran = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True)
    assert ran.stdout, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["lost"], told["charged_wrongly"]) == ([], [])
    killed = [told[f"{who}_at_{when}"] for who in ("tick", "notify") for when in ("random", "commits")]
    assert sum(killed) >= KILLS
    assert min(killed) > 0
    assert told["events"] > 3 * KILLS, "hardly anything was to be told; nothing was shown"
    assert ran.returncode == 0, ran.stderr

"""Processes killed around their commits and at random, in small; `scripts/faults --kills 10000` is the long form."""

from __future__ import annotations

import json
import subprocess
import sys

from tests import PROJECT

KILLS = 50


def test_processes_killed_at_their_commits_charge_once_and_forget_nobody() -> None:
    line = [sys.executable, "-m", "tests.faults.kills", "--only-kills", "--kills", str(KILLS)]
    ran = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, timeout=300)

    assert ran.returncode == 0, ran.stderr
    counts = json.loads(ran.stdout)
    assert (counts["double"], counts["forgotten"], counts["violations"]) == ([], [], [])
    assert counts["at_commits"] > KILLS / 4
    assert counts["at_random"] + counts["at_commits"] >= KILLS
    assert counts["charges"] >= 20, "nobody was charged again after the first payments"

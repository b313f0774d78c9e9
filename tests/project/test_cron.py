"""A real cron daemon runs what `salescli cron` prints, each minute instead of by its rhythm: charge, report, backup.

Needs root and Debian's cron. The user's own crontab is put back, and a daemon that was started is stopped.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

from salescli.rules import time
from salescli.sales import recurring

if TYPE_CHECKING:
    from tests.conftest import House

CRON = Path("/usr/sbin/cron")
BEGIN, END = "# salescli's test of cron: begin", "# salescli's test of cron: end"
_LOCK = Path("/tmp/salescli-test-cron.lock")  # noqa: S108 - one place, wherever each run of the tests has its files
PATIENCE_SECONDS = 75  # cron looks at the clock once a minute

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not CRON.exists(), reason="needs root and Debian's cron, to run a real one"
)


def test_cron_charges_reports_and_backs_up(house: House, tmp_path: Path) -> None:
    _subscribe(house)
    home = tmp_path / "a home"
    home.mkdir()
    copies = house.path.parent / "backups"

    with _crontab(_every_minute(home, house)), _daemon():
        _wait_until(lambda: recurring.get(house.connection, 1).payments_made == 2)
        _wait_until(lambda: any(home.glob("sales-report-*.csv")))
        _wait_until(lambda: bool(house.url) or any(copies.glob("*.db")))  # a server has its own backups

    made = recurring.get(house.connection, 1)
    assert (made.status, made.payments_made) == ("active", 2)
    assert house.count("invoices", "status = 'completed'") == 2
    assert [stat.S_IMODE(copy.stat().st_mode) for copy in copies.glob("*.db")] == ([] if house.url else [0o600])
    assert [report.read_text(encoding="utf-8").partition(",")[0] for report in home.glob("*.csv")] == ["breakdown"]


def _subscribe(house: House) -> None:
    """Begin a plan 31 days ago whose second payment fell due a day ago."""
    house.offer(name="Course", every="30 days", payments="12")
    house.customer(email="olena@example.com")
    house.payment_system("Card")
    at = time.utc_text(time.now() - timedelta(days=31))
    new = ["new", "olena@example.com", "1", "--payment-system", "Card", "--token", "tok_ok"]
    for words in (new, ["pay", "1"]):
        call = [sys.executable, "-m", "salescli", "--db", house.run.named, "orders", *words, "--at", at]
        ran = subprocess.run(call, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
    assert recurring.get(house.connection, 1).payments_made == 1


def _every_minute(home: Path, house: House) -> str:
    """Return what `salescli cron` prints, its jobs due each minute."""
    call = [sys.executable, "-m", "salescli", "--db", house.run.named, "cron"]
    text = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    text, mails = re.subn(r"^#MAILTO=.*$", f'MAILTO=""\nHOME={home}', text, flags=re.MULTILINE)
    text, jobs = re.subn(r"^[\d*][\d*/]* [\d*]+ \* \* \*", "* * * * *", text, flags=re.MULTILINE)
    assert (mails, jobs) == (1, 3 if house.url else 4)
    return text


@contextmanager
def _crontab(text: str) -> Iterator[None]:
    """Install a user crontab beside what the user has, alone on this machine, and put back what was there."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        listed = subprocess.run(["crontab", "-l"], capture_output=True, text=True)
        # what a run that was killed may have left goes, too
        before = re.sub(f"{BEGIN}.*?{END}\n", "", listed.stdout, flags=re.DOTALL)
        _install(f"{before}{BEGIN}\n{text}{END}\n")
        try:
            yield
        finally:
            if before:
                _install(before)
            else:
                subprocess.run(["crontab", "-r"], check=True, capture_output=True)


def _install(text: str) -> None:
    subprocess.run(["crontab", "-"], input=text, text=True, check=True, capture_output=True)


@contextmanager
def _daemon() -> Iterator[None]:
    """Run cron unless one runs already."""
    if _is_running():
        yield
        return
    # a group of its own, so that what it started ends with it
    process = subprocess.Popen(
        [CRON, "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=10)


def _is_running() -> bool:
    try:
        with Path("/run/crond.pid").open() as stream:
            return Path(f"/proc/{int(stream.read())}/comm").read_text().strip() == "cron"
    except (OSError, ValueError):
        return False


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE_SECONDS
    while not true():
        assert monotonic() < deadline, "cron did not run the job"
        sleep(0.5)

"""Tell the hooks what happened, as tick and notify do."""

from __future__ import annotations

from salescli.cli.session import Session
from salescli.notices import deliver
from salescli.storage import database, home, lease, lock
from salescli.storage.work import Work


def told(session: Session, name: str | None = None) -> list[deliver.Outcome]:
    """Tell the hooks, or the one called ``name`` at once. Raise AlreadyRunning."""
    home.check(session.file)
    database.wait_longer(session.file)
    work = Work(session.file, session.actor, session.now, session.zone)
    busy = "another process is telling the hooks"
    with lock.alone(session.beside, busy, of="notify"), lease.alone(work, "notify", deliver.LEASE, busy):
        return deliver.run(work, only=name)

"""Tell the hooks what happened, as tick and notify do."""

from __future__ import annotations

from salescli.cli.session import Session
from salescli.notices import deliver
from salescli.storage import database, home, lock
from salescli.storage.work import Work


def told(session: Session, name: str | None = None) -> list[deliver.Outcome]:
    """Tell the hooks, or the one called ``name`` at once. Raise AlreadyRunning."""
    home.check(session.file)
    database.wait_longer(session.file)
    work = Work(session.file, session.actor, session.now, session.zone)
    with lock.alone(session.beside, "another process is telling the hooks", of="notify"):
        return deliver.run(work, only=name)

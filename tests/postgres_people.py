"""A server with a shop and its people, each with a login of their own, for tests of who may do what.

``server()`` -> ``Server``: sessions past the program, command lines and operations as somebody
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from salescli.catalogue import actors
from salescli.rules import time
from salescli.sales import closed_months
from salescli.storage.database import connect
from tests import postgres_server
from tests.conftest import KYIV, House
from tests.story import Story
from tests.terminal import Ran, run_on

# Who sells is an operator, as is the head of sales, who may close months.
PEOPLE = {"olena": "manager", "ivan": "manager", "sofia": "sales-head", "oleh": "owner", "rita": "accountant"}
OPERATOR, OWNER = "salescli_shop_operator", "salescli_shop_owner"


@dataclass(frozen=True)
class Server:
    """A server with one shop, in a database that ``anna`` administers; January is closed."""

    folder: str
    database: str = "shop"

    def url(self, who: str) -> str:
        """Return the shop's URL for somebody."""
        return f"postgresql://{who}@/{self.database}?host={self.folder}"

    def session(self, who: str = postgres_server.OWNER) -> Any:
        """Return a session past the program, in a transaction."""
        import psycopg2  # an extra of the program's

        opened = psycopg2.connect(host=self.folder, user=who, dbname=self.database)
        opened.cursor().execute("SET search_path TO salescli")
        opened.commit()
        return opened

    def administer(self, *statements: str, database: str = "postgres") -> None:
        """Execute statements as the server's administrator, each on its own."""
        import psycopg2

        opened = psycopg2.connect(host=self.folder, user=postgres_server.OWNER, dbname=database)
        opened.autocommit = True
        for statement in statements:
            opened.cursor().execute(statement)
        opened.close()

    def run(self, who: str, *words: str, stdin: str = "") -> Ran:
        """Run a command line as somebody."""
        return run_on(self.url(who))(*words, stdin=stdin)

    def house(self, who: str) -> House:
        """Return the shop as somebody has it open, now."""
        opened = connect(self.url(who))
        return House(Path("/nowhere"), opened, actors.acting(opened, who), KYIV, now=time.now())


@contextmanager
def server() -> Iterator[Server]:
    """Run a server with a shop, in which a month is closed; two orders were paid. It forgets everything at its end."""
    with postgres_server.server() as folder:
        there = Server(folder)
        logins = [f"CREATE ROLE {login} LOGIN" for login in (*PEOPLE, "nina")]
        there.administer("CREATE ROLE anna LOGIN CREATEROLE", "CREATE DATABASE shop OWNER anna", *logins)
        assert there.run("anna", "init", "--time-zone", "Europe/Kyiv", "--currency", "EUR").code == 0
        house = there.house("anna")
        house.customer()
        house.payment_system("Bank transfer", gateway="manual")
        house.offer("100.00", name="Drawing", number="10")
        house.offer("30.00", name="Violin", number="20")
        for login, role in PEOPLE.items():
            house.user(login, name=login, role=role)
        story = Story(house)
        for moment in ("2026-01-15 10:00", "2026-02-15 10:00"):
            story.at(moment)
            order = story.order("10", through="Bank transfer")
            story.pay(order)
            story.answer(house.count("invoices"))
        closed_months.close(replace(house.work, now=time.now()), "2026-01")
        house.connection.close()
        yield there

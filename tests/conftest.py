"""The house a test stands in: a fresh file with an owner, and few-word ways to furnish it.

``house`` -> ``house.offer("49.00")`` | ``house.customer("Олена")`` | ``house.payment_system()`` -> the record
``run("orders", "list")`` or, of a certain house, ``house.run("orders", "list")`` -> ``Ran(code, out, err)``
"""

from __future__ import annotations

import json
import os
import pwd
import shlex
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings

from salescli.catalogue import actors, categories, customers, offers, payment_systems, records, users
from salescli.catalogue.offers import Offer
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.catalogue.records import Noun
from salescli.rules import time
from salescli.rules.permissions import Actor
from salescli.storage import database, home, new_file, place
from salescli.storage.work import Work
from tests import postgres_server
from tests.postgres_server import Shops, name_of
from tests.story import Story
from tests.terminal import Run

if TYPE_CHECKING:
    from tests.shop import Shop

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=timezone.utc)
LOGIN = pwd.getpwuid(os.getuid()).pw_name  # the OS login, so that a command run in a test acts as the owner
KYIV = ZoneInfo("Europe/Kyiv")

# Of who runs the tests, perhaps through sudo, on a terminal of their own.
for name in ("SUDO_UID", "SALESCLI_DB", "SALESCLI_USER", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(name, None)
os.environ |= {"TERM": "xterm", "PAGER": "cat"}
os.environ["XDG_CONFIG_HOME"] = "/dev/null"  # no configuration file but a test's own

# Those that wait, or take long, begin first; the others are done beside them.
_FIRST = ("tests/project/test_cron.py", "tests/faults/test_machine.py", "tests/faults/test_upgrades.py")

# What cannot be imported without a driver, or asks a server of its own.
_OF_A_SERVER = [
    "storage/test_postgres*.py", "cli/test_postgres_people.py", "faults/test_hosts.py", "faults/test_fail_over.py",
]  # fmt: skip
collect_ignore_glob = _OF_A_SERVER if postgres_server.missing() else []

settings.register_profile("salescli", deadline=None, max_examples=50)
settings.load_profile("salescli")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --postgres."""
    parser.addoption("--postgres", action="store_true", help="every shop is one of a private PostgreSQL server")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse --postgres where there is no server or no driver for it."""
    if config.getoption("postgres") and (missing := postgres_server.missing()):
        raise pytest.UsageError(f"--postgres needs {missing}: pip install -e '.[test]' (on Linux, x86-64)")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out."""
    if collect_ignore_glob:
        terminalreporter.write_line(f"left out, without {postgres_server.missing()}: {', '.join(collect_ignore_glob)}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests of ``_FIRST`` first, in its order; with --postgres leave out what is of files."""
    if config.getoption("postgres"):
        for item in items:
            if marked := item.get_closest_marker("of_files"):
                item.add_marker(pytest.mark.skip(reason=f"of files: {marked.args[0]}"))
    items.sort(key=lambda item: next((place for place, file in enumerate(_FIRST) if item.nodeid.startswith(file)), 9))


@dataclass(frozen=True, slots=True)
class House:
    """A file of its own, open, with its owner; every factory goes through the operation that a person would use."""

    path: Path
    connection: sqlite3.Connection
    actor: Actor
    zone: ZoneInfo
    now: datetime = NOW
    url: str = ""  # of a shop on a server, beside whose ``path`` this machine keeps what belongs to it

    @property
    def run(self) -> Run:
        """What runs command lines on the database: ``house.run("orders", "list")``."""
        return Run(self.path, self.url)

    @property
    def program(self) -> str:
        """The program with the database, as suggested commands name both."""
        return f"salescli --db {shlex.quote(self.run.named)}"

    @property
    def work(self) -> Work:
        """The owner at work, at NOW."""
        return Work(self.connection, self.actor, self.now, self.zone)

    def add(self, noun: Noun, **words: str) -> int:
        """Add a catalogue record of these words as the owner at NOW and return its id."""
        return records.add(self.work, noun, words)

    def category(self, name: str = "Courses", **words: str) -> sqlite3.Row:
        """Add a category."""
        return records.get(self.connection, categories.NOUN, self.add(categories.NOUN, name=name, **words))

    def offer(self, price: str = "49.00", *, name: str = "Course", **words: str) -> Offer:
        """Add an offer, in EUR unless ``currency`` says otherwise."""
        return offers.get(self.connection, self.add(offers.NOUN, name=name, price=price, **words))

    def customer(self, name: str = "Олена Коваль", **words: str) -> sqlite3.Row:
        """Add a customer."""
        return records.get(self.connection, customers.NOUN, self.add(customers.NOUN, name=name, **words))

    def payment_system(self, name: str = "Sandbox", *, gateway: str = "sandbox", **words: str) -> PaymentSystem:
        """Add a payment system; ``gateway="manual"`` is one that a person confirms."""
        id = self.add(payment_systems.NOUN, name=name, gateway=gateway, **words)
        return payment_systems.get(self.connection, id)

    def user(self, login: str = "ivan", *, name: str = "Іван Мельник", **words: str) -> Actor:
        """Register a user, without a role unless ``role`` names one, and return them as an actor."""
        self.add(users.NOUN, login=login, name=name, **words)
        return actors.acting(self.connection, login)

    def history(self, subject: str, id: int | None) -> list[dict[str, Any]]:
        """Return the history of a record, oldest first, ``changes`` as a dict of column -> [from, to]."""
        rows = self.connection.execute(
            "SELECT h.id, h.at, h.written_at, h.user_id, h.by_system, h.command, h.for_user_id, h.subject,"
            " h.subject_id, h.what, h.changes, t.text AS reason FROM history h LEFT JOIN texts t ON t.id = h.reason_id"
            " WHERE h.subject = ? AND h.subject_id IS ? ORDER BY h.id",
            (subject, id),
        )
        return [{**dict(row), "changes": json.loads(row["changes"])} for row in rows]

    def held(self) -> bytes | list[str]:
        """Return all that the shop holds, as ``Run.held``."""
        return self.run.held()

    def count(self, table: str, where: str = "1") -> int:
        """Return how many rows of ``table`` there are."""
        row = self.connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()
        return int(row[0])


@cache
def _blank() -> bytes:
    """Return a file with every table and no settings; made once, since to make it is most of a short test's time."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "sales.db"
        new_file.create(path, {})
        return path.read_bytes()


def _in_a_file(path: Path) -> sqlite3.Connection:
    path.touch(0o600, exist_ok=False)
    path.write_bytes(_blank())
    return database.connect(path)


def _furnished(connection: sqlite3.Connection, further: Mapping[str, str], url: str = "") -> House:
    usual = {"installation": "test", "time_zone": KYIV.key, "currency": "EUR", "home": home.here(connection)}
    wanted = {**usual, **further}
    with database.transaction(connection):
        connection.executemany("INSERT INTO settings (name, value) VALUES (?, ?)", wanted.items())
    actor = users.register_owner(connection, login=LOGIN, name="Оксана Власник", now=NOW)
    zone = time.time_zone(wanted["time_zone"])
    return House(Path(database.path_of(connection)), connection, actor, zone, url=url)


@pytest.fixture(scope="session")
def shops(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops | None]:
    """The databases of a private server, with --postgres; None where every shop is a file."""
    if not request.config.getoption("postgres"):
        yield None
        return
    os.environ["XDG_STATE_HOME"] = os.fspath(tmp_path_factory.mktemp("state"))  # what is kept beside such a shop
    with postgres_server.shops() as made:
        yield made


@pytest.fixture(scope="session")
def _blank_shop(shops: Shops | None) -> str:
    """The name of a database whose shop has every table and no settings."""
    if shops is None:
        return ""
    name = shops.new()
    new_file.create(shops.url(name), {"home": ""})
    made = database.connect(shops.url(name))
    made.execute("DELETE FROM settings")
    made.close()
    return name


@pytest.fixture
def new_house(tmp_path: Path, shops: Shops | None, _blank_shop: str) -> Iterator[Callable[..., House]]:
    """Build houses: ``new_house("other.db", currency="UAH")``; further words are settings of the database."""
    built: list[House] = []

    def build(name: str = "sales.db", *, copied: House | None = None, **further: str) -> House:
        if shops is None:
            built.append(_furnished(_in_a_file(tmp_path / name), further))
        elif copied:
            url = shops.url(shops.new(name_of(copied.url)))
            opened = database.connect(url)
            built.append(replace(copied, path=Path(database.path_of(opened)), connection=opened, url=url))
        else:
            url = shops.url(shops.new(_blank_shop))
            built.append(_furnished(database.connect(url), further, url))
        return built[-1]

    yield build
    for house in built:
        house.connection.close()
        if shops:
            shops.drop(name_of(house.url))


@pytest.fixture
def run(tmp_path: Path, shops: Shops | None, request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run command lines: ``run("orders", "list")``, on the shop of ``house``, or one that ``init`` is to make."""
    if shops is None:
        yield Run(tmp_path / "sales.db")
    elif "house" in request.fixturenames:
        yield request.getfixturevalue("house").run
    else:
        url = shops.url(shops.new())
        yield Run(Path(place.beside(url)), url)
        shops.drop(name_of(url))


@pytest.fixture
def begun(tmp_path: Path, shops: Shops | None, request: pytest.FixtureRequest) -> Run:
    """Run command lines on a shop that ``init`` has just made, in EUR, in Europe/Kyiv; on a server on a copy of one."""
    if shops:
        new_house: Callable[..., House] = request.getfixturevalue("new_house")
        return new_house().run
    path = tmp_path / "sales.db"
    path.touch(0o600)
    path.write_bytes(_begun())
    with closing(database.connect(path)) as connection:
        database.set_setting(connection, "home", home.here(connection))
    return Run(path)


@cache  # to make all tables takes half a second
def _begun() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "sales.db")
        assert Run(path)("init", "--time-zone", KYIV.key, "--currency", "EUR").code == 0
        return path.read_bytes()


@pytest.fixture
def house(new_house: Callable[..., House]) -> House:
    """Return a fresh house: EUR, Europe/Kyiv, one owner."""
    return new_house()


@pytest.fixture
def connection(house: House) -> sqlite3.Connection:
    """Return the open connection of ``house``."""
    return house.connection


@pytest.fixture
def actor(house: House) -> Actor:
    """Return the owner of ``house``."""
    return house.actor


@pytest.fixture
def zone(house: House) -> ZoneInfo:
    """Return the account's zone of ``house``."""
    return house.zone


@pytest.fixture
def story(house: House) -> Story:
    """A house with a customer, a sandbox and a manual merchant, on 31 January 2026 at ten."""
    house.customer("Олена Коваленко", email="olena@example.com")
    house.payment_system("Sandbox", fee="2.9%")
    house.payment_system("Bank transfer", gateway="manual")
    story = Story(house).at("2026-01-31 10:00")
    if house.url:
        story.number_payments_from_1()
    return story


@pytest.fixture(scope="session")
def _shop_of_all(tmp_path_factory: pytest.TempPathFactory, shops: Shops | None, _blank_shop: str) -> Shop:
    from tests.shop import after_every_act  # which itself needs House

    url = shops.url(shops.new(_blank_shop)) if shops else ""
    opened = database.connect(url) if url else _in_a_file(tmp_path_factory.mktemp("shop") / "sales.db")
    house = _furnished(opened, {}, url)
    made = after_every_act(house)
    house.connection.close()
    return made


@pytest.fixture
def shop(new_house: Callable[..., House], shops: Shops | None, _shop_of_all: Shop) -> Shop:
    """A copy, at home where it is, of a shop after every act there is: see ``tests.shop``."""
    made = _shop_of_all.house
    house = new_house(copied=made)
    if not shops:
        with closing(database.connect(made.path)) as source:
            source.backup(house.connection)
    database.set_setting(house.connection, "home", home.here(house.connection))
    shutil.copyfile(f"{made.path}.sandbox", f"{house.path}.sandbox")
    return _shop_of_all.again(house)

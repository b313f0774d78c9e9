"""A shop that moves is the same there, and what it leaves can only be read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from salescli.cli import caller
from salescli.errors import DatabaseUnusable
from salescli.storage import database, engine, lock, migrate, pages, process, totals
from salescli.storage.schema import VERSION
from tests import moved, postgres_server
from tests.postgres_server import Shops
from tests.rules.test_permissions import TABLE
from tests.shop import Shop
from tests.story import Story
from tests.terminal import Run

pytestmark = pytest.mark.of_files("they bring a server of their own")
# What does not change records: it is about another file, about where the shop is, or about the program's own tables.
ELSEWHERE = ("cron", "config", "completion", "help", "restore", "adopt", "move", "upgrade")
REPORTS = ("details", "by-offer", "by-category", "by-manager", "by-payment-system", "recurring")


@pytest.fixture(scope="module")
def databases() -> Iterator[Shops]:
    """Run a server for the tests of this file."""
    if missing := postgres_server.missing():
        pytest.skip(f"not installed: {missing}")
    with postgres_server.server() as host:
        yield Shops(host)


@pytest.fixture
def url(databases: Shops) -> str:
    """Return the URL of an empty database."""
    return databases.url(databases.new())


@pytest.fixture(params=["a file", "a server"])
def to(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a place where nothing is."""
    return str(request.getfixturevalue("url") if request.param == "a server" else tmp_path / "there.db")


def whole(where: moved.Where) -> None:
    """Check that a database has everything that works on its rows, and that it worked."""
    with closing(database.connect(where)) as connection:
        there = engine.server(connection)
        assert not (there.missing() if there else migrate.missing(connection, VERSION))
        assert not list(totals.differences(connection))
        assert not list(pages.damages(connection, 5))


def test_a_shop_moved_there_and_back_is_the_same(shop: Shop, to: str, tmp_path: Path) -> None:
    here, back = shop.house.path, tmp_path / "back.db"
    before, last = moved.contents(here), moved.numbers(here)
    for source, target in ((here, to), (to, back)):
        done = moved.at(source)("move", target)
        assert (done.code, done.out) == (0, ""), done.err
        assert f"to {target}, and compared them" in done.err
        assert moved.contents(target) == before
        assert moved.numbers(target) == last
        whole(target)
        for report in REPORTS:
            printed = moved.at(target)("reports", report, "--csv")
            assert printed.out.count("\n") > 1, printed.err
            assert moved.at(source)("reports", report, "--csv").out == printed.out
        found = moved.at(target)("customers", "list", "--search", "олен", "--csv")
        assert found.rows
        assert moved.at(source)("customers", "list", "--search", "олен", "--csv").out == found.out
        assert not moved.changes(source)
    lines = moved.at(back)("history", "file", "--csv").rows
    assert [line["what"] for line in lines[:2]] == ["moved", "moved"]
    assert str(here) in lines[1]["changes"]


def test_it_goes_on_where_it_was(shop: Shop, to: str) -> None:
    number = shop.house.count("orders") + 1
    assert shop.house.run("move", to).code == 0
    opened = moved.at(to)("orders", "new", "1", "10", "--payment-system", "Sandbox", "--token", "tok_ok", "-q")
    assert (opened.code, opened.out) == (0, f"{number}\n"), opened.err
    assert moved.at(to)("orders", "pay", number).code == 0
    assert moved.at(to)("tick", "--accept-clock").code == 0
    whole(to)
    assert moved.charges(to)


def test_what_is_left_is_read_and_refuses_every_change_in_one_line(shop: Shop, to: str) -> None:
    house = shop.house
    listed, refused = house.run("orders", "list", "--csv").out, set()
    assert house.run("move", to).code == 0
    said = f"salescli: the shop has moved to {to}; what is left here can only be read\n"
    before = house.path.read_bytes()
    for command in TABLE:
        if command.endswith(" -n") and not command.startswith((*ELSEWHERE, "--as")):
            for words in (command.split(), command.split()[:-1]):
                done = house.run(*words)
                assert house.path.read_bytes() == before, words
                if done.code == 7:
                    refused.add(words[0])
                    assert done.err.endswith(said), done.err
    assert refused >= {"tick", "notify", "orders", "payments", "recurring", "customers", "offers", "users", "charging"}
    assert f"the shop has moved to {to}" in house.run("charging", "status").out
    assert f"the shop has moved to {to}" in house.run("doctor", "--csv").out
    assert house.run("orders", "list", "--csv").out == listed
    assert house.path.read_bytes() == before
    with pytest.raises(DatabaseUnusable, match="moved to"), database.transaction(house.connection):
        pass  # a person who was at work before, and waited until it had moved


def test_it_is_adopted_again_only_if_the_new_place_is_lost(shop: Shop, to: str) -> None:
    here = shop.house.path
    assert moved.at(here)("move", to).code == 0
    refused = moved.at(here)("adopt")
    assert (refused.code, moved.charges(here)) == (1, False)
    assert "salescli adopt --again" in refused.err
    assert moved.at(here)("adopt", "--again").code == 0
    assert moved.charges(here)
    assert moved.changes(here)


def test_a_copy_from_before_that_is_put_back_charges_nobody(shop: Shop, to: str, tmp_path: Path) -> None:
    house, before = shop.house, tmp_path / "before.db"
    shutil.copyfile(house.path, before)
    assert house.run("move", to).code == 0
    house.connection.close()
    before.replace(house.path)
    for line in ("tick", "notify", "adopt"):
        refused = house.run(*line.split())
        assert (refused.code in (1, 7), f"the shop has moved to {to}" in refused.err) == (True, True), line
    assert f"the shop has moved to {to}" in house.run("charging", "status").out
    assert "moved" in {row["check"] for row in house.run("doctor", "--json").json}
    assert house.run("adopt", "--again").code == 0
    assert house.run("tick", "--accept-clock").code == 0
    assert house.run("charging", "status").out == "charging is on, without limits\n"


def test_a_shop_that_comes_back_to_its_old_place_is_at_home_there(shop: Shop, to: str) -> None:
    house = shop.house
    assert house.run("move", to).code == 0
    house.connection.close()
    house.path.unlink()
    assert Run(house.path, to)("move", str(house.path)).code == 0
    assert house.run("tick", "--accept-clock").code == 0


def test_nothing_is_overwritten(shop: Shop, to: str, tmp_path: Path) -> None:
    here = shop.house.path
    made = moved.at(to)("init", "--time-zone", "UTC")
    assert made.code == 0, made.err
    before = moved.contents(to)
    refused = moved.at(here)("move", to)
    assert (refused.code, refused.err.count("\n")) == (7, 1)
    assert f"{to} is taken" in refused.err
    (tmp_path / "link.db").symlink_to("nowhere.db")
    for taken in (here, tmp_path / "link.db"):
        assert moved.at(here)("move", taken).code == 7
    assert moved.contents(to) == before
    assert moved.charges(here)


def test_nobody_moves_what_is_at_work(shop: Shop, to: str) -> None:
    house = shop.house
    for of in ("tick", "notify"):
        with lock.alone(house.path, of=of):
            assert house.run("move", to).code == 75
    shop.pay(shop.order("10", token="tok_timeout_after_charge"))
    house.connection.execute("UPDATE attempts SET owner = ? WHERE status = 'live'", (process.this_process(),))
    refused = house.run("move", to)
    assert (refused.code, "waits for the answer" in refused.err) == (75, True)
    house.connection.execute("UPDATE settings SET value = 'elsewhere' WHERE name = 'home'")
    refused = house.run("move", to)
    assert (refused.code, "belongs to elsewhere" in refused.err) == (1, True)
    assert moved.changes(house.path)
    assert house.run("move", to, "-n").code == 1


def test_a_dry_run_writes_nothing(shop: Shop, to: str) -> None:
    before = shop.house.path.read_bytes()
    done = shop.house.run("move", to, "-n")
    assert (done.code, done.err.startswith("dry run: would move")) == (0, True), done.err
    assert shop.house.path.read_bytes() == before
    assert not Path(to).exists()
    assert shop.house.run("move", to, "-n").code == 0


def test_users_without_a_login_there_are_named(shop: Shop, url: str, databases: Shops) -> None:
    shop.house.user("olena", name="Олена", role="manager")
    shop.house.user("halyna", name="Галина", role="accountant")
    databases.execute("CREATE ROLE olena LOGIN")
    done = shop.house.run("move", url)
    assert done.code == 0, done.err
    assert "without a login there: halyna; once they have one" in done.err
    assert moved.at(url.replace(f"//{postgres_server.OWNER}@", "//olena@"))("orders", "list").code == 0


def test_who_would_be_a_stranger_there_does_not_move(
    shop: Shop, url: str, tmp_path: Path, databases: Shops, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.execute("CREATE ROLE nobody_here LOGIN SUPERUSER")
    stranger = url.replace(f"//{postgres_server.OWNER}@", "//nobody_here@")
    refused = shop.house.run("move", stranger)
    assert refused.code == 4
    assert "users add nobody_here --role owner" in refused.err
    shop.house.user("nobody_here", name="Nobody", role="manager")
    assert "users edit nobody_here --role owner" in shop.house.run("move", stranger).err
    assert shop.house.run("move", url).code == 0
    monkeypatch.setattr(caller, "os_login", lambda: "nobody_here")
    refused = moved.at(url)("move", tmp_path / "back.db")
    assert (refused.code, refused.err.count("\n")) == (4, 1), refused.err


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("postgresql://olena:secret@db/shop", "a password in a URL"),
        ("ssh://db/sales.db", "a shop moves to a server, or to a file of this machine"),
        ("mysql://db/shop", "cannot open a mysql:// database"),
        ("postgresql:olena@db/shop", "write postgresql://"),
    ],
)
def test_only_to_where_a_shop_can_be(shop: Shop, to: str, says: str) -> None:
    refused = shop.house.run("move", to)
    assert (refused.code, refused.err.count("\n"), "secret" in refused.err) == (2, 1, False)
    assert says in refused.err


def test_what_lies_beside_it_comes_along(shop: Shop, to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    ledger = Path(f"{shop.house.path}.sandbox").read_bytes()
    letters = Path(f"{shop.house.path}.letters") / "uk"
    letters.mkdir(parents=True)
    (letters / "paid.txt").write_text("Дякуємо")
    assert shop.house.run("move", to).code == 0
    from salescli.storage import place

    there = Path(place.beside(to))
    assert Path(f"{there}.sandbox").read_bytes() == ledger
    assert Path(f"{there}.sandbox").stat().st_mode & 0o777 == 0o600
    assert (Path(f"{there}.letters") / "uk" / "paid.txt").read_text() == "Дякуємо"


def test_a_text_that_a_server_cannot_store_stops_it_all(shop: Shop, url: str) -> None:
    shop.house.connection.execute("UPDATE customers SET email = 'a' || char(0) || 'b' WHERE id = 1")
    refused = shop.house.run("move", url)
    assert (refused.code, "nothing was changed" in refused.err, refused.err.count("\n")) == (7, True, 1), refused.err
    assert moved.changes(shop.house.path)
    shop.house.connection.execute("UPDATE customers SET email = NULL WHERE id = 1")
    assert shop.house.run("move", url).code == 0


def test_a_difference_stops_it_all(shop: Shop, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from salescli.storage import transfer

    store = transfer._store

    def one_less(connection: engine.Connection, table: transfer._Table, rows: Iterator[tuple[object, ...]]) -> None:
        kept = list(rows)
        store(connection, table, iter(kept[:-1] if table.name == "refunds" else kept))

    monkeypatch.setattr(transfer, "_store", one_less)
    refused = shop.house.run("move", to)
    assert (refused.code, "the rows of refunds are not the same" in refused.err) == (7, True), refused.err
    assert moved.charges(shop.house.path)
    monkeypatch.undo()
    assert shop.house.run("move", to).code == 0


def test_simulate_shows_the_same_on_a_server(story: Story, url: str) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7")
    shown = ["simulate", "--until", "+90d", "--csv"]
    here = story.house.run(*shown)
    assert here.rows
    assert story.house.run("move", url).code == 0
    there = moved.at(url)(*shown)
    assert (there.code, there.out) == (0, here.out), there.err
    assert moved.charges(url)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("backup", "pg_dump"),
        ("backup here.db", "pg_dump"),
        ("restore here.db", "pg_restore into a new database, then run `salescli adopt`"),
        ("upgrade", "move it to a file"),
        ("upgrade -n", "move it to a file"),
        ("--any-file-system orders list", "for a database in a file"),
    ],
)
def test_what_a_server_has_other_tools_for_is_refused_in_one_line(line: str, names: str, tmp_path: Path) -> None:
    refused = moved.at("postgresql://nobody@/nothing?host=/nowhere")(*line.split())
    assert (refused.code, refused.err.count("\n")) == (2, 1), refused.err
    assert names in refused.err
    assert not list(tmp_path.iterdir())

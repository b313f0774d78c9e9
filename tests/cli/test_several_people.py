"""Several people on one file, as `salescli help several-people` sets it up, with real users of the operating system.

root makes a service account and three people; they come through the real sudo, and through one that is emulated, which
passes on all of the caller's environment. A watcher removes everything, also when the tests are killed.
"""

from __future__ import annotations

import csv
import io
import os
import pty
import pwd
import re
import secrets
import select
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import salescli

PACKAGE = Path(salescli.__file__).parent
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can add users to the operating system"),
    pytest.mark.of_files("people share it through sudo"),
]

# What removes it all: at the end of its stdin, that is when the tests end, however they do.
_CLEAN_UP = """
cat >/dev/null
rm -f "$2"
for login in $3; do userdel -f "$login"; done
rm -rf "$1"
"""

_PROGRAM = """#!{python} {option}
import sys
sys.path.insert(0, {library!r})
from salescli.__main__ import main
main()
"""


@dataclass(frozen=True, slots=True)
class Team:
    """A service account with its file, people who may come through sudo to one program, and a way to do that."""

    place: Path
    account: str
    manager: str
    accountant: str
    stranger: str
    really: bool = False  # through the real sudo

    @property
    def program(self) -> Path:
        return self.place / "bin" / "salescli"

    @property
    def rule(self) -> Path:
        return Path("/etc/sudoers.d") / self.place.name.replace("_", "-")  # sudo skips names with a dot

    @property
    def file(self) -> Path:
        return Path(pwd.getpwnam(self.account).pw_dir) / ".local" / "share" / "salescli" / "sales.db"

    def run(
        self, login: str, *words: str, stdin: str = "", isolated: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the program as the service account, asked by ``login``, in whose environment that is set."""
        mine, home = {**self.environment(login), **environment}, pwd.getpwnam(login).pw_dir
        program = str(self.program if isolated else self.program.with_name("salescli-not-isolated"))
        if self.really:
            return _as(login, ["sudo", "-n", "-u", self.account, program, *words], mine, stdin, home)
        person = pwd.getpwnam(login)
        said_by_sudo = {"SUDO_UID": f"{person.pw_uid}", "SUDO_GID": f"{person.pw_gid}", "SUDO_USER": login}
        return _as(self.account, [program, *words], {**mine, **said_by_sudo}, stdin, home)

    def ok(self, login: str, *words: str, **more: Any) -> str:
        """Run what must go well, and return what it wrote."""
        ran = self.run(login, *words, **more)
        assert ran.returncode == 0, (words, ran.stderr)
        return ran.stdout

    def refused(self, login: str, *words: str, **more: Any) -> str:
        """Run what must be refused with one clear line and nothing else, and return the line."""
        ran = self.run(login, *words, **more)
        assert (ran.returncode, ran.stdout) == (4, ""), (words, ran)
        assert re.fullmatch(r"salescli: .+\n", ran.stderr), ran.stderr
        return ran.stderr

    @staticmethod
    def environment(login: str) -> dict[str, str]:
        return {"PATH": os.defpath, "HOME": pwd.getpwnam(login).pw_dir, "LANG": "C.UTF-8", "TERM": "xterm"}


def _as(
    login: str, command: list[str], environment: dict[str, str] | None = None, stdin: str = "", folder: str = "/"
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user of the operating system, with that user's rights alone."""
    user = pwd.getpwnam(login)
    return subprocess.run(
        command,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        env=environment or Team.environment(login),
        input=stdin,
        cwd=folder,  # in the caller's home it is one that the account may not read
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def users() -> Iterator[Team]:
    """A folder that all may read, with the program in it, and the users; gone afterwards, whatever happens."""
    if shutil.which("useradd") is None:
        pytest.skip("there is no useradd to add users with")
    mark = secrets.token_hex(3)
    logins = (f"salescli_{mark}-", f"Olena.K-{mark}", f"_halyna{mark}", f"x{mark}")
    team = Team(Path(tempfile.mkdtemp(prefix="salescli-people-", dir="/tmp")), *logins)
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", _CLEAN_UP, "sh", str(team.place), str(team.rule), " ".join(logins)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        team.place.chmod(0o755)
        for login in logins:
            _add_user(login, team.place / "home" / login)
        _install(team)
        yield team
    finally:
        assert watcher.stdin
        watcher.stdin.close()
        watcher.wait(60)


def _add_user(login: str, home: Path) -> None:
    home.parent.mkdir(mode=0o755, exist_ok=True)
    command = ["useradd", "--badname", "--home-dir", str(home), "--create-home", "--shell", "/bin/sh", login]
    subprocess.run(command, check=True, capture_output=True)
    home.chmod(0o700)


def _install(team: Team) -> None:
    """Copy the program and what it needs to where everybody may read it."""
    python = _python(team.manager)
    library = team.place / "lib"
    shutil.copytree(PACKAGE, library / "salescli", ignore=shutil.ignore_patterns("__pycache__"))
    for name in _needed("salescli", set()) - {"salescli"}:
        for file in distribution(name).files or []:
            if ".." not in file.parts and file.suffix != ".pyc":
                (library / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), library / file)
    subprocess.run(["chmod", "-R", "go=rX", str(library)], check=True)
    subprocess.run([python, "-m", "compileall", "-q", str(library)], check=True)
    team.program.parent.mkdir()
    for name, option in (("salescli", "-I"), ("salescli-not-isolated", "")):
        text = _PROGRAM.format(python=python, option=option, library=str(library))
        team.program.with_name(name).write_text(text, encoding="utf-8")
        team.program.with_name(name).chmod(0o755)


def _needed(name: str, seen: set[str]) -> set[str]:
    """Return the names of a distribution and of all that it needs."""
    if name not in seen:
        seen.add(name)
        for requirement in map(Requirement, distribution(name).requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                _needed(requirement.name, seen)
    return seen


def _python(login: str) -> str:
    """Return a Python that other users may run; root's own is often in root's home."""
    wanted = "import sqlite3, sys; sys.exit(sys.version_info < (3, 10) or sqlite3.sqlite_version_info < (3, 37))"
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            if _as(login, [python, "-c", wanted]).returncode == 0:
                return python
        except OSError:
            continue
    pytest.skip("there is no Python 3.10 or newer that other users may run")


@pytest.fixture(scope="module", params=["sudo", "a sudo that passes on the caller's environment"])
def team(users: Team, request: pytest.FixtureRequest) -> Iterator[Team]:
    """The set-up of the page, step by step, and a manager, an accountant and somebody who is nobody here."""
    made = replace(users, really=request.param == "sudo")
    if made.really:
        _let_them_through(made)
    root = pwd.getpwuid(0).pw_name
    try:
        made.ok(root, "init", "--time-zone", "Europe/Kyiv", "--currency", "EUR")
        made.ok(root, "users", "add", made.account, "--role", "cron")
        made.ok(root, "users", "add", made.manager, "--name", "Олена", "--role", "manager")
        made.ok(root, "users", "add", made.accountant, "--name", "Галина", "--role", "accountant")
        made.ok(root, "payment-systems", "add", "Card", "--gateway", "sandbox")
        made.ok(root, "offers", "add", "Drawing", "--number", "7", "--price", "49.00")
        made.ok(root, "customers", "import", "-", stdin="name,email\nІван,ivan@example.com\n")
        yield made
    finally:
        shutil.rmtree(made.file.parent, ignore_errors=True)


def _let_them_through(team: Team) -> None:
    """Write the one line for sudo, or skip where sudo cannot be used."""
    if shutil.which("sudo") is None:
        pytest.skip("sudo is not installed; what it does is emulated")
    people = ", ".join((team.manager, team.accountant, team.stranger))
    line = f"{people} ALL=({team.account}) NOPASSWD: {team.program}\n"
    draft = team.place / "sudoers"
    draft.write_text(line, encoding="utf-8")
    checked = subprocess.run(["visudo", "-cf", str(draft)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    team.rule.touch(mode=0o440)
    team.rule.write_text(line, encoding="utf-8")
    ran = team.run(team.manager, "--version")
    if ran.returncode != 0:
        pytest.skip(f"sudo does not work here ({ran.stderr.strip()}); what it does is emulated")


def _history(team: Team, *of: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(team.ok(team.accountant, "history", *of, "--csv"))))


def _everything(team: Team) -> dict[Path, tuple[int, bytes]]:
    return {file: (file.stat().st_mode, file.read_bytes()) for file in team.file.parent.iterdir()}


def test_the_file_is_the_account_s_alone(team: Team) -> None:
    account = pwd.getpwnam(team.account)
    assert (team.file.stat().st_uid, stat.S_IMODE(team.file.stat().st_mode)) == (account.pw_uid, 0o600)
    for command in (["cat", str(team.file)], ["ls", account.pw_dir], ["cp", "/dev/null", str(team.file)]):
        assert _as(team.manager, command).returncode != 0
    assert _as(team.manager, ["sh", "-c", f"echo > {team.file}"]).returncode != 0
    before = _everything(team)
    assert "--output is refused" in team.refused(team.manager, "orders", "list", "--csv", "-o", str(team.file))
    assert _everything(team) == before


def test_a_manager_sells_and_is_recorded_under_their_own_name(team: Team) -> None:
    said = team.ok(
        team.manager, "orders", "new", "ivan@example.com", "7", "--payment-system", "Card", "--token", "tok_ok"
    )
    number = re.fullmatch(r"order (\d+): Drawing, 49.00 EUR, Open\n", said)[1]  # type: ignore[index]
    assert "paid" in team.ok(team.manager, "orders", "pay", number)
    assert number in team.ok(team.manager, "orders", "list", "-q").split()
    assert {row["by"] for row in _history(team, "order", number)} == {"Олена"}
    assert team.ok(team.manager, "orders", "show", number, "-o", "-").startswith("order")


def test_init_made_its_caller_the_owner_and_not_the_account(team: Team) -> None:
    assert _history(team, "file")[-1]["by"] == pwd.getpwuid(0).pw_name
    assert f"{pwd.getpwuid(0).pw_name},owner" in team.ok(
        team.accountant, "users", "list", "--csv", "--columns", "login,role"
    )


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["orders", "list", "--csv", "-o", "{file}"], id="the database by -o"),
        pytest.param(["orders", "list", "--csv", "-o", "{home}/.profile"], id="a start-up file by -o"),
        pytest.param(["--db", "{mine}", "orders", "list"], id="a database of one's own"),
        pytest.param(["--db", "{mine}", "orders", "list", "-o", "{file}"], id="-o from a database of one's own"),
        pytest.param(["--db", "{file}", "orders", "list"], id="the very same database"),
        pytest.param(["--db", "-", "orders", "list"], id="a database called -"),
        pytest.param(["import", "orders", "{file}"], id="a file that the account can read"),
        pytest.param(["import", "orders", "-", "--rejects", "-"], id="a rejects file called -"),
        pytest.param(["payment-systems", "add", "X", "--gateway", "command:x"], id="a program"),
        pytest.param(["payment-systems", "edit", "Card", "--env", "HOME"], id="a variable"),
        pytest.param(["payment-systems", "import", "-"], id="programs in a file"),
        pytest.param(["init", "--time-zone", "UTC"], id="a new file"),
    ],
)
def test_nobody_chooses_a_file_or_a_program_for_the_account(team: Team, words: list[str]) -> None:
    mine = _database_of(team.manager, team)
    before = _everything(team)
    filled = [word.format(file=team.file, home=pwd.getpwnam(team.account).pw_dir, mine=mine) for word in words]
    owner = pwd.getpwuid(0).pw_name  # whom no lack of a permission keeps from it
    assert "is refused through sudo" in team.refused(owner, *filled)
    assert _everything(team) == before


def test_a_file_that_is_away_for_a_restore_opens_no_way_round(team: Team) -> None:
    mine, away = _database_of(team.manager, team), team.file.with_suffix(".away")
    team.file.rename(away)
    try:
        team.refused(team.manager, "--db", str(mine), "orders", "list", "--csv", "-o", str(team.file))
        team.refused(team.manager, "init", "--time-zone", "UTC")
        assert not team.file.exists()
    finally:
        away.rename(team.file)


def test_the_caller_s_environment_chooses_no_database(team: Team) -> None:
    mine = _database_of(team.manager, team)
    theirs = {"SALESCLI_DB": str(mine), "XDG_DATA_HOME": str(mine.parent), "HOME": str(mine.parent)}
    assert "Олена" in team.ok(team.manager, "users", "list", **theirs)


def test_a_configuration_file_of_the_caller_or_the_account_is_not_read(team: Team) -> None:
    mine = _database_of(team.manager, team)
    words = ("users", "list", "--columns", "login")
    before = team.ok(team.manager, *words)
    files = []
    try:
        for login, home in ((team.manager, mine.parent), (team.account, team.file.parents[3])):
            folder = home / ".config" / "salescli"
            folder.mkdir(parents=True, exist_ok=True)
            files.append(folder / "config.toml")
            files[-1].write_text(f'database = "{mine}"\nformat = "json"\n')
            shutil.chown(files[-1], login)
            for one in (folder.parent, folder, files[-1]):
                one.chmod(0o755)
        assert (
            team.ok(team.manager, *words, HOME=str(mine.parent), XDG_CONFIG_HOME=str(mine.parent / ".config")) == before
        )
    finally:
        for file in files:
            shutil.rmtree(file.parents[1])


def test_a_manager_acts_for_nobody_else(team: Team) -> None:
    assert "act for others" in team.refused(team.manager, "--as", team.accountant, "orders", "list")
    if not team.really:  # sudo takes it out of the environment
        assert "act for others" in team.refused(team.manager, "orders", "list", SALESCLI_USER=team.accountant)


def test_the_owner_acts_for_a_manager_and_history_names_both(team: Team) -> None:
    root = pwd.getpwuid(0).pw_name
    said = team.ok(root, "--as", team.manager, "orders", "new", "ivan@example.com", "7")
    assert {row["by"] for row in _history(team, "order", said.split()[1].rstrip(":"))} == {f"{root}, as Олена"}


def test_a_caller_s_path_and_home_bring_no_program(team: Team) -> None:
    home, trace = team.place / "home" / team.manager / "public", team.file.parent / "trace"
    home.parent.chmod(0o755)
    home.mkdir(exist_ok=True)
    (home / "salescli-gateway-evil").write_text(f"#!/bin/sh\ntouch {trace}\n", encoding="utf-8")
    (home / "salescli-gateway-evil").chmod(0o755)
    _plug_in(home, trace)
    theirs = {"HOME": str(home), "PATH": f"{home}:{os.defpath}", "PYTHONUSERBASE": str(home / ".local")}
    for gateway in ("evil", "command:evil"):
        _put(team, f"UPDATE payment_systems SET gateway = '{gateway}' WHERE name = 'Card'")
        for isolated in (True, team.really):
            ran = team.run(pwd.getpwuid(0).pw_name, "payment-systems", "check", "Card", isolated=isolated, **theirs)
            assert "evil" in ran.stdout + ran.stderr
            assert not trace.exists()
    _put(team, "UPDATE payment_systems SET gateway = 'sandbox' WHERE name = 'Card'")


def _plug_in(home: Path, trace: Path) -> None:
    """Install a gateway for one user, as `pip install --user` does; to load it leaves a trace."""
    for minor in range(10, 20):
        folder = home / ".local" / "lib" / f"python3.{minor}" / "site-packages"
        info = folder / "evil-1.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (folder / "evil.py").write_text(f"open({str(trace)!r}, 'w')\n", encoding="utf-8")
        (info / "METADATA").write_text("Name: evil\nVersion: 1\n", encoding="utf-8")
        (info / "entry_points.txt").write_text("[salescli.gateways]\nevil = evil:Evil\n", encoding="utf-8")


def _put(team: Team, sql: str) -> None:
    with closing(sqlite3.connect(team.file)) as connection, connection:
        connection.execute(sql)


def test_a_pager_gives_no_shell(team: Team) -> None:
    """A page longer than the terminal ends by itself: in `less` one could type !sh."""
    trace = team.file.parent / "trace"
    command = [str(team.program), "help", "charge-protocol"]
    environment = {**team.environment(team.manager), "PAGER": f"sh -c 'touch {trace}; cat'"}
    if team.really:
        login, command = team.manager, ["sudo", "-n", "-u", team.account, *command]
    else:
        login, environment["SUDO_UID"] = team.account, f"{pwd.getpwnam(team.manager).pw_uid}"
    terminal, inner = pty.openpty()
    user = pwd.getpwnam(login)
    process = subprocess.Popen(
        command, stdin=inner, stdout=inner, stderr=inner, env=environment, cwd="/",
        user=user.pw_uid, group=user.pw_gid, extra_groups=[], start_new_session=True,
    )  # fmt: skip
    os.close(inner)
    try:
        assert len(_all_of(terminal)) > 3000
        assert process.wait(60) == 0
    finally:
        process.kill()
        os.close(terminal)
    assert not trace.exists()


def _all_of(terminal: int) -> bytes:
    """Read a terminal to its end. Fail when nothing comes any more and there is no end."""
    written = b""
    while select.select([terminal], [], [], 30)[0]:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # the other side was closed
            return written
        written += block
    raise AssertionError(f"it waits for a key after: {written[-200:]!r}")


def test_a_stranger_reads_nothing_but_help_and_version(team: Team) -> None:
    assert team.ok(team.stranger, "--help").startswith("Usage")
    assert team.ok(team.stranger, "orders", "show", "--help").startswith("Usage")
    assert team.ok(team.stranger, "--version") == f"salescli {salescli.__version__}\n"
    for words in (["orders", "list"], ["orders", "show", "999"], ["todo"], ["doctor"], ["tick"], ["users", "list"]):
        assert f"{team.stranger} is not a registered user" in team.refused(team.stranger, *words)


def test_who_was_deactivated_is_out(team: Team) -> None:
    root = pwd.getpwuid(0).pw_name
    team.ok(root, "users", "deactivate", team.accountant)
    assert "deactivated" in team.refused(team.accountant, "orders", "list")
    team.ok(root, "users", "edit", team.accountant, "--active")
    team.ok(team.accountant, "orders", "list")


def test_the_account_itself_runs_tick_for_cron_and_is_recorded(team: Team) -> None:
    ran = _as(team.account, [str(team.program), "charging", "off", "--reason", "a check"])
    assert ran.returncode == 0, ran.stderr
    assert _as(team.account, [str(team.program), "tick"]).returncode == 0
    assert _history(team, "file")[0]["by"] == team.account
    assert _as(team.account, [str(team.program), "charging", "on"]).returncode == 0


def test_sudo_lets_nobody_run_another_program(team: Team) -> None:
    if not team.really:
        pytest.skip("that is the real sudo's part")
    for command in (["cat", str(team.file)], ["env", "-u", "SUDO_UID", str(team.program), "users", "list"]):
        assert _as(team.manager, ["sudo", "-n", "-u", team.account, *command]).returncode != 0
    assigned = ["sudo", "-n", "-u", team.account, "SUDO_UID=0", str(team.program), "orders", "list"]
    assert _as(team.manager, assigned).returncode != 0


def _database_of(login: str, team: Team) -> Path:
    """Return a database that ``login`` made, where the account is an owner and which all may write."""
    file = team.place / "mine" / "salescli" / "sales.db"
    if file.exists():
        return file
    file.parent.parent.mkdir()
    shutil.chown(file.parent.parent, login)
    for words in (["init", "--time-zone", "UTC"], ["users", "add", team.account, "--role", "owner"]):
        ran = _as(login, [str(team.program), "--db", str(file), *words])
        assert ran.returncode == 0, ran.stderr
    file.parent.chmod(0o777)
    file.chmod(0o666)
    # It would do: the account itself may use it.
    assert _as(team.account, [str(team.program), "--db", str(file), "orders", "list"]).returncode == 0
    return file

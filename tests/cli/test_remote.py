"""A database on another machine: ssh carries the command line there, files and answers back (R1)."""

from __future__ import annotations

import csv
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from openpyxl import load_workbook

from salescli.cli import paths, remote
from salescli.cli.main import cli
from tests.conftest import House
from tests.terminal import on_a_terminal

pytestmark = pytest.mark.of_files("ssh leads to a file")

RELEASED = Path(__file__).parent.parent / "released"
HOSTILE = (
    "a b",
    "$HOME",
    "`id`",
    "$(id)",
    "'",
    '"',
    "\\",
    "*",
    "a;exit 9",
    "a\nb",
    "!x",
    "~",
    "-n",
    "Олена 王",
    "&",
    "",
)
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
# What carries a command as sshd does: the last word goes to a shell, whatever ssh was asked for.
CARRIER = '#!/bin/sh\nfor word do :; done\nprintf "%s\\n" "$*" >> "$SEEN"\nexec /bin/sh -c "$word"\n'


def program_in(folder: Path, name: str, text: str) -> None:
    """Put a program into a folder of its own, ahead of all others."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a stand-in carry commands; return the file of what it was called with."""
    program_in(tmp_path / "bin", "ssh", CARRIER)
    program_in(tmp_path / "bin", "salescli", f'#!/bin/sh\nexec "{sys.executable}" -m salescli "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    monkeypatch.delenv("SUDO_UID", raising=False)
    return tmp_path / "seen"


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Start a real server on loopback and return its port; ssh knows it."""
    if SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("needs OpenSSH's server and client")
    folder = tmp_path / "sshd"
    folder.mkdir(mode=0o700)
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        "StrictModes no\nUsePAM no\nPidFile none\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "config"], stderr=subprocess.DEVNULL)
    ssh = f"{shutil.which('ssh')} -F none -i {folder}/user -o UserKnownHostsFile={folder}/known"
    program_in(tmp_path / "bin", "ssh", f'#!/bin/sh\nexec {ssh} -o StrictHostKeyChecking=accept-new "$@"\n')
    program_in(tmp_path / "bin", "salescli", f'#!/bin/sh\nexec "{sys.executable}" -m salescli "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv(remote.PROGRAM, str(tmp_path / "bin" / "salescli"))
    monkeypatch.delenv("SUDO_UID", raising=False)
    for _ in range(100):
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port
    server.terminate()
    server.wait()


def ran(url: str, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "salescli", "--db", url, *words]
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(command, capture_output=True, text=True, check=False, **given)


def url_of(house: House, port: int | None = None) -> str:
    return f"ssh://{getpass.getuser()}@127.0.0.1{f':{port}' if port else ''}{house.path}"


def named(house: House) -> list[str]:
    return [name for (name,) in house.connection.execute("SELECT name FROM customers ORDER BY id")]


def test_real_server(sshd: int, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = url_of(house, sshd)
    words = tmp_path / "bin" / "words"
    program_in(words.parent, words.name, "#!/bin/sh\nprintf '%s\\0' \"$@\"\nexit 70\n")
    with monkeypatch.context() as patched:
        patched.setenv(remote.PROGRAM, str(words))
        there = ran(url, "customers", "add", *HOSTILE)
    assert (there.returncode, there.stdout.split("\0")[-len(HOSTILE) - 1 : -1]) == (70, list(HOSTILE))
    assert ran(url, "customers", "add", "O'Neil; $(exit 9)").returncode == 0
    listed = ran(url, "customers", "list", "--sort", "customer", "-o", str(tmp_path / "here.csv"))
    assert (listed.returncode, listed.stdout) == (0, "")
    with (tmp_path / "here.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["name"] == "O'Neil; $(exit 9)"
    (tmp_path / "new.csv").write_text("name,email\nНова,n@x.org\n")
    assert "imported 1 customer" in ran(url, "customers", "import", str(tmp_path / "new.csv")).stderr
    assert ran(url, "customers", "show", "999").returncode == 3
    assert ran(url.replace(f":{sshd}", ":1"), "orders").returncode == 255
    shown = on_a_terminal([sys.executable, "-m", "salescli", "--db", url, "customers", "list"], columns=60)
    assert max(map(len, shown.splitlines())) <= 60
    assert "Нова" in shown


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish", "csh"])
def test_every_word_arrives_as_it_is(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server gives a command to the own shell of a person, and each shell has its own quotes."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    program_in(tmp_path / "with space", "words", '#!/bin/sh\nprintf \'%s\\0\' "$SALESCLI_SHOWN" "$@"\n')
    monkeypatch.setenv(remote.PROGRAM, "~/with space/words")
    monkeypatch.setenv("HOME", str(tmp_path))
    url = "ssh://host/a 'b'\n$c"
    place = remote.place_of(["--db", url, "customers", "add", *HOSTILE, "x" * 100_000])
    assert place
    there = subprocess.run([shell, "-c", place.command()[-1]], capture_output=True, check=True)
    words = there.stdout.decode().split("\0")[:-1]
    assert words == [url, "--db", "/a 'b'\n$c", "customers", "add", *HOSTILE, "x" * 100_000]


def test_a_program_that_is_not_there(seen: Path, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(remote.PROGRAM, "salescli-of-nobody")
    for words in (("orders",), ("orders", "list", "-o", f"{tmp_path}/x.csv")):
        there = ran(url_of(house), *words)
        assert (there.returncode, there.stdout) == (127, "")
        assert "there is no program salescli-of-nobody on" in there.stderr
        assert "SALESCLI_REMOTE=" in there.stderr
    assert not (tmp_path / "x.csv").exists()


def test_a_program_that_only_a_login_shell_finds(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".local").mkdir()
    program_in(tmp_path / ".local" / "bin", "salescli", "#!/bin/sh\necho found\n")
    place = remote.place_of(["--db", "ssh://host/x.db", "orders"])
    assert place
    there = subprocess.run(
        ["/bin/sh", "-c", place.command()[-1]],
        capture_output=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert there.stdout == b"found\n"


@pytest.mark.parametrize("words", ["customers import new.csv", "customers import -", "customers import <"])
def test_a_file_that_is_cut_off_on_its_way(
    words: str, seen: Path, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has arrived when a connection is cut looks like a whole file to the program there."""
    whole = "name,email\nОлена,o@x.org\nBob,b@x.org\n"
    (tmp_path / "new.csv").write_text(whole)
    words = words.replace("<", "/dev/stdin")
    monkeypatch.chdir(tmp_path)
    assert ran(url_of(house), *words.split(), "--dry-run", stdin=whole).returncode == 0
    program_in(tmp_path / "bin", "ssh", CARRIER.replace("exec", "head -c 30 | exec"))
    there = ran(url_of(house), *words.split(), stdin=whole)
    assert (there.returncode, f"30 of {len(whole.encode())} bytes arrived; nothing was changed" in there.stderr) == (
        6,
        True,
    )
    assert named(house) == []


def test_numbers_from_a_pipe(seen: Path, house: House) -> None:
    numbers = [house.customer(f"{number}") for number in range(11)]
    program_in(seen.parent / "bin", "ssh", CARRIER.replace("exec", "head -c 4 | exec"))
    house.payment_system("Sandbox")
    there = ran(url_of(house), "orders", "cancel", "-", "--reason", "x", stdin="1\n10\n")
    assert (there.returncode, "4 of 5 bytes" in there.stderr) == (6, True), numbers


def test_what_a_startup_file_prints_is_no_part_of_a_file(seen: Path, house: House, tmp_path: Path) -> None:
    house.customer("Олена")
    program_in(tmp_path / "bin", "ssh", CARRIER.replace("exec", "printf 'Welcome\\nto host: '\nexec"))
    assert ran(url_of(house), "customers", "list", "-o", f"{tmp_path}/a.csv").returncode == 0
    assert (tmp_path / "a.csv").read_text().startswith("customer,name")


def test_a_file_that_cannot_be_written_here(seen: Path, house: House) -> None:
    house.customer("Олена")
    there = ran(url_of(house), "customers", "list", "--csv", "-o", "/dev/full")
    assert (there.returncode, "No space left" in there.stderr) == (1, True)


def test_an_output_that_is_cut_off_replaces_nothing(seen: Path, house: House, tmp_path: Path) -> None:
    """The program there ends with 1 in the middle of its answer, or by a signal, as ssh says it."""
    (tmp_path / "a.csv").write_text("before")
    for code in (1, 255, 130):
        program_in(tmp_path / "bin", "salescli", f"#!/bin/sh\necho half\nexit {code}\n")
        there = ran(url_of(house), "orders", "list", "--csv", "-o", f"{tmp_path}/a.csv")
        assert (there.returncode, (tmp_path / "a.csv").read_text()) == (code, "before")


def test_help_is_of_this_machine_and_a_value_is_not_help(seen: Path, house: House) -> None:
    assert ran(url_of(house), "customers", "add", "--", "-h").returncode == 0
    assert named(house) == ["-h"]
    assert ran(url_of(house), "customers", "list", "--search", "--help").returncode == 0
    assert ran(url_of(house), "-h").stdout.startswith("Usage: salescli [")
    assert ran(url_of(house), "customers", "add", "-h").stdout.startswith("Usage: salescli customers add")
    assert len(seen.read_text().splitlines()) == 2


def test_files_are_of_this_machine(seen: Path, house: House, tmp_path: Path) -> None:
    house.customer("Олена")
    url = url_of(house)
    assert ran(url, "customers", f"-o{tmp_path}/a.json").returncode == 0
    assert ran(url, "customers", "list", f"--output={tmp_path}/b.xlsx").returncode == 0
    assert ran(url, "customers", "list", "--html", f"{tmp_path}/c.html").returncode == 0
    assert ran(url, "customers", "list", "--csv", "--excel", "-o", f"{tmp_path}/d.txt").returncode == 0
    assert '"name": "Олена"' in (tmp_path / "a.json").read_text()
    assert ran(url, "customer", "list", f"-qo{tmp_path}/e.txt").returncode == 0
    assert (tmp_path / "e.txt").read_text() == "1\n"
    assert ran(url, "history", f"-o{tmp_path}/f.json", "--", "customer", "1").returncode == 0
    assert (tmp_path / "f.json").read_text().startswith("[")
    assert ran(url, "y").returncode == 2
    assert load_workbook(tmp_path / "b.xlsx").active["B2"].value == "Олена"
    assert "Олена" in (tmp_path / "c.html").read_text()
    assert "customer;name" in (tmp_path / "d.txt").read_text()
    assert f"{tmp_path}/" not in seen.read_text().replace(str(house.path), "")
    assert (
        ran(url, "orders", "list", "--customer", "nobody", "--status", "?", "-o", f"{tmp_path}/a.json").returncode == 2
    )
    assert '"name": "Олена"' in (tmp_path / "a.json").read_text()  # what failed has replaced nothing


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("orders list -o a.csv --xlsx b.xlsx", "one file"),
        ("customers import nowhere.csv", "no such file on this machine"),
        ("customers import .", "a folder"),
        ("offers import offers.csv --skip-bad --rejects r.csv", "--rejects would be on"),
        ("export out", "DIR would be on"),
        ("backup out", "would be on"),
        ("reports details --html x.html --open", "--open would open"),
        ("orders list -o x.pdf", "no format is called"),
    ],
)
def test_what_cannot_go_through_a_pipe(
    words: str, message: str, seen: Path, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("offers.csv").write_text("name,price\n")
    there = ran(url_of(house), *words.split())
    assert (there.returncode, there.stdout) == (2, "")
    assert message in there.stderr
    assert not seen.exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ssh://-oProxyCommand=x/f", "write ssh://"),
        ("ssh://-l@host/f", "write ssh://"),
        ("ssh://host", "write ssh://"),
        ("ssh://host:0/f", "write ssh://"),
        ("ssh://host:99999/f", "write ssh://"),
        ("ssh://ho st/f", "write ssh://"),
        ("mysql://host/shop", "cannot open a mysql:// database"),
        ("postgresql:/host/shop", "write postgresql://"),
        ("sqlite:///sales.db", "cannot open a sqlite:// database"),
    ],
)
def test_urls_that_cannot_be_used(url: str, message: str, seen: Path, tmp_path: Path) -> None:
    there = ran(url, "orders", "list")
    assert (there.returncode, there.stdout) == (2, "")
    assert message in there.stderr
    assert not seen.exists()


def test_two_machines_are_refused(seen: Path, house: House) -> None:
    there = ran(url_of(house), "--db", house.run.named, "orders", "list")
    assert there.returncode == 2
    assert "added to others" in there.stderr


def test_the_environment_goes_along(seen: Path, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCLI_DB", url_of(house))
    monkeypatch.setenv("SALESCLI_USER", "nobody's login")
    there = subprocess.run([sys.executable, "-m", "salescli", "orders", "list"], capture_output=True, text=True)
    assert "nobody's login" in there.stderr
    assert there.returncode == 3


def test_a_suggested_command_works_here(seen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = shutil.copy(next(RELEASED.glob("*.db")), tmp_path / "older.db")
    url = f"ssh://somewhere{older}"
    assert f"run: salescli --db {url} upgrade" in ran(url, "orders").stderr
    monkeypatch.setenv("SALESCLI_DB", url)
    there = subprocess.run([sys.executable, "-m", "salescli", "orders"], capture_output=True, text=True, check=False)
    assert "run: salescli upgrade" in there.stderr


def test_configured(seen: Path, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house.customer("Олена")
    folder = tmp_path / "config" / "salescli"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'database = "{url_of(house)}"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SALESCLI_DB", raising=False)
    command = [sys.executable, "-m", "salescli"]
    assert "Олена" in subprocess.run([*command, "customers"], capture_output=True, text=True, check=True).stdout
    here = subprocess.run([*command, "config", "show", "--json"], capture_output=True, text=True, check=True)
    assert url_of(house) in here.stdout


@pytest.mark.parametrize(
    "words", ["--help", "orders --help", "help start", "config path", "--version", "completion bash"]
)
def test_what_needs_no_database_is_answered_here(words: str, seen: Path, house: House) -> None:
    assert ran(url_of(house), *words.split()).returncode == 0
    assert not seen.exists()


def test_refused_through_sudo(seen: Path, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "0")
    there = ran(url_of(house), "orders")
    assert (there.returncode, "through sudo" in there.stderr) == (4, True)
    assert not seen.exists()


def test_without_an_ssh_program(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    there = ran(url_of(house), "orders")
    assert (there.returncode, "ssh could not be started" in there.stderr) == (1, True)


def test_words_of_commands_with_files() -> None:
    def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
        for name, command in group.commands.items():
            below = (*path, name)
            yield from commands(command, below) if isinstance(command, click.Group) else [(below, command)]

    for path, command in commands(cli):
        for param in command.params:
            if isinstance(param.type, paths.FilePath):
                words = param.opts if isinstance(param, click.Option) else path
                assert any(map(remote._may_be_of_this_machine, words)), (path, param.name)

"""``salescli cron``: the lines, and a crontab that keeps all that is not ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from salescli.cli.commands import cron
from salescli.errors import BadUsage, SalesError
from tests import PROJECT, terminal

_FAKE = """#!/bin/sh
case $1 in
-l) [ -f "$CRONTAB" ] && exec cat "$CRONTAB"; echo "no crontab for olena" >&2; exit 1 ;;
-) echo written >> "$CRONTAB.log"; exec cat > "$CRONTAB" ;;
esac
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    """Return the file in which a program `crontab` of this test keeps a user's crontab."""
    program = tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(_FAKE)
    program.chmod(0o700)
    return tmp_path / "crontab"


@pytest.fixture
def run(crontab: Path, tmp_path: Path) -> Run:
    """Return what runs `salescli cron` with that program."""

    def run(*words: str, database: str = "sales.db") -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-m", "salescli", "--db", str(tmp_path / database), "cron", *words]
        environment = {"PATH": f"{tmp_path / 'bin'}:{os.defpath}", "HOME": str(tmp_path), "CRONTAB": str(crontab)}
        return subprocess.run(call, env=environment, capture_output=True, text=True)

    return run


def test_crontab_example_is_what_cron_prints_for_its_paths() -> None:
    text = (PROJECT / "crontab.example").read_text(encoding="utf-8")
    program, database = "/home/olena/.local/bin/salescli", "/home/olena/.local/share/salescli/sales.db"

    assert text == cron.lines([program], database)
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith("# ") and database not in line)
    (tick,) = [line for line in text.splitlines() if " tick" in line and not line.startswith("#")]
    assert tick.startswith("*/5 * * * *")  # twice within the ten minutes that a resumed payment is promised in (R58)
    assert len([line for line in text.splitlines() if program in line]) == 4


@pytest.mark.skipif(shutil.which("crontab") is None, reason="needs crontab")
def test_crontab_example_is_one() -> None:
    ran = subprocess.run(["crontab", "-n", str(PROJECT / "crontab.example")], capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr


def test_what_is_printed_is_what_is_installed(run: Run, crontab: Path, tmp_path: Path) -> None:
    printed = run()
    assert printed.returncode == 0, printed.stderr
    assert f"{Path(sys.executable).with_name('salescli')} --db {tmp_path / 'sales.db'} tick" in printed.stdout

    assert run("--install").returncode == 0

    assert crontab.read_text() == printed.stdout


def test_lines_of_others_are_kept_byte_for_byte(run: Run, crontab: Path) -> None:
    theirs = b"MAILTO=a@example.com\n\n# caf\xe9  \n5 4 * * *\techo 100\\%  \n"
    crontab.write_bytes(theirs)

    assert run("--install").returncode == 0
    first = crontab.read_bytes()
    assert run("--install", database="other 100%.db").returncode == 0
    assert crontab.read_bytes().startswith(first)
    assert run("--remove").returncode == 0
    assert crontab.read_bytes().count(b"salescli begin: ") == 1
    assert run("--remove", database="other 100%.db").returncode == 0

    assert first.startswith(theirs)
    assert crontab.read_bytes() == theirs


def test_repeating_changes_nothing(run: Run, crontab: Path) -> None:
    for words in (["--install"], ["--install"], ["--remove"], ["--remove"]):
        assert run(*words).returncode == 0

    assert Path(f"{crontab}.log").read_text().count("written") == 2


def test_a_block_is_replaced_where_it_stands() -> None:
    old = b"a\n" + cron.lines(["/old"], "/s.db").encode() + b"b\n"

    new = cron.replaced(old, cron.lines(["/new"], "/s.db").encode(), "/s.db")

    assert new == b"a\n" + cron.lines(["/new"], "/s.db").encode() + b"b\n"


def test_a_marker_without_the_other_is_refused() -> None:
    with pytest.raises(SalesError, match="only one of the two"):
        cron.replaced(b"# salescli begin: /s.db\nmine\n", b"x\n", "/s.db")


def test_lines_between_a_stray_marker_and_a_block_are_not_taken_out() -> None:
    block = cron.lines(["/new"], "/s.db").encode()

    with pytest.raises(SalesError, match="only one of the two"):
        cron.replaced(b"# salescli begin: /s.db\nmine\n" + block, b"", "/s.db")


def test_a_shop_on_a_server_is_named_by_its_url_and_backed_up_by_the_server() -> None:
    url = "postgresql://olena@db.example.com/shop?sslmode=require&options=%2Dc"
    text = cron.lines(["salescli"], url)
    calls = [line for line in text.splitlines() if " salescli --db " in line]
    assert len(calls) == 3
    assert all(f" salescli --db '{url}' ".replace("%", "\\%") in line for line in calls)
    assert "backup" not in text
    printed = terminal.Run(Path(), url)("cron").out
    assert printed.count(url.replace("%", "\\%")) == 3
    assert printed.splitlines()[0] == f"# salescli begin: {url}"


def test_a_database_has_one_block_whatever_link_names_it(run: Run, crontab: Path, tmp_path: Path) -> None:
    (tmp_path / "sales.db").touch()
    (tmp_path / "link.db").symlink_to("sales.db")
    run("--install")
    before = crontab.read_bytes()

    assert "nothing to change" in run("--install", database="link.db").stderr
    assert crontab.read_bytes() == before


def test_only_a_missing_newline_at_the_end_is_added(run: Run, crontab: Path) -> None:
    crontab.write_bytes(b"0 1 * * * mine")  # cron itself refuses to install this
    run("--install")
    run("--remove")

    assert crontab.read_bytes() == b"0 1 * * * mine\n"


def test_a_dry_run_writes_nothing(run: Run, crontab: Path) -> None:
    assert run("--install", "--dry-run").returncode == 0
    assert not crontab.exists()


def test_a_missing_crontab_program_is_named(run: Run, tmp_path: Path) -> None:
    call = [sys.executable, "-m", "salescli", "--db", str(tmp_path / "s.db"), "cron", "--install"]
    ran = subprocess.run(
        call, env={"PATH": str(tmp_path / "no"), "HOME": str(tmp_path)}, capture_output=True, text=True
    )

    assert ran.returncode == 1
    assert "no program crontab" in ran.stderr


@pytest.mark.parametrize("path", ["/a\nb.db", "/a\\b.db", "/" + "a" * 1000])
def test_a_path_that_cron_cannot_express_is_refused(path: str) -> None:
    with pytest.raises(BadUsage, match="cron cannot express"):
        cron.lines(["/bin/salescli"], path)


def test_a_strange_path_reaches_the_program_as_cron_reads_it(tmp_path: Path) -> None:
    program = tmp_path / "it's a 100% 'program'"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o700)
    text = cron.lines([str(program)], "/my $HOME; 50%/s.db")
    (tick,) = [line for line in text.splitlines() if "tick --" in line]

    command = tick.split("  ", 1)[1]
    assert not re.search(r"(?<!\\)%", command)
    ran = subprocess.run(["/bin/sh", "-c", command.replace("\\%", "%")], capture_output=True, text=True)

    assert ran.stdout.splitlines() == ["--db", "/my $HOME; 50%/s.db", "tick", "--quiet-if-busy"]


def test_installing_twice_has_one_tick_and_one_that_was_written_by_hand_is_named(run: Run, crontab: Path) -> None:
    by_hand = "*/5 * * * * /usr/bin/salescli --db /srv/sales.db tick -v"
    crontab.write_text(f"# salescli tick is below\n{by_hand}\n0 1 * * * salescli doctor\n", encoding="utf-8")
    for _ in range(2):
        done = run("--install")
        assert done.returncode == 0, done.stderr
        told = "another line of your crontab runs tick; if it is for this database, take it out with crontab -e"
        assert done.stderr.count(told) == 1
        assert f"{told}: {by_hand}\n" in done.stderr
    assert crontab.read_text(encoding="utf-8").count(" tick --quiet-if-busy") == 1


def test_ping_is_printed_and_installed_with_tick_and_kept(run: Run, crontab: Path) -> None:
    url = "https://hc.example.com/ping/5%20a?x=1&y=2"
    printed = run("--ping", url)
    assert printed.returncode == 0, printed.stderr
    (tick,) = [line for line in printed.stdout.splitlines() if " tick " in line and not line.startswith("#")]
    assert tick.endswith(r" tick --quiet-if-busy --ping 'https://hc.example.com/ping/5\%20a?x=1&y=2'")
    assert run("--install", "--ping", url).returncode == 0
    assert crontab.read_text() == printed.stdout
    assert "nothing to change" in run("--install").stderr, "a repeated install keeps the URL"
    assert run("--install", "--ping", "https://other.example.com/x").returncode == 0
    assert crontab.read_text().count("--ping https://other.example.com/x\n") == 1


@pytest.mark.parametrize("url", ["hc.example.com", "ftp://x/", "https://x/\n* * * * * rm", "https://x/\\"])
def test_ping_of_what_is_no_url_is_refused(run: Run, crontab: Path, url: str) -> None:
    assert run("--install", "--ping", url).returncode == 2
    assert not crontab.exists()


def test_the_line_of_tick_says_how_to_hear_that_it_stopped() -> None:
    assert "salescli cron --ping URL" in cron.lines(["/s"], "/s.db")
    assert "--ping URL" not in cron.lines(["/s"], "/s.db", ping="https://x/")

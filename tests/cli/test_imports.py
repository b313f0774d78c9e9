"""``salescli import`` as people and scripts meet it: files and pipes, exit codes, what is said where."""

from __future__ import annotations

import os
import pty
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from salescli.imports import orders, recurring
from salescli.storage.sqlite import beside
from tests import PROJECT
from tests.terminal import Run

ORDERS = "order,created_at,status,customer,offer,price,currency\n1,2026-01-05,completed,Ann,Course,49.00,EUR\n"
BAD = ORDERS + "2,2026-01-05,completed,Ann,Course,18000.40,JPY\n3,soon,completed,Ann,Course,1,EUR\n"
SUBSCRIBERS = (
    "recurring,customer,offer,currency,price,payment_system,token,started_at,every,next_payment_at\n"
    "1,Ann,Club,EUR,9.00,Bank,,2020-01-05,1 month,2020-02-05\n"
    "2,Bob,Club,UAH,400.00,Bank,,2020-01-05,1 month,2020-02-05\n"
)


@pytest.fixture
def run(begun: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line on a new file, in a folder of files to import."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "bad.csv").write_text(BAD, encoding="utf-8")
    (tmp_path / "subscribers.csv").write_text(SUBSCRIBERS, encoding="utf-8")
    return begun


def test_orders_are_imported_from_a_file(run: Run) -> None:
    done = run("import", "orders", "orders.csv")
    assert (done.code, done.out) == (0, "")
    said = "imported 1 order (1 added, 0 updated, 0 unchanged); created 1 customer, 1 offer\n"
    assert done.err == said
    assert run("orders", "list", "-q").out == "1\n"


def test_a_piped_file_that_no_temporary_file_can_hold_is_told_of_with_the_folder(run: Run, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "salescli", "--db", run.named, "import", "orders", "-"],
        input=ORDERS + "\n" * 100_000, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )  # fmt: skip
    said = f"the file does not fit into {tmp_path}: File too large; set TMPDIR to a folder with more space"
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert run("orders", "list", "-q").out == ""


@pytest.mark.of_files("it is replaced")
def test_a_long_file_is_imported_into_a_copy_that_takes_the_place(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "LONG_BYTES", 1)
    monkeypatch.setattr(beside, "_COST_OF_COPYING", 10_000)
    before = run.path.stat().st_ino
    assert run("import", "orders", "bad.csv").code == 6
    assert run("import", "orders", "orders.csv", "--dry-run").code == 0
    assert run.path.stat().st_ino == before
    done = run("import", "orders", "orders.csv", "--json")
    assert (done.code, done.json["imports"][0]["added"]) == (0, 1)
    placed = run.path.stat().st_ino
    assert placed != before
    assert run("import", "orders", "orders.csv").err.endswith("nothing changed\n")
    assert run.path.stat().st_ino == placed
    assert run("orders", "list", "-q").out == "1\n"
    assert run("doctor").code == 0


def test_orders_are_imported_from_a_pipe(run: Run) -> None:
    assert run("import", "orders", "-", stdin=ORDERS).code == 0
    assert run("import", "orders", "-", stdin=ORDERS).err.endswith("nothing changed\n")


def test_bad_rows_are_named_one_a_line_and_nothing_is_imported(run: Run) -> None:
    done = run("import", "orders", "bad.csv")
    assert done.code == 6
    first, second, last = done.err.splitlines()
    assert first == "line 3, price: 18000.40 JPY has 2 decimals; JPY has no decimals"
    assert second.startswith("line 4, created_at: 'soon' is not a time")
    assert last.startswith("salescli: 2 rows of 3 are bad and nothing was imported; ")
    assert run("orders", "list", "-q").out == ""


def test_a_file_of_bad_rows_does_not_flood_the_terminal(run: Run, tmp_path: Path) -> None:
    head, good = ORDERS.splitlines(keepends=True)
    bad = head + "".join(f"{n},soon,completed,Ann,Course,1,EUR\n" for n in range(60)) + good.replace("1,", "A1,", 1)
    done = run("import", "orders", "-", stdin=bad)
    assert done.code == 6
    *told, more, last = done.err.splitlines()
    assert [line.split(",")[0] for line in told] == [f"line {n}" for n in range(2, 52)]
    assert more == "and 10 more problems; --skip-bad --rejects FILE writes all into a file"
    assert last.startswith("salescli: 60 rows of 61 are bad and nothing was imported; ")
    done = run("import", "orders", "-", "--skip-bad", "--rejects", "rejects.csv", stdin=bad)
    assert (done.code, done.err.splitlines()[50]) == (0, "and 10 more problems; all go into rejects.csv")
    assert len((tmp_path / "rejects.csv").read_text(encoding="utf-8").splitlines()) == 61


@pytest.mark.parametrize(("problems", "more"), [(50, False), (51, True)])
def test_one_problem_more_than_are_told_is_counted(run: Run, problems: int, more: bool) -> None:
    head = ORDERS.splitlines(keepends=True)[0]
    done = run("import", "orders", "-", stdin=head + "1,soon,completed,Ann,Course,1,EUR\n" * problems)
    assert ("and 1 more problem; " in done.err) == more


def test_bad_rows_are_left_out_when_told_so(run: Run, tmp_path: Path) -> None:
    done = run("import", "orders", "bad.csv", "--skip-bad", "--rejects", "rejects.csv")
    assert done.code == 0
    assert "imported 1 order (1 added" in done.err
    assert "left out 2 bad rows, kept in rejects.csv" in done.err
    assert (tmp_path / "rejects.csv").read_text(encoding="utf-8").startswith("line,reason,order,")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(("orders.csv", "--skip-bad"), 2, "give both --skip-bad and --rejects", id="skip without rejects"),
        pytest.param(("orders.csv", "--rejects", "r.csv"), 2, "give both", id="rejects without skip"),
        pytest.param(("bad.csv", "--skip-bad", "--rejects", "orders.csv"), 2, "not a rejects", id="another's file"),
        pytest.param((), 2, "Missing argument", id="no file"),
        pytest.param(("gone.csv",), 3, "there is no file gone.csv", id="a file that is not there"),
        pytest.param((".",), 6, "cannot read", id="a directory"),
        pytest.param(("bytes.csv",), 6, "encoding is not clear", id="a file that is not text"),
        pytest.param(("orders.csv", "--no-create"), 6, "there is no such customer", id="a new name, not to be made"),
    ],
)
def test_an_exit_code_for(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    Path("bytes.csv").write_bytes(bytes(range(256)))
    done = run("import", "orders", *arguments)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_dry_run_writes_nothing(run: Run) -> None:
    assert "would import 1 order" in run("import", "orders", "orders.csv", "--dry-run").err
    assert run("orders", "list", "-q").out == ""


def test_control_characters_of_a_bad_value_are_shown_and_not_obeyed(run: Run) -> None:
    done = run("import", "orders", "-", stdin=ORDERS.replace("Ann", "A\x1b[31mnn"))
    assert "\x1b" not in done.err
    assert "\\x1b[31m" in done.err


def test_subscribers_are_imported_with_what_falls_due(run: Run) -> None:
    done = run("import", "recurring", "subscribers.csv", "--source", "shop")
    assert done.code == 0, done.err
    assert "2 payments of 9.00 EUR, 400.00 UAH fall due at the next tick" in done.err
    assert run("recurring", "list", "-q").out.split() == ["2", "1"]


def test_a_progress_bar_is_shown_on_a_terminal_only(run: Run, tmp_path: Path) -> None:
    assert "100%" not in run("import", "orders", "orders.csv", "--dry-run").err
    ours, theirs = pty.openpty()
    environment = {**os.environ, "SALESCLI_DB": run.named, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "salescli", "import", "orders", str(tmp_path / "orders.csv")]
    subprocess.run(command, env=environment, stderr=theirs, check=True)
    os.close(theirs)
    assert b"100%" in os.read(ours, 10_000)


@pytest.mark.parametrize("noun", ["orders", "recurring"])
def test_help_names_every_column(run: Run, noun: str) -> None:
    columns = {"orders": orders.COLUMNS, "recurring": recurring.COLUMNS}[noun]
    needed = {"orders": orders.REQUIRED, "recurring": recurring.REQUIRED}[noun]
    words = run("import", noun, "--help").out.split()
    assert all((f"{name}*" if name in needed else name) in words for name in columns)


STRIPE = Path(__file__).parents[1] / "imports" / "files" / "stripe-payments.csv"


def test_a_file_of_another_system_is_read_by_its_mapping_and_it_is_said(run: Run) -> None:
    done = run("import", "orders", str(STRIPE), "--dry-run")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [
        "read as Stripe payments, by the mapping stripe-payments",
        "would import 5 orders (5 added, 0 updated, 0 unchanged); would create 4 customers, 4 offers, 1 payment system",
        "the file has 6 rows, 5 orders, 2 refunds",
        "skipped 1 row: authorised only, not captured",
        "paid 69.00 EUR, refunded 5.00 EUR",
        "paid 1250.00 USD, refunded 1250.00 USD",
        "paid 1000 JPY",
        "not kept, as there is no place for it here: tax on fees",
    ]
    assert run("orders", "list", "-q").out == ""


def test_a_mapping_is_proposed_on_stdout_and_nothing_is_imported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("Nr,Buyer,Total,Currency\n1,Ann,5,EUR\n", encoding="utf-8")
    assert "--propose > my.toml" in run("import", "orders", "new.csv").err
    done = run("import", "orders", "new.csv", "--propose")
    assert (done.code, done.err) == (0, "")
    assert 'price = "Total"' in done.out
    assert run("orders", "list", "-q").out == ""
    assert run("import", "orders", "new.csv", "--map", "nothing").code == 3


def test_what_a_list_writes_comes_in_again(run: Run, tmp_path: Path) -> None:
    run("import", "orders", str(STRIPE))
    listed = run("orders", "list", "--csv").out
    (tmp_path / "list.csv").write_text(listed, encoding="utf-8")
    other = Run(tmp_path / "other.db")
    other("init", "--time-zone", "Europe/Kyiv", "--currency", "EUR")
    done = other("import", "orders", "list.csv")
    assert done.code == 0, done.err
    columns = "created_at,customer,status,offer,price,currency"
    sort = ("--columns", columns, "--csv")
    assert other("orders", "list", *sort).out == run("orders", "list", *sort).out


def test_a_file_of_another_program_is_read_and_how_is_told(run: Run, tmp_path: Path) -> None:
    lines = (
        "Звіт за березень\n\norder;created_at;status;customer;offer;price;currency\n1;01.02.2026;completed;Їжак;Курс;"
    )
    (tmp_path / "shop.csv").write_bytes(f"{lines}1.234,50;EUR\nРазом;;;;;1.234,50;\n".encode("cp1251"))
    done = run("import", "orders", "shop.csv")
    assert done.err.startswith(
        "shop.csv: read as cp1251; columns separated by semicolons; the header is on line 3, below 2 other lines;"
        " the day first in created_at; a decimal comma in price; line 5 is a total and left out\n"
    )
    assert run("orders", "list", "--columns", "created_at,price", "--csv").out.splitlines()[1].endswith(",1234.50")


def test_what_is_stated_is_read_from_stdin_too(run: Run) -> None:
    header = "order|created_at|status|customer|offer|price|currency\n"
    stated = ("--delimiter", "|", "--dates", "mdy", "--minor", "--time-zone", "UTC", "--encoding", "utf-8")
    done = run("import", "orders", "-", *stated, stdin=f"{header}1|02/01/2026 10:00|completed|A|B|5|EUR\n")
    assert done.code == 0
    listed = run("orders", "list", "--columns", "created_at,price", "--csv").out.splitlines()[1]
    assert listed == "2026-02-01 12:00:00,0.05"


def test_a_column_that_is_not_clear_is_refused_with_what_to_say(run: Run) -> None:
    header = "order,created_at,status,customer,offer,price,currency\n"
    done = run("import", "orders", "-", stdin=f'{header}1,03/01/2026,completed,A,B,"1,234",EUR\n')
    assert done.code == 6
    assert "line 2, created_at: '03/01/2026' may be 2026-01-03 or 2026-03-01" in done.err
    assert "line 2, price: '1,234' may be 1234 or 1.234" in done.err

"""``salescli reconcile`` as its user meets it: a file or a pipe, findings as rows, sums beside them, exit codes."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from salescli.cli import caller
from tests.importing import contents
from tests.story import Story
from tests.terminal import Ran, on_a_terminal

Reconcile = Callable[..., Ran]
HEADER = "gateway_id,reference,invoice,kind,amount,currency,fee,at\n"
FIRST = "sb_1,,,payment,49.00,EUR,,2026-01-31 10:00\n"
SECOND = "sb_2,,,,49.00,EUR,,2026-01-31 10:00\n"
ALL_AGREE = """\
totals  lines  there  payments   here  currency
------  -----  -----  --------  -----  --------
agrees      2  98.00         2  98.00  EUR
compared 2026-01-31
"""


@pytest.fixture
def sold(story: Story) -> Story:
    """Two payments of 49.00 through the sandbox, and one that waits for a bank transfer."""
    story.house.offer("49.00", number="7")
    for through in ("Sandbox", "Sandbox", "Bank transfer"):
        story.pay(story.order("7", through=through))
    return story


@pytest.fixture
def reconcile(sold: Story, tmp_path: Path) -> Reconcile:
    """Reconcile a statement of these lines, from a file."""

    def reconcile(*lines: str, system: str = "Sandbox", more: tuple[str, ...] = ()) -> Ran:
        file = tmp_path / "march.csv"
        file.write_text(HEADER + "".join(lines), encoding="utf-8")
        return sold.house.run("reconcile", file, "--payment-system", system, *more)

    return reconcile


def test_when_all_agrees_only_the_sums_are_said(reconcile: Reconcile) -> None:
    assert reconcile(FIRST, SECOND) == Ran(0, "", ALL_AGREE)


def test_in_cron_nothing_is_said_when_all_agrees(reconcile: Reconcile) -> None:
    assert reconcile(FIRST, SECOND, more=("-q",)) == Ran(0, "", "")


def test_what_agrees_is_listed_on_request(reconcile: Reconcile) -> None:
    said = reconcile(FIRST, SECOND, more=("--all", "--csv", "--columns", "finding,invoice,amount_here,amount_there"))
    assert said.out == "finding,invoice,amount_here,amount_there\nagrees,1,49.00,49.00\nagrees,2,49.00,49.00\n"
    assert (said.code, said.err) == (0, ALL_AGREE)


def test_findings_are_rows_with_what_to_do_and_exit_code_1(reconcile: Reconcile, sold: Story) -> None:
    said = reconcile(FIRST, FIRST, "=1+1,,,,5.00,EUR,,\n", more=("--csv",))
    rows = list(csv.DictReader(io.StringIO(said.out)))
    program = sold.house.program
    assert [(row["finding"], row["line"], row["gateway_id"], row["advice"]) for row in rows] == [
        ("only there", "4", "'=1+1", "ask Sandbox what it was; no invoice here matches"),
        ("twice there", "3", "sb_1", "line 2 lists it too; if it moved twice, have one refunded there"),
        ("only here", "", "sb_2", f"look in the statement of the days beside it; {program} payments show 2"),
    ]
    assert said.code == 1
    assert [line.rstrip() for line in said.err.splitlines()] == [
        "totals       lines   there  payments   here  currency",
        "-----------  -----  ------  --------  -----  --------",
        "only there       1    5.00         0   0.00  EUR",
        "twice there      1   49.00         0   0.00  EUR",
        "agrees           1   49.00         1  49.00  EUR",
        "only here        0    0.00         1  49.00  EUR",
        "total            3  103.00         2  98.00  EUR",
        "compared 2026-01-31",
        "salescli: 3 findings",
    ]


def test_amounts_of_a_row_are_of_one_currency(reconcile: Reconcile, sold: Story) -> None:
    [row] = reconcile(FIRST.replace("EUR", "JPY").replace("49.00", "49"), SECOND, more=("--json",)).json
    assert (row["amount_here"], row["amount_there"], row["currency"]) == (None, "49", "JPY")
    assert row["advice"].startswith("here 49.00 EUR; never applied; ")


def test_numbers_of_invoices_go_on_through_a_pipe(reconcile: Reconcile) -> None:
    said = reconcile(FIRST, "x,,,,5.00,EUR,,\n", more=("-q",))
    assert said == Ran(1, "2\n", "salescli: 2 findings\n")


def test_a_payment_of_another_payment_system_is_told(reconcile: Reconcile, sold: Story) -> None:
    said = reconcile(",,1,,49.00,EUR,,\n", ",,99,,49.00,EUR,,\n", system="Bank transfer", more=("--columns", "advice"))
    shown = f"{sold.house.program} payments show 1"
    assert said.out.splitlines()[2:4] == [
        f"invoice 1 is Completed here and goes through Sandbox: {shown}",
        "there is no invoice 99 here",
    ]


def test_it_is_read_from_a_pipe_and_applied(sold: Story) -> None:
    statement = f"{HEADER},,3,,49.00,EUR,0.50,2026-02-02\n"
    ran = sold.house.run("reconcile", "-", "--payment-system", "Bank transfer", "--apply", stdin=statement)
    assert ran.code == 0
    assert sold.invoices(3) == [("completed", 4_900)]


def test_what_is_applied_is_said_and_what_remains_is_listed(reconcile: Reconcile, sold: Story) -> None:
    line = ",,3,,49.00,EUR,0.50,2026-02-02\n"
    rehearsed = reconcile(line, line, system="Bank transfer", more=("--apply", "-n", "--columns", "finding", "--csv"))
    before = contents(sold.house)
    assert rehearsed.err.splitlines()[:3] == [
        "would be written: invoice 3: payment of 49.00 EUR made (statement march.csv, line 2)",
        "would fill in 1 fee",
        "dry run: nothing was written",
    ]
    assert contents(sold.house) == before
    assert sold.invoices(3) == [("open", 4_900)]

    done = reconcile(line, line, system="Bank transfer", more=("--apply", "--columns", "finding", "--csv"))

    assert (done.code, done.out) == (1, rehearsed.out) == (1, "finding\ntwice there\n")
    said = ["invoice 3: payment of 49.00 EUR made (statement march.csv, line 2)", "filled in 1 fee"]
    assert done.err.splitlines()[:2] == said
    once = contents(sold.house)
    assert "there is nothing to apply" in reconcile(line, line, system="Bank transfer", more=("--apply",)).err
    assert contents(sold.house) == once
    command = sold.house.history("invoice", 3)[-1]["command"]
    assert command == "reconcile"


def test_what_a_closed_month_keeps_from_being_applied_is_not_promised(reconcile: Reconcile, sold: Story) -> None:
    def advised() -> str:
        line = ",,3,,49.00,EUR,0.50,2026-02-02\n"
        return reconcile(line, system="Bank transfer", more=("--columns", "finding,advice", "--csv")).out

    assert advised().splitlines()[1:] == ["waits,confirmed by --apply"]
    assert sold.house.run("close", "2026-02").code == 0
    assert 'waits,"not applied, since 2026-02 is closed; it stays, or salescli' in advised()
    sold.house.run("reopen", "2026-02", "--reason", "a transfer", "--yes")
    sold.house.run("payments", "confirm", "3", "--at", "2026-02-02")
    assert advised().splitlines()[1:] == ["fee reported,filled in by --apply"]
    assert sold.house.run("close", "2026-02").code == 0
    assert 'fee reported,"not applied, since 2026-02 is closed' in advised()


def test_without_apply_nothing_is_written(reconcile: Reconcile, sold: Story) -> None:
    before = contents(sold.house)
    assert reconcile(",,3,,49.00,EUR,0.50,2026-02-02\n", system="Bank transfer", more=("-n",)).code == 1
    assert contents(sold.house) == before


def test_who_may_not_enter_payments_may_compare_and_not_apply(
    reconcile: Reconcile, sold: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold.house.user("halyna", name="Галина", role="accountant")
    monkeypatch.setattr(caller, "os_login", lambda: "halyna")
    before = contents(sold.house)
    line = ",,3,,49.00,EUR,0.50,2026-02-02\n"
    assert reconcile(line, system="Bank transfer").code == 1
    refused = reconcile(line, system="Bank transfer", more=("--apply",))
    assert (refused.code, refused.out) == (4, "")
    assert contents(sold.house) == before


def test_bad_rows_are_named_and_nothing_is_written(reconcile: Reconcile, sold: Story) -> None:
    before = contents(sold.house)
    good = ",,3,,49.00,EUR,,2026-02-02\n"
    said = reconcile(good, ",,3,,1e9,EUR,,\n", ",,,,1.00,EUR,,\n", system="Bank transfer", more=("--apply",))
    assert (said.code, said.out) == (6, "")
    assert said.err.splitlines() == [
        "line 3, amount: '1e9' is not an amount; write digits and a period, as in 1234.50",
        "line 4, reference: is blank; a row needs one of reference, gateway_id, payment_id, invoice",
        "salescli: 2 rows of 3 are bad and nothing was compared; repair the file",
    ]
    assert contents(sold.house) == before


def test_a_file_of_bad_rows_does_not_flood_the_terminal(reconcile: Reconcile) -> None:
    lines = reconcile(*[",,,,1.00,EUR,,\n"] * 60).err.splitlines()
    assert (len(lines), lines[50]) == (52, "and 10 more problems")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["none.csv", "--payment-system", "Sandbox"], 3, "there is no file none.csv", id="no file"),
        pytest.param(["/dev/null", "--payment-system", "Sandbox"], 6, "the file is empty", id="an empty file"),
        pytest.param(["/dev/null", "--payment-system", "Nope"], 3, "there is no payment system 'Nope'", id="no system"),
        pytest.param(["/dev/null"], 2, "Missing option '--payment-system'", id="no system named"),
    ],
)
def test_a_wrong_call_is_one_clear_line(sold: Story, words: list[str], code: int, said: str) -> None:
    told = sold.house.run("reconcile", *words)
    assert told.code == code
    assert said in told.err


def test_more_rows_than_a_table_shows_are_counted(reconcile: Reconcile) -> None:
    said = reconcile(*(f"x{n},,,,1.00,EUR,,\n" for n in range(60)))
    assert "50 of 60; show all with --limit 0" in said.err
    assert (len(said.out.splitlines()), len(said.err.splitlines())) == (2 + 50, 1 + 1 + 4 + 1)
    assert "line 2, line 3, line 4, line 5, line 6 and 45 more: ask Sandbox what it was" in said.err


def test_a_terminal_is_shown_a_table_and_is_not_acted_upon(sold: Story, tmp_path: Path) -> None:
    file = tmp_path / "march.csv"
    file.write_text(f"{HEADER}{FIRST}{SECOND}", encoding="utf-8")
    shown = sold.house.run.typed("reconcile", file, "--payment-system", "Sandbox", "--all")
    assert [line.split()[0] for line in shown.splitlines()[2:4]] == ["agrees", "agrees"]
    assert shown.splitlines()[-2:] == ALL_AGREE.splitlines()[-2:]


BANK = "at,amount,currency,payer\n2026-02-03,49.00,EUR,КОВАЛЬ ОЛЕНА\n2026-02-04,5.00,EUR,Хтось\n"


@pytest.fixture
def bank(sold: Story, tmp_path: Path) -> Path:
    """A bank's statement that names no invoice: one line is of invoice 3, which waits."""
    sold.house.connection.execute("UPDATE customers SET name = 'Olena Koval'")
    file = tmp_path / "bank.csv"
    file.write_text(BANK, encoding="utf-8")
    return file


def test_a_transfer_without_a_number_is_proposed_below_a_table_that_fits(sold: Story, bank: Path) -> None:
    said = sold.house.run("reconcile", bank, "--payment-system", "Bank transfer")
    assert said.code == 1
    table, advice = said.out.splitlines(), said.err.splitlines()
    assert max(map(len, table)) <= 80
    assert advice[0].startswith("line 3: no open invoice fits; if it pays an order: salescli ")
    assert advice[1].startswith("line 2: taken for invoice 3 by the amount and the name, ")
    assert advice[1].endswith("; confirmed by --apply --proposed")


def test_a_proposal_is_confirmed_only_when_asked_for(sold: Story, bank: Path) -> None:
    command = ("reconcile", bank, "--payment-system", "Bank transfer")
    before = contents(sold.house)
    assert sold.house.run(*command, "--proposed").err.startswith("salescli: --proposed confirms what is proposed")
    assert "there is nothing to apply" in sold.house.run(*command, "--apply").err
    assert "would be written: invoice 3" in sold.house.run(*command, "--apply", "--proposed", "--dry-run").err
    assert contents(sold.house) == before
    said = sold.house.run(*command, "--apply", "--proposed")
    assert said.err.startswith(
        "invoice 3: payment of 49.00 EUR made (statement bank.csv, line 2: by the amount and the"
    )
    assert sold.house.count("invoices", "status = 'completed' AND id = 3") == 1


@pytest.mark.parametrize(("answer", "paid"), [("n\n", 0), ("y\n", 1)])
def test_on_a_terminal_each_proposal_is_asked_about(sold: Story, bank: Path, answer: str, paid: int) -> None:
    command = [
        sys.executable,
        "-m",
        "salescli",
        "--db",
        sold.house.run.named,
        "reconcile",
        str(bank),
        "--payment-system",
        "Bank transfer",
    ]
    shown = " ".join(on_a_terminal([*command, "--apply"], answer=answer, columns=200).split())
    assert "Line 2, 49.00 EUR of 2026-02-03 from КОВАЛЬ ОЛЕНА: pays invoice 3, by the amount and the name" in shown
    assert sold.house.count("invoices", "status = 'completed' AND id = 3") == paid


def test_what_is_negative_without_a_kind_was_sent(sold: Story, bank: Path) -> None:
    bank.write_text("payer,amount,currency,at\nLandlord,-400.00,EUR,2026-02-03\n", encoding="utf-8")
    said = sold.house.run("reconcile", bank, "--payment-system", "Bank transfer", "--all", "--json")
    assert [(row["kind"], row["amount_there"]) for row in said.json if row["line"]] == [("sent", "400.00")]


def test_advice_gives_the_local_day_or_time(sold: Story, bank: Path) -> None:
    bank.write_text("payer,amount,currency,at\nA,1.00,EUR,2026-02-03\nB,2.00,EUR,2026-02-03 10:30\n", encoding="utf-8")
    said = sold.house.run("reconcile", bank, "--payment-system", "Bank transfer")
    assert "--at 2026-02-03\n" in said.err
    assert "--at '2026-02-03 10:30:00'\n" in said.err


def test_payouts_and_what_was_sent_are_counted_below_the_sums(sold: Story, bank: Path) -> None:
    bank.write_text(
        "kind,gateway_id,amount,currency,at\npayout,p,7.00,EUR,2026-02-03\nfee,,1.00,EUR,2026-02-03\n"
        "fee,,0.50,EUR,2026-02-03\n"
    )
    said = sold.house.run("reconcile", bank, "--payment-system", "Bank transfer")
    assert (said.code, "not compared: 2 fees of 1.50 EUR, 1 payout of 7.00 EUR; --all lists them" in said.err) == (
        0,
        True,
    )

"""The program as people and scripts meet it: exit codes, messages, formats, pipes."""

from __future__ import annotations

import gc
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from salescli.cli import caller
from salescli.cli.output.terminal import width
from salescli.reports.report import BREAKDOWNS
from tests.terminal import Run, on_a_terminal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sales.db"


@pytest.fixture(autouse=True)
def _environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the file in the environment, for what runs in a process of its own."""
    monkeypatch.setenv("SALESCLI_DB", str(path))


@pytest.fixture
def sales(begun: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A file with an offer, a customer, a manager and two merchants."""
    for line in (
        ["categories", "add", "Art", "--number", "3"],
        ["offers", "add", "Drawing", "--number", "7", "--category", "Art", "--price", "49.00", "--multiple"],
        ["payment-systems", "add", "Sandbox", "--gateway", "sandbox", "--fee", "2.9%"],
        ["payment-systems", "add", "Bank", "--gateway", "manual"],
        ["customers", "add", "Олена Коваленко", "--email", "olena@example.com"],
        ["users", "add", "ivan", "--name", "Іван Петренко"],
    ):
        done = begun(*line)
        assert done.code == 0, done.err
    monkeypatch.setenv("SALESCLI_DB", begun.named)
    return begun


def paid(sales: Run, *more: str) -> None:
    """Open and pay an order of the first customer."""
    assert sales("orders", "new", "1", "7", "--payment-system", "Sandbox", "--token", "tok_ok", *more).code == 0
    number = sales("orders", "list", "-q", "--kind", "all", "--limit", "1").out.strip()
    assert sales("orders", "pay", number).code == 0


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        pytest.param("orders show 99", 3, "there is no order 99", id="a number that nothing has"),
        pytest.param("orders new nobody 7", 3, "there is no customer 'nobody'", id="a name that nothing has"),
        pytest.param("orders list --status paid", 2, "write one of open, completed", id="an unknown status"),
        pytest.param("orders list --from 2026-02-30", 6, "is not a date", id="a day that does not exist"),
        pytest.param("orders list --from 2026-03-02 --to 2026-03-01", 2, "before it begins", id="a period backwards"),
        pytest.param("orders list --columns a", 2, "the columns are order, created_at", id="an unknown column"),
        pytest.param("orders list --sort actions", 2, "cannot be sorted by actions", id="a column without an order"),
        pytest.param("orders list --csv --json", 2, "exclude each other", id="two short formats"),
        pytest.param("orders list --format md --csv", 2, "two formats", id="two formats"),
        pytest.param("orders list --excel --json", 2, "--excel writes CSV", id="Excel's JSON"),
        pytest.param("offers add Pen --price 1.005", 6, "EUR has at most 2 decimals", id="too many decimals"),
        pytest.param("offers add Pen --price 1 --currency JPY -n", 0, "nothing was written", id="a dry run"),
        pytest.param("offers add Pen --price 1.5 --currency JPY", 6, "JPY has no decimals", id="a yen with decimals"),
        pytest.param("offers add Pen --price 1.000 --currency JPY -n", 0, "nothing was written", id="a yen with zeros"),
        pytest.param("offers add Pen --price NaN", 6, "is not an amount", id="not a number"),
        pytest.param("offers add Pen --price 1 --currency XXY", 6, "not a currency in use", id="an unknown currency"),
        pytest.param("offers add Pen --price 1 --every fortnight", 6, "not an interval", id="an unknown interval"),
        pytest.param("offers add Pen --price 1 --every 1d --retry-after 8h,24h", 6, "shorter", id="retries too long"),
        pytest.param("offers add Drawing --price 1 --number 7", 6, "exists already", id="a number that is taken"),
        pytest.param("payment-systems add X --gateway paypal", 6, "no gateway 'paypal'", id="an unknown gateway"),
        pytest.param("orders new 1 7 --quantity 0", 6, "quantity of 0", id="a quantity of nothing"),
        pytest.param("orders new 1 7 --token tok_ok", 6, "need --payment-system", id="a token for nobody"),
        pytest.param("recurring pause 5", 3, "no recurring order 5", id="a recurring order that is not there"),
        pytest.param("tick --now yesterday-ish", 6, "is not a time", id="a time that is none"),
        pytest.param("orders nope", 2, "No such command", id="an unknown command"),
        pytest.param("help nope", 3, "there is no page", id="an unknown page"),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_clear_line_and_its_exit_code(sales: Run, line: str, code: int, says: str) -> None:
    done = sales(*line.split())
    assert (done.code, says in done.err) == (code, True), done.err
    assert "Traceback" not in done.err


def test_init_never_overwrites_and_says_so(sales: Run) -> None:
    before = sales.held()
    done = sales("init", "--time-zone", "UTC")
    says = "holds a shop already" if sales.url else "exists already"
    assert (done.code, says in done.err, sales.held() == before) == (7, True, True)


@pytest.mark.of_files("a database that has a path")
def test_without_a_file_nothing_is_made(run: Run, path: Path) -> None:
    for line in (["orders"], ["tick"], ["reports"], ["--help"], ["orders", "list", "--help"]):
        run(*line)
    assert not path.exists()


def test_a_dry_run_of_any_change_writes_nothing(sales: Run) -> None:
    paid(sales)
    before = sales.held()
    for line in (
        "orders new 1 7 -n", "orders refund 1 -n", "orders check 1 -n --system", "orders assign 1 ivan -n",
        "customers add X -n", "offers edit 7 --price 5 -n", "users add x -n", "tick -n",
    ):  # fmt: skip
        done = sales(*line.split())
        assert done.code == 0, (line, done.err)
    assert sales.held() == before


def test_json_has_amounts_as_text_and_in_minor_units_and_times_in_utc(sales: Run) -> None:
    sales("orders", "new", "1", "7", "--quantity", "2", "--at", "2026-07-01 10:00")
    [order] = sales("orders", "list", "--json").json
    assert (order["price"], order["price_minor"], order["currency"]) == ("98.00", 9800, "EUR")
    assert (order["created_at"], order["confirmed"], order["status"]) == ("2026-07-01T07:00:00Z", False, "open")


def test_csv_has_local_times_plain_numbers_and_harmless_text(sales: Run) -> None:
    sales("customers", "add", "=1+1", "--email", "x@example.com", "--phone", "+380441234567")
    sales("orders", "new", "x@example.com", "7", "--at", "2026-07-01 10:00")
    [row] = sales("orders", "list", "--csv", "--columns", "created_at,customer,phone,price,confirmed,status").rows
    assert row == {
        "created_at": "2026-07-01 10:00:00", "customer": "'=1+1", "phone": "'+380441234567",
        "price": "49.00", "confirmed": "no", "status": "open",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["=1+1", "'=1+1", "''=1+1", "+380", "-", "@me", "O'Hara", "'quoted'", "'"])
def test_a_text_comes_back_from_our_own_csv_as_it_was(sales: Run, tmp_path: Path, name: str) -> None:
    sales("customers", "add", name, "--email", "x@example.com")
    file = tmp_path / "customers.csv"
    sales("customers", "list", "--csv", "--columns", "name,email", "-o", str(file))
    sales("customers", "edit", "x@example.com", "--name", "somebody else")
    assert sales("customers", "import", str(file), "--update").code == 0
    assert sales("customers", "show", "x@example.com", "--json").json["name"] == name


def test_excel_csv_has_a_bom_semicolons_and_decimal_commas(sales: Run, tmp_path: Path) -> None:
    paid(sales)
    assert sales("orders", "list", "--excel", "--columns", "order,price", "-o", str(tmp_path / "x.csv")).code == 0
    assert (tmp_path / "x.csv").read_bytes() == b"\xef\xbb\xbforder;price\r\n1;49,00\r\n"


def test_every_format_has_the_same_columns_in_the_same_order(sales: Run) -> None:
    paid(sales)
    columns = ["order", "customer", "status", "quantity"]
    asked = ["orders", "list", "--columns", ",".join(columns)]
    assert list(sales(*asked, "--csv").rows[0]) == columns
    assert list(sales(*asked, "--json").json[0]) == columns
    assert list(json.loads(sales(*asked, "--format", "ndjson").out)) == columns
    assert sales(*asked, "--format", "table").out.split("\n")[0].split() == columns
    assert sales(*asked, "--format", "md").out.split("\n")[0] == f"| {' | '.join(columns)} |"
    assert sales(*asked, "-q").out == "1\n"
    assert sales(*asked, "--format", "count").out == "1\n"


def test_an_empty_list_is_empty_in_every_format(sales: Run) -> None:
    assert sales("orders", "list", "--json").json == []
    assert sales("orders", "list", "--csv", "--columns", "order").out == "order\n"
    assert sales("orders", "list", "-q").out == ""
    table = sales("orders", "list")
    told = f"there are no orders yet; to begin: salescli --db {shlex.quote(sales.named)} orders new CUSTOMER OFFER\n"
    assert (table.out, table.err) == ("", f"nothing to show\n{told}")


def test_an_output_file_is_private_whatever_the_umask(sales: Run, tmp_path: Path) -> None:
    paid(sales)
    target = tmp_path / "orders.csv"
    before = os.umask(0)
    try:
        assert sales("orders", "list", "--csv", "-o", str(target)).code == 0
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".orders")] == []


@pytest.mark.parametrize(
    "words", [("orders", "list", "--csv", "-o"), ("reports", "--xlsx"), ("orders", "show", "1", "--csv", "-o")]
)
@pytest.mark.of_files("a database that has a path")
def test_an_output_file_never_replaces_a_database(sales: Run, path: Path, words: tuple[str, ...]) -> None:
    sales("orders", "new", "1", "7")
    before = path.read_bytes()
    done = sales(*words, str(path))
    assert (done.code, done.err) == (2, f"salescli: {path} is a database and was not overwritten; name another file\n")
    assert path.read_bytes() == before


@pytest.mark.parametrize("line", [["orders", "list"], ["customers", "add", "Ivan"], ["orders", "show", "99"]])
@pytest.mark.of_files("a database that has a path")
def test_the_file_is_closed_when_a_command_ends_however_it_ends(sales: Run, path: Path, line: list[str]) -> None:
    gc.collect()
    gc.disable()  # as the program's own end, which collects nothing
    try:
        sales(*line)
        still_open = [opened for opened in Path("/proc/self/fd").iterdir() if _leads_to(path, opened)]
    finally:
        gc.enable()
    assert still_open == []


def _leads_to(path: Path, descriptor: Path) -> bool:
    try:
        return str(descriptor.readlink()).startswith(str(path))
    except FileNotFoundError:  # that of the listing itself
        return False


def test_a_table_shows_fifty_and_says_how_to_go_on(sales: Run) -> None:
    for _ in range(51):
        sales("orders", "new", "1", "7")
    done = sales("orders", "list")
    assert len(done.out.splitlines()) == 2 + 50
    assert done.err == "there are more orders; continue with --after 2, or show all with --limit 0\n"
    rest = sales("orders", "list", "--after", "2", "--columns", "order")
    assert (rest.out.split(), rest.err) == (["order", "-----", "1"], "")
    assert len(sales("orders", "list", "--csv").rows) == 51
    assert len(sales("orders", "list", "--limit", "0").out.splitlines()) == 2 + 51


def test_a_list_goes_on_from_page_to_page_by_any_column(sales: Run) -> None:
    for name in ("Борис", "Анна"):
        sales("customers", "add", name)
    one = ("customers", "--sort", "name", "--limit", "1", "--columns", "name", "--no-headers")
    pages = [sales(*one, "--after", after) if after else sales(*one) for after in ("", "3", "2", "1")]
    assert [page.out.strip() for page in pages] == ["Анна", "Борис", "Олена Коваленко", ""]
    assert ["--after 3" in pages[0].err, "--after 2" in pages[1].err, pages[2].err] == [True, True, ""]


def test_a_page_is_of_rows_that_are_there_and_a_count_is_of_all(sales: Run) -> None:
    assert sales("orders", "list", "--after", "12").code == 3
    assert sales("orders", "list", "--after", "12", "--format", "count").code == 2


def test_names_of_every_script_line_up(sales: Run) -> None:
    for name in ("山田太郎", "Ὀδυσσεύς", "Zoë", "Олена"):
        sales("customers", "add", name)
    lines = sales("customers", "list", "--columns", "name,active").out.splitlines()
    assert len({width(line[: line.index(" yes")] if " yes" in line else "") for line in lines if "yes" in line}) <= 4
    starts = {width(line[: line.rindex("yes")]) for line in lines if line.endswith("yes")}
    assert len(starts) == 1


def test_control_characters_from_data_are_shown_and_not_obeyed(sales: Run) -> None:
    with sales.opened() as connection:
        connection.execute("UPDATE customers SET name = 'a\x1b[31mb\u202ec'")
    shown = sales("customers", "list").out
    assert "a\\x1b[31mb\\u202ec" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("environment", "option", "colored"),
    [
        pytest.param({}, "auto", False, id="not through a pipe"),
        pytest.param({}, "always", True, id="when told so"),
        pytest.param({"FORCE_COLOR": "1"}, "auto", True, id="when the environment forces it"),
        pytest.param({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "auto", False, id="not against NO_COLOR"),
        pytest.param({"FORCE_COLOR": "1"}, "never", False, id="never means never"),
        pytest.param({"FORCE_COLOR": "1", "TERM": "dumb"}, "auto", True, id="forced on a terminal that has none"),
    ],
)
def test_a_manager_is_coloured(
    sales: Run, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], option: str, colored: bool
) -> None:
    paid(sales)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[31m" in sales("--color", option, "orders", "list").out) is colored


def test_a_sale_is_green_once_it_is_confirmed(sales: Run) -> None:
    paid(sales, "--manager", "ivan")
    assert "\x1b[31mІван Петренко\x1b[0m" in sales("--color", "always", "orders", "list").out
    sales("orders", "check", "1", "--yes")
    assert "\x1b[32mІван Петренко\x1b[0m" in sales("--color", "always", "orders", "list").out


def test_numbers_go_through_a_pipe_from_a_list_into_an_action(sales: Run) -> None:
    paid(sales)
    paid(sales)
    numbers = sales("orders", "list", "--unconfirmed", "-q").out
    done = sales("orders", "check", "--yes", "-", stdin=numbers)
    assert (done.code, done.out.count("confirmed")) == (0, 2)
    assert sales("orders", "list", "--unconfirmed", "-q").out == ""


def test_many_numbers_are_one_transaction(sales: Run) -> None:
    paid(sales)
    sales("orders", "new", "1", "7")
    done = sales("orders", "check", "1", "2", "--system")
    assert (done.code, "order 2 is Open" in done.err) == (5, True)
    assert sales("orders", "list", "--confirmed", "-q").out == ""


def test_a_question_without_a_terminal_is_a_mistake(sales: Run) -> None:
    paid(sales)
    done = sales("orders", "check", "1", stdin="")
    assert (done.code, "--yes" in done.err) == (2, True)


def test_an_interval_reads_as_it_is_spoken(sales: Run) -> None:
    for number, every in (("8", "2w"), ("9", "1 month")):
        sales("offers", "add", "Course", "--number", number, "--price", "100", "--every", every)
    rows = sales("offers", "list", "--columns", "number,every", "--csv").out.splitlines()[1:]
    assert rows[-2:] == ["8,2 weeks", "9,1 month"]


def test_a_confirmation_of_mixed_meanings_is_refused(sales: Run) -> None:
    sales("offers", "add", "Course", "--number", "8", "--price", "100", "--partial-min", "10")
    paid(sales)
    sales("orders", "new", "1", "8")
    done = sales("orders", "confirm", "1", "2")
    assert (done.code, "order 2 has partial payments" in done.err) == (2, True)


def test_a_group_s_bare_name_lists(sales: Run) -> None:
    paid(sales)
    for group in ("orders", "payments", "recurring", "customers", "offers", "categories", "payment-systems", "users"):
        assert sales(group, "--csv").out == sales(group, "list", "--csv").out
    assert sales("reports", "--csv").out == sales("reports", "details", "--csv").out


def test_columns_and_order_are_those_of_the_list_on_a_page(sales: Run) -> None:
    paid(sales)
    paid(sales)
    for sort, numbers in (("order", ["1", "2"]), ("-order", ["2", "1"])):
        page = sales("offers", "show", "7", "--columns", "order,status", "--sort", sort).out
        header, _, *rows = page[page.index("\nlatest orders\n") :].split("\n")[2:-1]
        assert header.split() == ["order", "status"]
        assert [row.split()[0] for row in rows] == numbers
    wrong = sales("offers", "show", "7", "--columns", "nonsense")
    assert (wrong.code, wrong.out) == (2, "")
    assert "no column 'nonsense'" in wrong.err


def test_columns_of_a_page_without_lists_are_the_record_s(sales: Run) -> None:
    assert sales("payment-systems", "show", "Sandbox", "--columns", "gateway").out.split() == ["gateway", "sandbox"]


def test_show_takes_our_number_or_the_one_it_has_elsewhere(sales: Run) -> None:
    paid(sales)
    with sales.opened() as connection:
        connection.execute("UPDATE orders SET source = 'shop', source_number = 'A-17'")
    for number in ("1", "A-17", "shop:A-17"):
        shown = sales("orders", "show", number, "--json").json
        assert (shown["order"], shown["invoices"][0]["amount"]) == (1, "49.00")


def test_ukrainian_names_are_found_whatever_their_case(sales: Run) -> None:
    paid(sales)
    for words in ("олена", "КОВАЛЕНКО", "Олена Кова", "olena@EXAMPLE.com"):
        assert sales("orders", "list", "--customer", words, "-q").out == "1\n", words
        assert sales("customers", "show", words, "--json").json["customer"] == 1
    assert sales("orders", "list", "--search", "дра", "-q").out == ""
    assert sales("orders", "list", "--search", "олена", "-q").out == "1\n"


def test_two_people_of_one_name_are_listed_and_not_guessed(sales: Run) -> None:
    sales("customers", "add", "Олена Коваленко", "--email", "second@example.com")
    done = sales("orders", "new", "Олена Коваленко", "7")
    assert (done.code, "fits 2 records" in done.err) == (3, True)


def test_the_period_of_a_list_is_in_the_account_s_days(sales: Run) -> None:
    sales("orders", "new", "1", "7", "--at", "2026-03-01T22:30:00Z")  # 2 March, half past midnight in Kyiv
    assert sales("orders", "list", "--on", "2026-03-02", "-q").out == "1\n"
    assert sales("orders", "list", "--to", "2026-03-01", "-q").out == ""
    assert sales("orders", "list", "--month", "2026-03", "-q").out == "1\n"


def test_a_stranger_learns_nothing(sales: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "os_login", lambda: "mallory")
    for line in ("orders", "reports", "customers show 1", "orders show 1", "tick", "orders list --customer nobody"):
        done = sales(*line.split())
        assert (done.code, done.out) == (4, ""), line
        assert f"mallory is {'no active user of this shop' if sales.url else 'not a registered user'}" in done.err


def test_the_total_stands_under_a_table_on_a_terminal_and_in_no_pipe(sales: Run) -> None:
    paid(sales)
    totals = [
        "totals                     EUR",
        "-----------------------  -----",
        "completed orders             1",
        "  gross                  49.00",
        "    system sales         49.00",
        "total, refunds excluded  49.00",
    ]
    for format in ((), ("--csv",), ("--format", "ndjson")):
        report = sales("reports", "by-offer", *format)
        assert ("totals" in report.out, report.err.splitlines()) == (False, totals)
    shown = sales.typed("reports", "by-offer", columns=60)
    assert "\n".join(totals) in shown[shown.index("net") :]


def test_json_of_a_report_has_the_totals_and_what_they_are_made_of(sales: Run) -> None:
    paid(sales)
    for name in ("by-currency", "details"):
        ran = sales("reports", name, "--json")
        found = ran.json
        assert (ran.err, list(found)) == ("", ["rows", "totals", "sales", "payments"])
        assert found["rows"][0]["net_minor"] == 4900
        assert [(row["currency"], row["orders"], row["net"]) for row in found["totals"]] == [("EUR", 1, "49.00")]
        assert [(row["sale"], row["gross_minor"]) for row in found["sales"]] == [("system sales", 4900)]
        assert [(row["payments"], row["completed"]) for row in found["payments"]] == [("49.00", "49.00")]


def test_reports_have_the_columns_that_were_agreed(sales: Run) -> None:
    money = ["gross", "commission", "credited", "refunded", "net"]
    for report, columns in {
        "by-currency": ["currency", "payments"],
        "by-payment-system": ["payment_system", "currency", "payments"],
        "by-offer": ["offer_number", "offer", "currency", "orders", "quantity"],
        "by-category": ["category_number", "category", "currency", "orders", "quantity"],
        "by-manager": ["manager", "currency", "orders", "quantity"],
    }.items():
        assert sales("reports", report, "--csv").out == ",".join(columns + money) + "\n"


def test_a_report_s_help_says_what_it_is_by_and_has_no_option_that_does_nothing(sales: Run) -> None:
    said = {
        name: " ".join(sales("reports", name, "--help").out.split())
        for name in ("details", *(report.name for report in BREAKDOWNS))
    }
    assert "Show totals by currency: each payment" in said["by-currency"]
    assert "Show totals by payment system and currency: each payment" in said["by-payment-system"]
    assert {name for name, help in said.items() if "--include-system" in help} == {"details", "by-manager"}


def test_the_detailed_report_takes_limit_and_columns_as_the_others_do(sales: Run) -> None:
    paid(sales)
    assert len(sales("reports", "details", "--limit", "1", "--csv").rows) == 1
    assert len(sales("reports", "details", "--limit", "0", "--csv").rows) > 1
    wrong = sales("reports", "details", "--columns", "net,nosuch")
    assert (wrong.code, wrong.out) == (2, "")
    assert "no column 'nosuch'; the columns are" in wrong.err
    told = sales("reports", "details", "--columns", "offer,net").out
    assert "by-currency\n  net\n" in told


def test_the_detailed_report_is_sorted_by_each_column_that_it_shows(sales: Run) -> None:
    paid(sales)
    rows = sales("reports", "details", "--csv").rows
    for column in ("breakdown", "number", "name", "net"):
        for sign in ("", "-"):
            shown = sales("reports", "details", f"--sort={sign}{column}", "--csv").rows
            assert sorted(map(str, shown)) == sorted(map(str, rows))
            of_offers = [row[column] for row in shown if row["breakdown"] == "by-offer"]
            assert of_offers == sorted(of_offers, reverse=bool(sign))
    assert sales("reports", "by-offer", "--sort", "number").code == 2


def test_findings_are_sorted_and_cut_as_a_list_is_and_all_are_counted(sales: Run) -> None:
    paid(sales)
    with sales.opened() as connection:
        connection.execute("UPDATE totals SET gross = gross + 1 WHERE dimension <> 'manager'")
    found = [row["what"] for row in sales("doctor", "--csv").rows]
    assert len(found) > 1
    done = sales("doctor", "--csv", "--sort", "-what", "--limit", "1")
    assert [row["what"] for row in done.rows] == sorted(found, reverse=True)[:1]
    assert (done.code, done.err.strip()) == (1, f"salescli: {len(found)} findings")


def test_lists_have_the_columns_that_were_agreed(sales: Run) -> None:
    for noun, columns in {
        "orders": "order,created_at,customer,status,offer,category_number,offer_number,price,currency,unit_price,"
        "quantity,manager,confirmed,actions",
        "payments": "invoice,order,attempted_at,status,amount,currency,funds_credited,estimated,one_click,"
        "payment_system,share,share_total,comment,error_code",
        "recurring": "recurring,customer,offer,status,price,currency,payments,payments_remaining,next_payment_at,"
        "due_at,attempt,last_error",
    }.items():
        assert sales(noun, "list", "--csv").out == columns + "\n"


def test_actions_are_those_that_the_acting_user_may_take_now(sales: Run) -> None:
    sales(
        "offers", "add", "Course", "--number", "8", "--price", "100", "--partial-min", "10", "--partial-success", "50"
    )
    for amount in ("49.99", "50.00"):
        sales("orders", "new", "1", "8", "--payment-system", "Sandbox", "--token", "tok_ok")
        number = sales("orders", "-q", "--limit", "1").out.strip()
        sales("orders", "pay", number, "--amount", amount)
    paid(sales)
    paid(sales, "--manager", "ivan")
    rows = sales("orders", "list", "--csv", "--sort", "order").rows
    assert [row["actions"] for row in rows] == ["Decline", "Confirm, Decline", "Check, Add user", "Check"]


def test_tick_is_silent_when_all_is_well_and_when_a_card_is_declined(sales: Run) -> None:
    sales("offers", "add", "Plan", "--number", "9", "--price", "10", "--every", "1 month")
    sales("orders", "new", "1", "9", "--payment-system", "Sandbox", "--token", "tok_fail_once", "--at", "2026-01-15")
    assert sales("orders", "pay", "1").code == 1
    assert sales("orders", "pay", "1", "--at", "2026-01-15").code == 0
    for moment in ("2026-02-15", "2026-02-16"):
        done = sales("tick", "--now", moment)
        assert (done.code, done.out, done.err) == (0, "", "")
    assert sales("recurring", "--csv").rows[0]["payments_remaining"] == ""
    assert len(sales("orders", "--kind", "recurring", "--csv").rows) == 2


def test_tick_says_what_it_would_do_and_does_nothing(sales: Run) -> None:
    sales("offers", "add", "Plan", "--number", "9", "--price", "10", "--every", "1 month", "--payments", "3")
    paid_on = "2026-01-15"
    sales("orders", "new", "1", "9", "--payment-system", "Sandbox", "--token", "tok_ok", "--at", paid_on)
    sales("orders", "pay", "1", "--at", paid_on)
    before = sales.held()
    done = sales("tick", "--dry-run", "--now", "2026-02-15")
    assert "would charge recurring order 1: 10.00 EUR through Sandbox, payment 2 of 3" in done.out
    assert sales.held() == before


@pytest.mark.of_files("a copy by cp")
def test_a_copy_of_the_file_charges_nobody_until_it_is_adopted(sales: Run, path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(path.read_bytes())
    done = Run(copy)("tick")
    assert (done.code, "salescli adopt" in done.err) == (1, True)
    assert Run(copy)("adopt").code == 0
    assert Run(copy)("tick").code == 0


def test_only_one_tick_runs_at_a_time(sales: Run) -> None:
    import fcntl

    with Path(f"{sales.path}.tick.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert sales("tick").code == 75
    assert sales("tick").code == 0


def _salescli(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "salescli", *arguments]


@pytest.mark.parametrize("line", ["orders list --csv", "reports", "customers show 1", "help cron", "history"])
def test_a_closed_pipe_ends_quietly(sales: Run, line: str) -> None:
    for _ in range(5):
        sales("orders", "new", "1", "7")
    line = f"{shlex.quote(sys.executable)} -m salescli {line} | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),  # Python's, without COLUMNS
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1251"])
@pytest.mark.parametrize(
    "line", ["customers list", "customers show 1", "history", "reports", "customers add Zoë -n", "--help"]
)
def test_what_the_terminal_s_encoding_lacks_is_written_as_an_escape(
    sales: Run, monkeypatch: pytest.MonkeyPatch, encoding: str, line: str
) -> None:
    sales("customers", "add", "漢字 Ж − ë")
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    done = subprocess.run(_salescli(*line.split()), capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert (rb"\u6f22" in done.stdout) == (line == "customers list")


@pytest.mark.parametrize("stream", ["0", "1", "2"])
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("orders list", 0),
        ("reports", 0),
        ("orders new 1 7", 0),
        ("import orders -", 6),
        ("orders show 99", 3),
        ("--help", 0),
    ],
)
def test_a_closed_stream_takes_nothing_away_but_what_goes_through_it(
    sales: Run, stream: str, line: str, code: int
) -> None:
    command = f"{shlex.join(_salescli(*line.split()))} {stream}>&-"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def test_on_a_terminal_a_table_fits_and_check_asks(sales: Run) -> None:
    paid(sales)
    shown = on_a_terminal(_salescli("orders", "list"), columns=100)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "\x1b[31m" in shown  # red: not confirmed yet
    assert "not shown: category_number, offer_number" in plain


@pytest.mark.parametrize(
    ("answer", "seller"),
    [
        pytest.param("\n", "Іван Петренко", id="Enter takes the sales plan's manager"),
        pytest.param("system\n", "system", id="the system"),
        pytest.param("olha\n", "Ольга", id="another manager by login"),
    ],
)
def test_on_a_terminal_check_asks_whose_sale_it_was(sales: Run, answer: str, seller: str) -> None:
    sales("users", "add", "olha", "--name", "Ольга")
    sales("customers", "plan", "1", "7", "--manager", "ivan")
    paid(sales)
    asked = on_a_terminal(_salescli("orders", "check", "1"), answer=answer)
    assert "sale by Іван Петренко (marked in the customer's sales plans)" in " ".join(asked.split())
    [row] = sales("orders", "list", "--confirmed", "--csv").rows
    assert row["manager"] == seller


def test_an_answer_that_names_nobody_confirms_nothing(sales: Run) -> None:
    paid(sales)
    asked = on_a_terminal(_salescli("orders", "check", "1"), answer="nobody\n")
    assert "there is no user 'nobody'" in asked
    assert sales("orders", "list", "--confirmed", "-q").out == ""


@pytest.mark.parametrize("name", ["", "SALESCLI_DB", "SALESCLI_USER", "XDG_DATA_HOME", "HOME"])
def test_bytes_that_are_no_text_are_refused_wherever_they_come_from(tmp_path: Path, name: str) -> None:
    words = [b"init", b"--time-zone", b"UTC", *([] if name else [b"--name", b"Zo\xeb"])]
    place = {b"HOME": os.fsencode(tmp_path), **({name.encode(): b"Zo\xeb"} if name else {})}
    done = subprocess.run([*_salescli(), *words], env={**os.environb, **place}, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert (name or "a word of this command line").encode() in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_it_starts_is_no_traceback() -> None:
    script = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'salescli.cli.main': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from salescli.__main__ import main\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")

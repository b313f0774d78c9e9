"""The file of an unknown shop on a terminal: one dialogue, and no question about the next file."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from tests.terminal import CTRL_C, Run

UKRAINIAN = (
    "№ замовлення;Дата;Статус;Клієнт;Пошта;Товар;Кількість;Сума, грн;Нотатки\n"
    "A-1;05.01.2026 10:30;Оплачено;Олена Коваль;olena@example.com;Чай;2;1 234,50;\n"
    "A-2;16.01.2026 11:00;В обробці;Іван;ivan@example.com;Мед;1;400,00;\n"
)
ITEMS = (
    "Order,Placed,Buyer,Mail,SKU,Item,Qty,Unit price,Order total,State,Currency\n"
    "77,03/04/2026,Ann Lee,ann@example.net,x1,Tea,2,5.00,16.00,Paid,EUR\n"
    "77,03/04/2026,Ann Lee,ann@example.net,x2,Mug,1,6.00,16.00,Paid,EUR\n"
    '78,03/06/2026,"=HYPERLINK(""http://x"")",bob@example.net,x2,Mug,1,6.00,6.00,Paid,EUR\n'
)
LEAST = "ref,day,who,sum\n1,2026-01-05,Ann,5.00\n"


@pytest.fixture
def run(begun: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line on a new file, in a folder with the exports of three shops, and with no mappings yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name, text in (("chai.csv", UKRAINIAN), ("items.csv", ITEMS), ("least.csv", LEAST)):
        (tmp_path / name).write_text(text, encoding="cp1251" if text is UKRAINIAN else "utf-8")
    return begun


def mappings() -> list[str]:
    """Return the names of the saved mappings."""
    return sorted(path.name for path in Path(os.environ["XDG_CONFIG_HOME"]).glob("salescli/mappings/*"))


def narrow(shown: str) -> None:
    """Check that no line is wider than 80 columns; the answers stand in lines of their own."""
    echoed = [line for part in shown.split(": ") for line in part.splitlines()]
    assert [line for line in echoed if len(line) > 80] == []


def test_a_file_is_mapped_in_one_dialogue_and_the_next_with_no_question(run: Run, tmp_path: Path) -> None:
    shown = run.typed("import", "orders", "chai.csv", answer="2\nteahouse\ny\ny\n", columns=80)
    narrow(shown)
    assert '"В обробці" in Статус (1 row) means' in shown
    assert "Сума, грн     price                           1 234,50" in shown
    assert "Not used: 'Нотатки'" in shown
    assert "A-2    2026-01-16  open       Іван          Мед    400.00 UAH" in shown
    assert mappings() == ["teahouse.toml"]
    newer = UKRAINIAN.replace("В обробці", "Оплачено") + "A-3;17.01.2026;Скасовано;;b@example.com;Мед;1;400;\n"
    (tmp_path / "february.csv").write_text(newer, encoding="utf-8")
    refused = run("import", "orders", "february.csv")
    assert refused.code == 6
    assert "line 3, Статус: 'completed': open here, completed in the file; --update takes" in refused.err
    done = run("import", "orders", "february.csv", "--update")
    assert "read as teahouse, by the mapping teahouse" in done.err
    assert "(1 added, 1 updated, 1 unchanged)" in done.err
    assert "nothing changed" in run("import", "orders", "february.csv").err


def test_rows_of_one_order_are_items_and_hostile_names_stay_text(run: Run) -> None:
    shown = run.typed("import", "orders", "items.csv", "--save-map", "mugs", answer="2\ny\n", columns=80)
    narrow(shown)
    assert "Rows with the same order number are the items of one order." in shown
    assert "Dates begin with the month." in shown
    assert '=HYPERLINK("http://x")' in shown
    assert mappings() == ["mugs.toml"]
    assert "paid 22.00 EUR" in run("import", "orders", "items.csv", "--dry-run").err


def test_the_least_file_is_asked_for_what_it_does_not_say(run: Run) -> None:
    answers = "1\nLesson\n1\n\nclub\ny\nn\n"  # the name, what was sold, paid, the currency, the shop; yes, not saved
    shown = run.typed("import", "orders", "least.csv", answer=answers, columns=80)
    narrow(shown)
    assert "imported 1 order (1 added, 0 updated, 0 unchanged)" in shown
    assert mappings() == []
    assert "nothing changed" in run("import", "orders", "least.csv", "--source", "club", "--map", proposed(run)).err


def proposed(run: Run) -> str:
    """Return a file with the mapping that is proposed for the least file, filled in."""
    text = run("import", "orders", "least.csv", "--propose").out
    for ours, to in (("customer", '"who"'), ("offer", '{ constant = "Lesson" }')):
        line = next(line for line in text.splitlines() if line.startswith(f"{ours} = "))
        text = text.replace(line, f"{ours} = {to}")
    file = run.path.parent / "least.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_workbook_is_mapped_as_a_file_is(run: Run) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Bestellnummer", "Bestelldatum", "Kunde", "Artikel", "Betrag", "Status", "Währung"])
    book.active.append([17, datetime(2026, 1, 5, 10, 30), "Jörg Groß", "Tee", 12.5, "bezahlt", "EUR"])
    book.save("shop.xlsx")
    shown = run.typed("import", "orders", "shop.xlsx", "--save-map", "tee", answer="y\n", columns=80)
    narrow(shown)
    assert "17     2026-01-05  completed  Jörg Groß  Tee    12.50 EUR" in shown
    assert "nothing changed" in run("import", "orders", "shop.xlsx").err


@pytest.mark.parametrize("answer", ["2\nteahouse\nn\n", CTRL_C])
def test_a_no_or_ctrl_c_writes_nothing(run: Run, answer: str) -> None:
    shown = run.typed("import", "orders", "chai.csv", answer=answer, columns=80)
    assert ("--propose > my.toml" in shown) is (answer != CTRL_C)  # a no leaves a way on
    assert mappings() == []
    assert run("orders", "list", "-q").out == ""


def test_a_dry_run_asks_and_imports_nothing(run: Run) -> None:
    shown = run.typed("import", "orders", "chai.csv", "--dry-run", answer="1\n\ny\nn\n", columns=80)
    assert "would import 2 orders (2 added, 0 updated, 0 unchanged)" in shown
    assert run("orders", "list", "-q").out == ""


def test_a_script_is_told_the_names_that_are_not_known(run: Run) -> None:
    done = run("import", "orders", "least.csv")
    assert (done.code, "'ref', 'day', 'who', 'sum'" in done.err) == (6, True)
    assert "import it on a terminal" in done.err
    done = run("import", "orders", "least.csv", "--save-map", "x")
    assert (done.code, "--propose" in done.err) == (2, True)


def test_a_name_that_is_taken_or_no_name_is_refused_before_anything_is_asked(run: Run) -> None:
    for name in ("../x", "shopify-orders"):
        shown = run.typed("import", "orders", "least.csv", "--save-map", name, answer="")
        assert "mapping" in shown
        assert "Which column" not in shown


def test_a_file_is_no_name_for_a_mapping_and_the_way_to_one_is_said(run: Run) -> None:
    shown = run.typed("import", "orders", "least.csv", "--save-map", "shop.toml", answer="", columns=80)
    assert "a name such as my-shop" in shown
    assert "to keep it elsewhere, use --propose" in shown


def test_the_dialogue_is_not_loaded_by_lists(run: Run) -> None:
    code = "import sys, salescli.cli.commands.lists; print('salescli.cli.mapping_dialogue' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

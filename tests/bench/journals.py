"""The plain-text accountants (hledger, ledger, bean-query): gross by offer from a journal of the same sales.

One journal for hledger and ledger, one in beancount's dialect; each is run as a command, beside our command.
"""

from __future__ import annotations

import csv
import io
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

from salescli.rules import money, time
from tests.bench import database, peers
from tests.bench.figures import OURS, Figure, tell, timed
from tests.bench.measuring import Command, processes

Gross = dict[tuple[str, str], Decimal]  # (offer, currency) -> gross

_SALES = """
SELECT o.completed_on AS day, o.id, o.offer_number AS offer, i.currency, i.amount_minor FROM orders o
JOIN invoices i ON i.order_id = o.id WHERE o.completed_at IS NOT NULL AND i.paid_at IS NOT NULL ORDER BY 1, 2
"""


def run(folder: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Ask for the gross by offer of all time, with those of the accountants that are here."""
    path = database.made(folder, orders)
    output = folder / "gross.txt"
    found = _accountants(path, output)
    if len(found) == 1:
        return
    taken = processes({name: command for name, (command, _) in found.items()}, min(rounds, 3))
    agree = len({frozenset(_asked(*asked).items()) for asked in found.values()}) == 1
    output.unlink(missing_ok=True)
    yield tell(timed("reports", "by-offer as a command", orders, taken, agree=agree))


def _asked(command: Command, read: Callable[[str], Gross]) -> Gross:
    done = subprocess.run([str(word) for word in command.words], check=True, stdout=-1, stderr=-3)
    return {key: gross for key, gross in read(done.stdout.decode()).items() if gross}


def _accountants(path: Path, output: Path) -> dict[str, tuple[Command, Callable[[str], Gross]]]:
    """Return how each is asked, and how its answer is read."""
    ours = peers.salescli(path, "reports", "by-offer", "--columns", "offer_number,currency,gross", "--csv")
    found: dict[str, tuple[Command, Callable[[str], Gross]]] = {OURS: (Command(ours, output), _read_ours)}
    words: list[str | Path]
    plain, bean = path.with_suffix(".journal"), path.with_suffix(".beancount")
    if program := peers.program("hledger"):
        words = [program, "-f", _written(path, plain, _plain), "balance", "--flat", "--no-total", "^sales"]
        found["hledger"] = (Command(words, output), _read_balance)
    if program := peers.program("ledger"):
        words = [program, "-f", _written(path, plain, _plain), "balance", "--flat", "--no-total", "^sales"]
        found["ledger"] = (Command(words, output), _read_balance)
    if program := peers.program("bean-query"):
        sql = "SELECT account, currency, sum(number) WHERE account ~ 'Income' GROUP BY account, currency"
        words = [program, "-f", "csv", _written(path, bean, _beancount), sql]
        found["bean-query"] = (Command(words, output), _read_beans)
    return found


def _written(path: Path, target: Path, entry: Callable[[sqlite3.Row], str]) -> Path:
    if target.exists():
        return target
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    with target.open("w", encoding="utf-8") as stream:
        if entry is _beancount:
            names = [f"Income:{number}" for (number,) in connection.execute("SELECT number FROM offers")]
            stream.writelines(f"2000-01-01 open {name}\n" for name in ("Assets:Cash", *names))
        stream.writelines(entry(row) for row in connection.execute(_SALES))
    connection.close()
    return target


def _day(row: sqlite3.Row) -> str:
    return time.day_text(row["day"])


def _plain(row: sqlite3.Row) -> str:
    amount = money.text(row["amount_minor"], row["currency"])
    return f"{_day(row)} order {row['id']}\n    sales:{row['offer']}  {amount} {row['currency']}\n    cash\n\n"


def _beancount(row: sqlite3.Row) -> str:
    amount = money.text(row["amount_minor"], row["currency"])
    return f'{_day(row)} * "order {row["id"]}"\n  Income:{row["offer"]}  {amount} {row["currency"]}\n  Assets:Cash\n\n'


def _read_ours(said: str) -> Gross:
    return {(row[0], row[1]): Decimal(row[2]) for row in list(csv.reader(io.StringIO(said)))[1:]}


def _read_balance(said: str) -> Gross:
    """Read a balance: an amount and its currency a line, on the last one of an account its name, too."""
    gross: Gross = {}
    waiting: list[tuple[str, Decimal]] = []
    for line in said.splitlines():
        amount, currency, *account = line.split()
        waiting.append((currency, Decimal(amount.replace(",", ""))))
        if account:
            gross.update({(account[0].partition(":")[2], currency): number for currency, number in waiting})
            waiting = []
    return gross


def _read_beans(said: str) -> Gross:
    rows = [re.split(r"\s*,\s*", line.strip()) for line in said.splitlines()[1:]]
    return {(account.partition(":")[2], currency): Decimal(number) for account, currency, number in rows}

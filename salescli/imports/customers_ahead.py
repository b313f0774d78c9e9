"""The customers of a batch of rows, stored or staged, read by few statements: one query each takes much longer."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from salescli.rules import names
from salescli.storage import engine

Key = tuple[Any, ...]  # the values of a row that name a record; of a customer (customer_id, email, name, phone)
Found = engine.Row | dict[str, Any]  # a record, or the columns of a customer that is only staged

_AMONG = "IN (SELECT value FROM json_each(?))"  # a list of any length, so that a statement is prepared and cached once


class CustomersAhead:
    """The customers that the rows of a batch name, by their source's ids, by email and by name."""

    def __init__(self, connection: engine.Connection, source: str, keys: Collection[Key]) -> None:
        self._connection = connection
        ids, emails = (_listed(key[place] for key in keys if key[place]) for place in (0, 1))
        called = _listed(names.key(key[2]) for key in keys if not (key[0] or key[1]))
        by_id = f"SELECT * FROM customers WHERE source_id {_AMONG} AND source = ?"
        rows = connection.execute(by_id, (ids, source)).fetchall()
        self.by_id: dict[str, Found] = {row["source_id"]: row for row in rows if row["merged_into"] is None}
        self._ids = {row["source_id"] for row in rows}
        self._emails = self._values("email", emails)
        self._names = self._values("name_key", called)
        self._staged: dict[str, defaultdict[str, list[Found]]] = {
            column: defaultdict(list) for column in ("email", "name_key")
        }
        for column, wanted in (("source_id", ids), ("email", emails), ("name_key", called)):
            for row in connection.execute(f"SELECT * FROM staged_customers WHERE {column} {_AMONG}", (wanted,)):
                self._note(column, row)

    def _values(self, column: str, wanted: str) -> set[str]:
        """Return those of a list that stored customers have in a column."""
        if wanted == "[]":
            return set()
        sql = f"SELECT {column} FROM customers WHERE {column} {_AMONG}"
        return {value for (value,) in self._connection.execute(sql, (wanted,))}

    def _note(self, column: str, customer: Found) -> None:
        if column == "source_id":
            self.by_id[customer["source_id"]] = customer
        else:
            self._staged[column][customer[column]].append(customer)

    def add(self, customer: Found) -> None:
        """Note a customer that was staged since."""
        for column in ("source_id", "email", "name_key"):
            if customer[column]:
                self._note(column, customer)

    def staged(self, key: Key) -> list[Found]:
        """Return the staged customers that a row whose id is unknown can mean: by email, else by name without an id."""
        id, email, name, _ = key
        if email:
            alike = self._staged["email"].get(email, [])
            return [customer for customer in alike if customer["source_id"] is None] if id else alike
        return [] if id else self._staged["name_key"].get(names.key(name), [])

    def stored(self, key: Key) -> bool:
        """Return whether a row can mean a customer that is stored."""
        id, email, name, _ = key
        if id and id in self._ids:
            return True
        if email:
            return email in self._emails
        return not id and names.key(name) in self._names


def _listed(values: Iterable[str]) -> str:
    return json.dumps(sorted(set(values)))

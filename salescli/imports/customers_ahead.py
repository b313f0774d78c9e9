"""The customers of a batch of rows, stored or staged, read by few statements: one query each takes much longer."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
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
        self.by_id: dict[str, Found] = {}
        self._ids: set[str] = set()
        self._read_by_id(source, _listed(key[0] for key in keys if key[0]))
        others = [key for key in keys if key[0] not in self.by_id]
        emails = _listed(key[1] for key in others if key[1])
        called = _listed(names.key(key[2]) for key in others if not (key[0] or key[1]))
        self._emails = self._values("email", emails)
        self._names = self._values("name_key", called)
        self._staged: dict[str, defaultdict[str, list[Found]]] = {
            column: defaultdict(list) for column in ("email", "name_key")
        }
        for column, wanted in (("email", emails), ("name_key", called)):
            for row in self._among("SELECT * FROM staged_customers", column, wanted):
                self._staged[column][row[column]].append(row)

    def _read_by_id(self, source: str, ids: str) -> None:
        for row in self._among("SELECT id, source_id FROM staged_customers", "source_id", ids):
            self.by_id[row["source_id"]] = row
        for row in self._among("SELECT id, source, source_id, merged_into FROM customers", "source_id", ids):
            if row["source"] == source:
                self._ids.add(row["source_id"])
                if row["merged_into"] is None:
                    self.by_id[row["source_id"]] = row

    def _among(self, select: str, column: str, wanted: str) -> Sequence[engine.Row]:
        """Return the rows with one of the wanted values in a column."""
        return self._connection.execute(f"{select} WHERE {column} {_AMONG}", (wanted,)).fetchall() if wanted else ()

    def _values(self, column: str, wanted: str) -> set[str]:
        """Return those of a list that stored customers have in a column."""
        return {value for (value,) in self._among(f"SELECT {column} FROM customers", column, wanted)}

    def add(self, customer: Found) -> None:
        """Note a customer that was staged since."""
        if customer["source_id"]:
            self.by_id[customer["source_id"]] = customer
        for column, staged in self._staged.items():
            if customer[column]:
                staged[customer[column]].append(customer)

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
    """Return values as JSON; nothing if there are none."""
    listed = sorted(set(values))
    return json.dumps(listed) if listed else ""

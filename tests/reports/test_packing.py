"""Keys of groups as one number: what goes in comes out, also nothing, and also where not all fit into one."""

from __future__ import annotations

import pytest

from salescli.reports import packing
from tests.shop import Shop

VALUES = [(1, 0, "a"), (1, None, "a"), (None, 0, None), (None, None, "b"), (3, 1, "b"), (0, 1, "b")]


@pytest.mark.parametrize("most", ["3", f"{2**61}"], ids=["into one number", "into two numbers"])
def test_packed_keys_are_told_apart_and_shown_again(shop: Shop, most: str) -> None:
    rows = " UNION ALL ".join(
        "SELECT " + ", ".join("NULL" if value is None else repr(value) for value in row) for row in VALUES * 2
    )
    keys = {"a": "one", "b": "two", "c": "three"}
    packed = packing.packed(shop.house.connection, keys, {"a": most, "b": most})
    assert len(packed.columns) == (2 if most == "3" else 3)
    listed = ", ".join(f"{sql} AS {name}" for name, sql in packed.columns.items())
    shown = ", ".join(packed.shown[name] for name in keys)
    sql = (
        f"WITH given (one, two, three) AS ({rows}), found AS (SELECT {listed} FROM given)"
        f" SELECT {shown}, count(*) FROM found GROUP BY {', '.join(packed.columns)}"
    )
    found = [tuple(row) for row in shop.house.connection.execute(sql)]
    assert sorted(found, key=repr) == sorted([(*row, 2) for row in VALUES], key=repr)

"""The TOML file of a mapping, checked: each key and value that cannot be is named with its place.

text -> ``parsed`` -> ``Mapping``
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, NoReturn

from salescli.errors import BadData
from salescli.imports.mapping import (
    DATES,
    ENDS_AT,
    FOR,
    ORDERS,
    RECURRING,
    WORDS,
    Conventions,
    Items,
    Mapping,
    Refunds,
    Rule,
    Template,
    Value,
    key,
)
from salescli.rules import time

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KEYS = (
    "title", "for", "source", "recognised_by", "optional", "file", "columns", "skip", "ended", "refunds", "items",
    "not_held",
)  # fmt: skip
_OF_A_VALUE = (
    "from", "constant", "sum", "values", "else", "without", "same", "when", "blank", "between", "join", "times",
    "period",
)  # fmt: skip


def parsed(text: str, name: str, ours: Sequence[str], kind: str = ORDERS) -> Mapping:
    """Return the mapping of a TOML text, which may fill the columns ``ours``. Raise BadData with its place.

    Of a mapping for another import than ``kind``, only what it is recognised by.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadData(f"the mapping {name} is not TOML: {error}") from None
    except RecursionError:
        raise BadData(f"the mapping {name} has lists in lists too deep to read; a mapping has two levels") from None
    reader = _Reader(name, (*ours, ENDS_AT) if kind == RECURRING else ours)
    return reader.mapping(given) if given.get("for", ORDERS) == kind else reader.recognisable(given)


class _Reader:
    """Reads the tables of one mapping and names it in errors."""

    def __init__(self, name: str, ours: Sequence[str]) -> None:
        self._name = name
        self._ours = ours

    def mapping(self, given: Dict[str, Any]) -> Mapping:
        self._check_keys("", given, _KEYS)
        columns = self._table("columns", given.get("columns", {}))
        self._check_keys("columns", columns, self._ours)
        if not columns:
            self._fail("columns", "is missing: it says what each column is read from")
        created = columns.get("created_at", "")
        return replace(
            self.recognisable(given),
            columns={column: self._value(f"columns.{column}", value) for column, value in columns.items()},
            optional=self._texts("optional", given.get("optional", [])),
            source=self._text("source", given["source"]) if "source" in given else None,
            conventions=self._conventions(self._table("file", given.get("file", {}))),
            skip=[self._skip(f"skip {place}", rule) for place, rule in self._tables("skip", given)],
            ended=[self._ended(f"ended {place}", rule) for place, rule in self._tables("ended", given)],
            refunds=[
                self._refunds(f"refunds {place}", rule, created) for place, rule in self._tables("refunds", given)
            ],
            items=self._items(self._table("items", given["items"])) if "items" in given else None,
            not_held={
                label: self._texts(f"not_held.{label}", names) for label, names in given.get("not_held", {}).items()
            },
        )

    def recognisable(self, given: Dict[str, Any]) -> Mapping:
        """Return a mapping with what it is recognised by, whatever import it is for."""
        kind = given.get("for", ORDERS)
        if kind not in FOR:
            self._fail("for", f"is {kind!r}; it is one of {', '.join(FOR)}")
        return Mapping(
            self._name,
            self._text("title", given.get("title", self._name)),
            columns={},
            kind=kind,
            recognised_by=self._texts("recognised_by", given.get("recognised_by", [])),
        )

    def _fail(self, where: str, what: str) -> NoReturn:
        raise BadData(f"the mapping {self._name}: {where} {what}" if where else f"the mapping {self._name} {what}")

    def _check_keys(self, where: str, given: Dict[str, Any], known: Sequence[str]) -> None:
        unknown = [name for name in given if name not in known]
        if unknown:
            self._fail(where, f"has an unknown key, {unknown[0]}; the keys are {', '.join(known)}")

    def _table(self, where: str, given: Any) -> dict[str, Any]:
        return given if isinstance(given, dict) else self._fail(where, "is not a table")

    def _tables(self, where: str, given: Dict[str, Any]) -> Sequence[tuple[int, dict[str, Any]]]:
        tables = given.get(where, [])
        if not isinstance(tables, list):
            self._fail(where, f"is not a list of tables; write [[{where}]]")
        return [(place, self._table(f"{where} {place}", table)) for place, table in enumerate(tables, start=1)]

    def _text(self, where: str, given: Any) -> str:
        return given if isinstance(given, str) and given else self._fail(where, "is not a text")

    def _texts(self, where: str, given: Any) -> list[str]:
        if not isinstance(given, list):
            self._fail(where, "is not a list of texts")
        return [self._text(where, text) for text in given]

    def _conventions(self, given: dict[str, Any]) -> Conventions:
        self._check_keys("file", given, [one.name for one in fields(Conventions)])
        conventions = Conventions(**given)
        choices = {"delimiter": (",", ";", "\t", "|"), "decimal": (".", ","), "minor": (False, True), "dates": DATES}
        for name, allowed in choices.items():
            if name in given and given[name] not in allowed:
                self._fail(f"file.{name}", f"is not one of {', '.join(map(repr, allowed))}")
        if conventions.zone is not None:
            time.time_zone(self._text("file.zone", conventions.zone))
        return conventions

    def _value(self, where: str, given: Any) -> Value:
        """Return a value: a column, "{A} {B}", a list to take the first of, or a table."""
        if not isinstance(given, dict):
            return Value(self._first(where, given))
        self._check_keys(where, given, _OF_A_VALUE)
        if len({"from", "constant", "sum"} & given.keys()) != 1:
            self._fail(where, "needs one of from, constant and sum")
        same = self._texts(f"{where}.same", given.get("same", []))
        when = {
            column: frozenset(map(key, self._texts(f"{where}.when.{column}", texts)))
            for column, texts in self._table(f"{where}.when", given.get("when", {})).items()
        }
        if "sum" in given:
            names = self._texts(f"{where}.sum", given["sum"])
            signed = [(name.startswith("-"), name.removeprefix("-")) for name in names]
            return Value(sum=signed, same=same, when=when)
        if "constant" in given:
            return Value([Template([(self._text(where, given["constant"]), None)])])
        table = self._table(f"{where}.values", given["values"]) if "values" in given else None
        return Value(
            self._first(f"{where}.from", given["from"]),
            table=None if table is None else {key(name): self._to(where, text) for name, text in table.items()},
            otherwise=self._to(where, given["else"]) if "else" in given else None,
            without=given.get("without", ""),
            same=same,
            when=when,
            blank=frozenset(map(key, self._texts(f"{where}.blank", given.get("blank", [])))),
            between=self._between(f"{where}.between", given.get("between", [])),
            join=self._text(f"{where}.join", given.get("join", " + ")),
            times=self._text(f"{where}.times", given["times"]) if "times" in given else "",
            period=self._texts(f"{where}.period", given.get("period", [])),
        )

    def _between(self, where: str, given: Any) -> list[tuple[str, str]]:
        if not isinstance(given, list):
            self._fail(where, 'is not a list of beginnings and ends, such as [["name:", "|"]]')
        return [self._pair(where, pair) for pair in given]

    def _pair(self, where: str, given: Any) -> tuple[str, str]:
        texts = self._texts(where, given)
        return (texts[0], texts[1]) if len(texts) == 2 else self._fail(where, "has not two texts")

    def _to(self, where: str, given: Any) -> str:
        return given if isinstance(given, str) else self._fail(where, f"turns a value into {given!r}, which is no text")

    def _first(self, where: str, given: Any) -> list[Template]:
        if not isinstance(given, list):
            return [self._template(where, given)]
        return [self._template(where, one) for one in given]

    def _template(self, where: str, given: Any) -> Template:
        if isinstance(given, dict):
            self._check_keys(where, given, ("constant",))
            return Template([(self._text(where, given.get("constant")), None)])
        text = self._text(where, given)
        if "{" not in text:
            return Template([("", text)])
        pieces = re.split(r"\{([^{}]+)\}", text)
        ends = [*pieces[1::2], None]
        return Template([part for part in zip(pieces[::2], ends, strict=True) if part != ("", None)])

    def _conditions(self, where: str, given: Any) -> list[tuple[str, str | frozenset[str]]]:
        conditions: list[tuple[str, str | frozenset[str]]] = []
        for column, wanted in self._table(where, given).items():
            if isinstance(wanted, str) and wanted not in WORDS:
                self._fail(f"{where}.{column}", f"is neither a list of values nor one of {', '.join(WORDS)}")
            texts = wanted if isinstance(wanted, str) else frozenset(map(key, self._texts(where, wanted)))
            conditions.append((column, texts))
        return conditions or self._fail(where, "has no conditions")

    def _skip(self, where: str, given: dict[str, Any]) -> Rule:
        self._check_keys(where, given, ("when", "unless", "reason"))
        return Rule(
            self._conditions(f"{where}.when", given.get("when", {})),
            self._conditions(f"{where}.unless", given["unless"]) if "unless" in given else (),
            self._text(f"{where}.reason", given.get("reason")),
        )

    def _ended(self, where: str, given: dict[str, Any]) -> Rule:
        self._check_keys(where, given, ("when",))
        return Rule(self._conditions(f"{where}.when", given.get("when", {})))

    def _refunds(self, where: str, given: dict[str, Any], created: Any) -> Refunds:
        self._check_keys(where, given, ("when", "of", "amount", "at", "chargeback", "else"))
        of, amount, at = (
            self._value(f"{where}.{name}", given.get(name, otherwise))
            for name, otherwise in (("of", ""), ("amount", ""), ("at", created))
        )
        rule = Rule(self._conditions(f"{where}.when", given.get("when", {})))
        otherwise = self._text(f"{where}.else", given["else"]) if "else" in given else ""
        return Refunds(rule, of, amount, at, given.get("chargeback") is True, otherwise)

    def _items(self, given: dict[str, Any]) -> Items:
        self._check_keys("items", given, ("key", "total", "discount", "cell", "line"))
        if ("cell" in given) != ("line" in given):
            self._fail("items", "needs both cell and line, or neither")
        total, discount = (
            self._value(f"items.{name}", given[name]) if name in given else None for name in ("total", "discount")
        )
        line = self._template("items.line", given["line"]) if "line" in given else None
        return Items(given.get("key", ""), total, discount, given.get("cell", ""), line)

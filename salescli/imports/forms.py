"""How the cells of a mapped file become amounts and times of ours, by the convention that was settled for each column.

``survey`` of the columns that a mapping reads as amounts and times -> ``Forms``: ``amount`` and ``instant``; pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from decimal import Decimal

from salescli.errors import BadData
from salescli.imports.mapping import Cells, Value, key
from salescli.imports.reading import amounts, dates
from salescli.imports.reading.conventions import AMOUNT, DATE, Convert, as_ours
from salescli.imports.reading.workbooks import Typed

_AMOUNT, _DATE = as_ours(AMOUNT), as_ours(DATE)
_ZONELESS = re.compile(r"\d{4}-\d{2}-\d{2}(?P<time> \d{2}:\d{2}:\d{2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Forms:
    """The conversions of columns, by ``key``; whether amounts are in minor units; the zone of times that name none."""

    converts: Dict[str, Convert] = field(default_factory=dict)
    minor: bool = False
    zone: str | None = None

    def amount(self, value: Value, cells: Cells, currency: str) -> Decimal | None:
        """Return an amount of ``currency``, or the sum of several; None if it is blank.

        Raise BadData for what is no amount of its column's convention, or names another currency.
        """
        if value.sum:
            terms = [(minus, text) for minus, name in value.sum if (text := self._own_amount(name, cells, currency))]
            return (
                sum((-Decimal(text) if minus else Decimal(text) for minus, text in terms), Decimal(0))
                if terms
                else None
            )
        text = value.text({key(name): self._own_amount(name, cells, currency) for name in value.columns})
        if not text:
            return None
        in_units = (
            amounts.plain(text, amounts.POINT) if value.columns or not self.minor else amounts.minor(text, currency)
        )
        return Decimal(in_units)

    def instant(self, value: Value, cells: Cells) -> str:
        """Return a date or time as an import reads it, with the zone that it or its file names; blank if it is blank.

        Raise BadData for what is none.
        """
        own = value.text({key(name): self._own_date(name, cells, value.blank) for name in value.columns})
        if not own:
            return ""
        text = dates.iso(own, dates.YMD)
        if not re.match(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise BadData("is not a date or time")
        without_zone = _ZONELESS.fullmatch(text) if self.zone else None
        return f"{text}{'' if without_zone['time'] else ' 00:00'} {self.zone}" if without_zone else text

    def _own_amount(self, name: str, cells: Cells, currency: str) -> str:
        cell = cells.get(key(name), "")
        if not cell or (isinstance(cell, Typed) and not self.minor):
            return cell and _AMOUNT(cell, currency)
        return self.converts.get(key(name), amounts.minor if self.minor else _AMOUNT)(cell, currency)

    def _own_date(self, name: str, cells: Cells, blank: frozenset[str]) -> str:
        cell = cells.get(key(name), "")
        if key(cell) in blank:
            return ""
        if isinstance(cell, Typed):
            return dates.iso(cell, dates.SERIAL)  # a sheet's date without the format of one is a number of days
        return cell and self.converts.get(key(name), _DATE)(cell, "")

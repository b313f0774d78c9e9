"""A mapping proposed for an unknown file, from the names of its columns and what their values look like.

``Sample`` -> ``proposed``: each of our columns with its source -> ``questions`` -> ``mapping_text``: as TOML
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from salescli.imports import column_words
from salescli.imports.column_words import CALLED, STATUSES, plain
from salescli.imports.mapping import ORDERS, key
from salescli.imports.reading import amounts, dates
from salescli.imports.reading.amounts import COMMA, POINT
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.sample import Evidence, Sample

_STATUSES_MAX = 20  # different values of a column that is a status
_AMOUNTS = ("price", "unit_price", "discount", "paid", "refunded")
_TIMES = ("created_at", "paid_at", "refunded_at", "started_at", "next_payment_at")
SKIP = "skip"  # what a status may mean besides ours: its rows are left out


@dataclass(frozen=True, slots=True)
class Proposal:
    """How an unknown file would be read, and what only a person knows.

    ``columns``: ours -> the source columns to take the first of, in a mapping's words; ``constants``: ours -> a text.
    ``statuses``: their word -> ours or SKIP. ``decimal`` and ``dates``: of a mapping; None: as the file shows; blank:
    it is not clear.
    ``total``: what an order of several rows costs; ``refunds``: whether rows below zero give money back.
    ``either``: ours -> source columns of which one must be chosen.
    """

    sample: Sample
    columns: Mapping[str, Sequence[str]]
    constants: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    decimal: str | None = None
    dates: str | None = None
    has_items: bool = False
    total: str | None = None
    refunds: bool | None = None  # None: no row is below zero
    either: Mapping[str, Sequence[str]] = field(default_factory=dict)
    options: ReadingOptions = field(default_factory=ReadingOptions)
    answered: frozenset[str] = frozenset()
    kind: str = ORDERS

    @property
    def used(self) -> list[str]:
        """The source columns that it reads."""
        texts = [*(text for column in self.columns.values() for text in column), *filter(None, [self.total])]
        return [name for name in self.sample.header if any(name == text or f"{{{name}}}" in text for text in texts)]

    @property
    def unused(self) -> list[str]:
        """The source columns that it does not read."""
        used = self.used
        return [name for name in self.sample.header if name not in used] + list(self.sample.left_out)

    @property
    def amount(self) -> str:
        """The source column of what an order costs; blank if it is not known."""
        return self.source("price") or self.total or ""

    def source(self, ours: str) -> str | None:
        """Return the source column of ours, if it is one."""
        return next((text for text in self.columns.get(ours, ()) if text in self.sample.header), None)


def proposed(sample: Sample, ours: Sequence[str], options: ReadingOptions, kind: str = ORDERS) -> Proposal:
    """Return a proposal for a file of the import ``kind``; what is not known is left to be asked."""
    evidence = {name: sample.evidence(name) for name in sample.header}
    columns, either = _taken(evidence, ours)
    named = {ours: [name] for ours, name in columns.items()}
    _name_customers(named, evidence)
    constants = {}
    if "currency" not in named and (code := _currency(evidence, columns)):
        constants["currency"] = code
    proposal = Proposal(sample, named, constants, either=either, options=options, kind=kind)
    return reconsidered(_with_statuses(proposal))


def reconsidered(proposal: Proposal) -> Proposal:
    """Return a proposal with what its columns show of refunds, items and conventions."""
    return _with_conventions(_with_items(_with_refunds(proposal)))


# Which column is which


def _fits(ours: str, seen: Evidence) -> bool:
    """Return whether the values of a column may be those of ours; a blank column fits what need not be given."""
    if not seen.values:
        return not seen.has_rows or ours not in ("order", "created_at", "status", "price")
    if ours in _TIMES:
        return seen.is_date
    if ours in _AMOUNTS:
        return seen.is_amount and not (ours == "refunded" and seen.is_date)
    tests: dict[str, Callable[[Evidence], bool]] = {
        "order": lambda seen: seen.has_digits and not (seen.is_date or seen.is_email),
        "status": lambda seen: len(seen.values) <= _STATUSES_MAX and not (seen.is_date or seen.is_amount),
        "email": lambda seen: seen.is_email,
        "phone": lambda seen: seen.is_phone,
        "currency": lambda seen: seen.is_currency,
        "quantity": lambda seen: seen.is_whole,
        "customer": lambda seen: seen.is_text,
        "offer": lambda seen: seen.is_text and not seen.is_email,
    }
    return ours not in tests or tests[ours](seen)


def _taken(evidence: Mapping[str, Evidence], ours: Sequence[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return our columns with their source, by name and then by what the values alone say, and what is to be chosen."""
    taken: dict[str, str] = {}
    for column in ours:
        sources = [name for name in _called(column, evidence) if name not in taken.values()]
        if sources:
            taken[column] = sources[0]
    either = {}
    for column in ("email", "currency", "created_at", "order", "price", "customer", "offer"):
        if column in taken or column not in ours or (column == "price" and "unit_price" in taken):
            continue
        free = [(name, seen) for name, seen in evidence.items() if seen.values and name not in taken.values()]
        sources = [name for name, seen in free if _fits(column, seen) and not _is_of_another(column, seen)]
        if len(sources) == 1 and column in ("email", "currency", "created_at", "price", "order"):
            taken[column] = sources[0]
        elif sources and column not in ("email", "currency"):
            either[column] = sources
    prices = [name for name in _called("price", evidence) if name not in taken.values()]
    differing = [name for name in prices if evidence[name].values != evidence[taken["price"]].values]
    if differing:
        either["price"] = [taken["price"], *differing]
    return taken, either


def _called(column: str, evidence: Mapping[str, Evidence]) -> list[str]:
    """Return the source columns that are called like ours and look like it, likeliest first."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for name, seen in evidence.items():
        if _fits(column, seen):
            by_name[plain(name)].append(name)
    return [name for called in dict.fromkeys([plain(column), *CALLED.get(column, [])]) for name in by_name[called]]


def _is_of_another(column: str, seen: Evidence) -> bool:
    """Return whether values that may be of ours are rather those of another column."""
    if column == "price":
        return seen.is_date or (seen.is_phone and not any({".", ","} & set(text) for text in seen.values))
    return column in ("customer", "offer") and (seen.is_currency or seen.is_phone)


def _name_customers(columns: dict[str, list[str]], evidence: Mapping[str, Evidence]) -> None:
    """Take first and last names together, and the e-mail address of those who have no name."""
    by_name = {plain(name): name for name in reversed(list(evidence))}
    first, last = (
        next((by_name[called] for called in names if called in by_name and evidence[by_name[called]].is_text), None)
        for names in (column_words.FIRST_NAMES, column_words.LAST_NAMES)
    )
    whole = columns.get("customer", [])
    if first and last and whole in ([], [first]):
        columns["customer"] = [f"{{{first}}} {{{last}}}"]
    if "email" in columns and columns["email"] != columns.get("customer"):
        columns["customer"] = [*columns.get("customer", []), *columns["email"]]


def _currency(evidence: Mapping[str, Evidence], columns: Mapping[str, str]) -> str:
    """Return the one currency that the names or signs of the amounts mean; else nothing."""
    sources = [columns[ours] for ours in _AMOUNTS if ours in columns]
    named = {code for name in sources if (code := column_words.currency(name))}
    texts = [text for name in sources for text in evidence[name].values]
    meant = [written.currencies for text in texts if (written := amounts.stripped(text))]
    signs = {next(iter(one)) for one in meant if len(one) == 1}
    unclear = any(len(one) > 1 for one in meant)
    found = named or (set() if unclear else signs)
    return found.pop() if len(found) == 1 else ""


# What the rows mean


def _with_refunds(proposal: Proposal) -> Proposal:
    """See whether rows have a price below zero."""
    below = any(map(is_below_zero, _values(proposal, proposal.amount)))
    return replace(proposal, refunds=False) if below else proposal


def is_below_zero(text: str) -> bool:
    """Return whether an amount is negative."""
    written = amounts.stripped(text)
    return written is not None and written.negative


def _with_items(proposal: Proposal) -> Proposal:
    """See whether rows with the same order number are its items: what they cost differs, or what they are."""
    price, number, amount = proposal.source("price"), proposal.source("order"), key(proposal.amount)
    sold = [row for row in proposal.sample.rows if not is_below_zero(row.get(amount, ""))]
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in sold if number else []:
        groups[row[key(number or "")]].append(row)
    several = [group for name, group in groups.items() if name and len(group) > 1]
    own = [name for ours in ("offer", "quantity", "unit_price", "price") if (name := proposal.source(ours))]
    if not several or not any(_differs(name, several) for name in own):
        return _without_unit_price(proposal)
    columns = dict(proposal.columns)
    total = price if price and not _differs(price, several) else proposal.total
    if total and total == price:
        columns.pop("price")
        own_price = next((name for name in proposal.either.get("price", []) if _differs(name, several)), None)
        if own_price and "unit_price" not in columns:
            columns["price"] = [own_price]
    if "price" in columns or "unit_price" not in columns:
        columns.pop("unit_price", None)
    for ours in ("paid", "refunded", "discount"):  # of the whole order, and the total is net of a discount
        if ours in columns and (ours == "discount" or _differs(columns[ours][0], several)):
            columns.pop(ours)
    either = {ours: names for ours, names in proposal.either.items() if ours != "price" or not (price or total)}
    return replace(proposal, columns=columns, has_items=True, total=total, either=either)


def _differs(name: str, groups: Sequence[Sequence[dict[str, str]]]) -> bool:
    """Return whether the rows of an order have different values in a column."""
    return any(len({row[key(name)] for row in group} - {""}) > 1 for group in groups)


def _without_unit_price(proposal: Proposal) -> Proposal:
    """Take the price of all alone: two that do not agree refuse a row."""
    if "price" not in proposal.columns:
        return proposal
    columns = {ours: names for ours, names in proposal.columns.items() if ours not in ("unit_price", "discount")}
    return replace(proposal, columns=columns)


def _with_statuses(proposal: Proposal) -> Proposal:
    """Take the statuses of the languages that the file's are in, so that a later file may have others of them."""
    if proposal.kind != ORDERS:
        return replace(proposal, statuses=column_words.STATUSES_OF_SUBSCRIPTIONS)
    seen = status_values(proposal)
    known: dict[str, str] = {}
    if not proposal.sample.rows:
        return replace(proposal, statuses=STATUSES["English"])
    left = {key(value) for value in seen}
    while left & (words := max(STATUSES.values(), key=lambda words: len(left & words.keys()))).keys():
        known = {**words, **known}
        left -= words.keys()
    return replace(proposal, statuses=known)


def status_values(proposal: Proposal) -> Counter[str]:
    """Return the values of the status column and how many rows have each."""
    source = proposal.source("status")
    return Counter(proposal.sample.values(source)) if source else Counter()


def _with_conventions(proposal: Proposal) -> Proposal:
    """Return a proposal with the decimal mark and the order of dates that its columns show."""
    sources = [name for ours in _AMOUNTS for name in proposal.columns.get(ours, ())] + [*filter(None, [proposal.total])]
    values = [text for name in sources for text in proposal.sample.values(name)]
    options = proposal.options
    shown = POINT if options.minor else _convention(values, amounts.fits, amounts.is_ambiguous)
    decimal = options.decimal or shown
    times = [text for ours in _TIMES for name in proposal.columns.get(ours, ()) for text in _values(proposal, name)]
    order = options.dates or _convention(times, dates.fits, dates.is_ambiguous)
    order = None if order == dates.SERIAL else order
    return replace(proposal, decimal={POINT: ".", COMMA: ","}.get(decimal or "", decimal), dates=order)


def ambiguous_date(proposal: Proposal) -> str:
    """Return a date that may be read in two ways."""
    sources = [name for ours in _TIMES for name in proposal.columns.get(ours, ())]
    return next((text for name in sources for text in _values(proposal, name) if dates.is_ambiguous(text)), "")


def ambiguous_amount(proposal: Proposal) -> str:
    """Return an amount that may be read in two ways."""
    sources = [*(name for ours in _AMOUNTS for name in proposal.columns.get(ours, ())), proposal.total or ""]
    return next((text for name in sources for text in _values(proposal, name) if amounts.is_ambiguous(text)), "")


def _values(proposal: Proposal, name: str) -> list[str]:
    return proposal.sample.values(name) if name in proposal.sample.header else []


def _convention(
    values: Sequence[str], fits: Callable[[str], frozenset[str]], is_ambiguous: Callable[[str], bool]
) -> str | None:
    """Return the one convention that values show, None if all read the same in each, else a blank."""
    distinct = list(dict.fromkeys(filter(None, values)))
    shown = {next(iter(found)) for text in distinct if len(found := fits(text)) == 1}
    if len(shown) == 1:
        return shown.pop()
    return "" if shown or any(map(is_ambiguous, distinct)) else None

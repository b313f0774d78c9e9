"""The text of a letter, from a template that the seller may edit.

event + template -> subject, body. A template is plain text with $words, its first line ``Subject: …``. An own template
in ``sales.db.letters/LANGUAGE/KIND.txt`` beside the database goes before the shipped one: there, cron's account finds
it too. An unknown $word stays as it is, so that a slip of the pen stops no letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.rules import money, text, time

SHIPPED = Path(__file__).parent / "templates"
LANGUAGES = ("en", "ru", "uk")
_SELLER, _DIGEST, _KINDS = "seller", "digest", "kinds"
_SHOWN_IN_DIGEST = 200  # events


class Letter(NamedTuple):
    """A plain-text letter."""

    subject: str
    body: str


def folder_of(database: str) -> Path:
    """Return the folder of a database's own templates, which need not exist."""
    return Path(f"{database}.letters")


def to_customer(event: Mapping[str, Any], language: str, folder: Path, zone: ZoneInfo) -> Letter:
    """Return the letter to the customer of an event: in their language if there is one in it, else in ``language``.

    Raise BadData for an own template that cannot be read.
    """
    own = event["language"]
    if own and any((place / own / f"{event['kind']}.txt").exists() for place in (folder, SHIPPED)):
        language = own
    return _filled(_template(event["kind"], language, folder), _words(event, language, folder, zone))


def to_seller(event: Mapping[str, Any], language: str, folder: Path, zone: ZoneInfo) -> Letter:
    """Return the letter to the seller of an event; lines of what it does not have are left out."""
    letter = _filled(_template(_SELLER, language, folder), _words(event, language, folder, zone))
    lines = (line for line in letter.body.splitlines(keepends=True) if not line.rstrip().endswith(":"))
    return letter._replace(body="".join(lines))


def digest(events: Sequence[Mapping[str, Any]], language: str, folder: Path, zone: ZoneInfo) -> Letter:
    """Return one letter about the events since the last one: their number by kind, then each in a line."""
    named = [_words(event, language, folder, zone) for event in events]
    counted = _counted(word["title"] for word in named)
    lines = [
        "  ".join(filter(None, (w["at"], w["title"], w["name"], w["offer"], f"{w['amount']} {w['currency']}".strip())))
        for w in named[:_SHOWN_IN_DIGEST]
    ]
    more = len(named) - len(lines)
    lines += [f"+ {more}"] if more else []
    words = {
        "number": str(len(named)), "counts": "\n".join(counted), "lines": "\n".join(lines),
        "day": time.local_text(events[-1]["at"], zone)[:10],
    }  # fmt: skip
    return _filled(_template(_DIGEST, language, folder), words)


def copy_shipped(folder: Path) -> list[Path]:
    """Copy the shipped templates that are not there yet, to be edited, and return the new files."""
    copied = []
    for source in sorted(SHIPPED.glob("*/*.txt")):
        own = folder / source.parent.name / source.name
        if not own.exists():
            own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            own.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
            copied.append(own)
    return copied


def _template(name: str, language: str, folder: Path) -> str:
    for place in (folder / language, SHIPPED / language):
        path = place / f"{name}.txt"
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise BadData(f"the template {path} cannot be read: {error}; mend it, or move it away") from None
    raise BadData(f"there is no template {name}.txt for {language}")


def _words(event: Mapping[str, Any], language: str, folder: Path, zone: ZoneInfo) -> dict[str, str]:
    shown = {key: "" if value is None else str(value) for key, value in event.items()}
    for key in ("at", "next_attempt_at"):
        shown[key] = "" if event[key] is None else time.local_text(event[key], zone)[:16]  # nobody needs seconds
    if event["amount"] is not None:
        shown["amount"] = money.text(event["amount"], event["currency"])
    known = language if language in LANGUAGES or (folder / language / f"{_KINDS}.txt").exists() else "en"
    pairs = (line.partition("=") for line in _template(_KINDS, known, folder).splitlines())
    titles = {kind.strip(): title.strip() for kind, _, title in pairs}
    shown["title"] = titles.get(event["kind"], event["kind"])
    noun = next((noun for noun in ("recurring", "order", "invoice") if event[noun] is not None), None)
    shown["command"] = f"salescli explain {noun} {event[noun]}" if noun in ("recurring", "order") else "salescli todo"
    return {key: text.masked(value) for key, value in shown.items()}


def _counted(titles: Iterable[str]) -> list[str]:
    counts: dict[str, int] = {}
    for title in titles:
        counts[title] = counts.get(title, 0) + 1
    return [f"{number:>5}  {title}" for title, number in counts.items()]


def _filled(template: str, words: Mapping[str, str]) -> Letter:
    """Return a template with its words filled in; what stands before the first empty line is the subject."""
    head, _, body = template.replace("\r\n", "\n").partition("\n\n")
    subject = " ".join(Template(head).safe_substitute(words).split()).removeprefix("Subject:").strip()
    return Letter(subject, Template(body).safe_substitute(words))

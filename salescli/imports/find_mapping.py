"""Mappings by their name, their file, or the header that they are recognised by.

``found``: NAME or FILE.toml;  ``recognised``: the user's own before those that are shipped
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from salescli.errors import BadData, NotFound
from salescli.imports import mapping_file
from salescli.imports.mapping import FOR, ORDERS, READ_BY, Mapping

SHIPPED = Path(__file__).with_name("mappings")
_SUFFIX = ".toml"


def own_folder() -> Path:
    """Return the folder of the user's own mappings."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "salescli" / "mappings"


def shipped() -> list[str]:
    """Return the names of the mappings that are shipped."""
    return sorted(path.stem for path in SHIPPED.glob(f"*{_SUFFIX}"))


def found(name: str, ours: Sequence[str], kind: str = ORDERS) -> Mapping:
    """Return the mapping of a file ending in .toml, else of a name.

    Raise NotFound, or BadData for a bad one and one that is for another import than ``kind``.
    """
    mapping = _read(Path(name) if name.endswith(_SUFFIX) else path_of(name), ours, kind)
    if mapping.kind != kind:
        raise BadData(f"the mapping {mapping.name} is for {FOR[mapping.kind]}: {READ_BY[mapping.kind]}")
    return mapping


def kind_of(name: str) -> str:
    """Return which import the mapping of this name is for."""
    return _read(path_of(name), (), "").kind


def path_of(name: str) -> Path:
    """Return the file of a mapping's name. Raise NotFound."""
    paths = {path.stem: path for path in _paths()}
    if name in paths:
        return paths[name]
    known = ", ".join(sorted(paths))
    raise NotFound(
        f"there is no mapping {name!r}; there are {known}; your own are in {own_folder()}, or name a .toml file"
    )


def check_name(name: str) -> None:
    """Raise BadData for what cannot be a mapping's name."""
    if not re.fullmatch(r"\w[\w-]{0,59}", name):
        file = "; to keep it elsewhere, use --propose > FILE.toml" if name.endswith(".toml") else ""
        raise BadData(
            f"{name!r} is no name for a mapping; write a name such as my-shop: letters, digits and hyphens, at most 60"
            f"{file}"
        )


def check_new(name: str) -> None:
    """Raise BadData for what cannot be a new mapping's name."""
    check_name(name)
    if name in (path.stem for path in _paths()):
        raise BadData(f"there is a mapping {name} already; choose another name, or remove it from {own_folder()}")


def save(name: str, text: str) -> Path:
    """Write a new mapping into the user's own folder and return its file. Raise BadData if it cannot be written."""
    path = own_folder() / f"{name}{_SUFFIX}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise BadData(f"cannot write {path}: {error.strerror or error}; nothing was imported") from None
    return path


def recognised(header: Sequence[str], ours: Sequence[str], kind: str = ORDERS) -> Mapping | None:
    """Return the mapping that a header belongs to: the one that knows most of it; None if there is none.

    Raise BadData if several are equally good, or if only those of another import than ``kind`` know it.
    """
    known = [one for one in every(ours, kind) if one.fits(header)]
    fitting = [one for one in known if one.kind == kind]
    if known and not fitting:
        other = known[0]
        raise BadData(f"this is a file of {FOR[other.kind]}, {other.title}: {READ_BY[other.kind]}")
    most = max((len(one.recognised_by) for one in fitting), default=0)
    best = [one for one in fitting if len(one.recognised_by) == most]
    if len(best) > 1:
        names = " and ".join(one.name for one in best)
        raise BadData(f"the mappings {names} both fit this header; choose one with --map NAME")
    return best[0] if best else None


def every(ours: Sequence[str], kind: str = ORDERS) -> list[Mapping]:
    """Return all mappings, the user's own before those that are shipped; of another ``kind``, how to recognise them."""
    return [_read(path, ours, kind) for path in _paths()]


def _paths() -> Iterator[Path]:
    """Yield the files of all mappings; the user's own take the place of shipped ones with their name."""
    own = sorted(own_folder().glob(f"*{_SUFFIX}"))
    names = {path.stem for path in own}
    yield from own
    yield from (path for path in sorted(SHIPPED.glob(f"*{_SUFFIX}")) if path.stem not in names)


def of_kind(ours: Sequence[str], kind: str) -> list[Mapping]:
    """Return all mappings for files of a kind, the user's own before those that are shipped."""
    return [one for path in _paths() if (one := _read(path, ours, kind)).kind == kind]


def _read(path: Path, ours: Sequence[str], kind: str) -> Mapping:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"cannot read {path}: {error}") from None
    return mapping_file.parsed(text, path.stem, ours, kind)

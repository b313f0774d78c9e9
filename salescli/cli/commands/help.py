"""``salescli help``: longer pages."""

from __future__ import annotations

from importlib import resources
from typing import Any

import click

from salescli.errors import NotFound


def _topics(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a page."""
    return [name for name in sorted(_pages()) if name.startswith(incomplete.lower())]


@click.command("help")
@click.argument("topic", required=False, shell_complete=_topics)
def help_topic(topic: str | None) -> None:
    """Show a longer page on a TOPIC; without one, list the pages.

    \b
    Example:
      salescli help charge-protocol
    """
    pages = _pages()
    if topic is None:
        for name, page in sorted(pages.items()):
            click.echo(f"{name:<20} {page.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}")
        return
    if topic not in pages:
        raise NotFound(f"there is no page {topic!r}; there are {', '.join(sorted(pages))}")
    click.echo_via_pager(pages[topic].read_text(encoding="utf-8").rstrip("\n"))


def _pages() -> dict[str, Any]:
    """Return the pages by name."""
    docs = resources.files("salescli").joinpath("docs").iterdir()
    return {page.name.removesuffix(".md"): page for page in docs if page.name.endswith(".md")}

"""``salescli hooks``: who is told what happens."""

from __future__ import annotations

import click

from salescli.cli import options, pages, results
from salescli.cli.groups import ListingGroup
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.render import render
from salescli.cli.output.terminal import print_line, say
from salescli.cli.paths import Outside
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.notices import hooks, letters
from salescli.rules import numbers, permissions


@click.group("hooks", cls=ListingGroup)
def hooks_group() -> None:
    """Say who is told what happens: the seller, customers, programs, webhooks. Without a command, list them.

    Nobody is told anything until a hook is added. tick tells them after each run; see `salescli help notices`.
    """


@hooks_group.command("list", cls=pages.ListCommand, columns=hooks.COLUMNS)
@options.output
@pass_session
def list_hooks(session: Session, output: Output) -> None:
    """List the hooks, and up to which event each was told. Of a webhook's URL only the server is shown.

    \b
    Example:
      salescli hooks list
    """
    rows = [hooks.row(hook) for hook in hooks.every(session.connection)]
    shown = sorted_rows(rows, output.sort, hooks.COLUMNS)[: output.row_limit()]
    render(shown, output.chosen(hooks.COLUMNS), output, session.zone)


@hooks_group.command("add", short_help="Add a hook.")
@click.argument("name")
@click.option("--program", type=Outside(), metavar="WORD", help="Run the program salescli-hook-WORD on PATH.")
@click.option("--webhook", metavar="URL", help="POST to URL, https://…")
@click.option("--email", metavar="TO", help="Write to an address, or to `customer`: whom the event is about.")
@click.option(
    "--via", type=Outside("sendmail"), metavar="SERVER",
    help="Send letters by smtp://USER@HOST:587, smtps://USER@HOST, or sendmail.  [default: sendmail]",
)  # fmt: skip
@click.option("--from", "mail_from", metavar="ADDRESS", help="The sender of letters.")
@click.option(
    "--secret", type=Outside(), metavar="VARIABLE",
    help="The environment variable SALESCLI_HOOK_… with the key that signs a webhook, or the mail password.",
)  # fmt: skip
@click.option("--env", type=Outside(), multiple=True, metavar="VARIABLE", help="Pass SALESCLI_HOOK_… to a program.")
@click.option("--events", metavar="KINDS", default="", help="Kinds of events, with commas; also all and problems.")
@click.option(
    "--language",
    type=click.Choice(letters.LANGUAGES),
    default="en",
    show_default=True,
    help="The language of the letters, where a customer has none.",
)
@click.option("--daily", is_flag=True, help="One letter each morning about everything since the last.")
@results.changes
@pass_session
def add_hook(  # noqa: PLR0913 - one parameter per option
    session: Session,
    name: str,
    program: str | None,
    webhook: str | None,
    email: str | None,
    via: str | None,
    mail_from: str | None,
    secret: str | None,
    env: tuple[str, ...],
    events: str,
    language: str,
    daily: bool,
    dry_run: bool,
) -> None:
    """Add a hook called NAME, which is told what happens from now on.

    A mailbox is told problems: the first decline of a payment, a failed recurring order, an unknown outcome, a dispute,
    a card that expires before its next payment, a tick that did not run. Programs and webhooks are told everything.
    Customers get a letter when a payment failed, with the next attempt's date, when their card expires, when a
    recurring order failed or is completed, and for each payment.

    \b
    Examples:
      salescli hooks add seller --email olena@example.com --from shop@example.com
      salescli hooks add digest --email olena@example.com \\
        --from shop@example.com --daily --language uk
      salescli hooks add customers --email customer \\
        --from shop@example.com --language uk
      salescli hooks add crm --webhook https://crm.example.com/in \\
        --secret SALESCLI_HOOK_CRM
    """
    session.work.actor.require(permissions.MANAGE_USERS)  # who may not look may not have it sent
    targets = {"program": program, "webhook": webhook, "email": email}
    chosen = [(sender, target) for sender, target in targets.items() if target is not None]
    if len(chosen) != 1:
        raise BadUsage("give one of --program, --webhook and --email")
    sender, target = chosen[0]
    if sender != "email" and (via or mail_from):
        raise BadUsage("--via and --from are for --email; leave them out")
    via = via or ("sendmail" if sender == "email" else None)
    new = hooks.NewHook(name, sender, target, via, mail_from, secret, " ".join(env), events, language, daily)
    with options.rehearsed(session, dry_run):
        hook = hooks.add(session.work, new)
    print_line(f"hook {hook.name}: {'would be' if dry_run else 'is'} told {hook.events}, from now on")
    results.tell("hooks", [hooks.row(hook)])


@hooks_group.command("edit", short_help="Change a hook, or turn it off or on.")
@click.argument("name")
@click.option("--active/--no-active", default=None, help="Tell it, or keep what happens for later.")
@click.option("--events", metavar="KINDS", help="Kinds of events, with commas; also all and problems.")
@click.option("--skip", is_flag=True, help="Never tell it what it was not told so far.")
@results.changes
@pass_session
def edit_hook(session: Session, name: str, active: bool | None, events: str | None, skip: bool, dry_run: bool) -> None:
    """Turn a hook off or on, change its events, or let it skip what waits. It is then tried at once.

    \b
    Examples:
      salescli hooks edit crm --no-active
      salescli hooks edit seller --events problems,sale.confirmed
    """
    with options.rehearsed(session, dry_run):
        hook = hooks.edit(session.work, name, active=active, events_=events, skip=skip)
    results.tell("hooks", [hooks.row(hook)])
    state = f"told {hook.events}" if hook.active else "off, and is told later what happens meanwhile"
    print_line(f"hook {hook.name}: {'would be' if dry_run else 'is'} {state}")


@hooks_group.command("remove")
@click.argument("name")
@results.changes
@pass_session
def remove_hook(session: Session, name: str, dry_run: bool) -> None:
    """Remove a hook. Added again, it is told what happens from then on.

    \b
    Example:
      salescli hooks remove crm
    """
    with options.rehearsed(session, dry_run):
        hooks.remove(session.work, name)
    print_line(f"hook {name}: {'would be ' if dry_run else ''}removed")
    results.tell("hooks", [], [name])


@hooks_group.command("templates")
@click.option("--copy", is_flag=True, help="Copy the shipped templates that are not there yet, to be edited.")
@pass_session
def templates(session: Session, copy: bool) -> None:
    """Show the folder of your own templates of letters.

    A template is plain text. Its first line is the subject, and $words are filled in; yours go before the shipped ones.

    \b
    Example:
      salescli hooks templates --copy
    """
    session.work.actor.require(permissions.MANAGE_USERS)  # who may not look may not have it sent
    folder = letters.folder_of(session.beside)
    if copy:
        say(f"copied {numbers.count(len(letters.copy_shipped(folder)), 'template')}")
    print_line(str(folder))

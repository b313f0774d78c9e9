"""``salescli completion``: let a shell complete commands, options, numbers and names."""

from __future__ import annotations

import os

import click

from salescli.cli import completing
from salescli.cli.output.terminal import say
from salescli.cli.session import Session, pass_session

# Shell -> the folder of its data or settings, the file below it, and how it is loaded.
_PLACES = {
    "bash": ("XDG_DATA_HOME", ".local/share", "bash-completion/completions/salescli"),
    "zsh": ("XDG_DATA_HOME", ".local/share", "zsh/site-functions/_salescli"),
    "fish": ("XDG_CONFIG_HOME", ".config", "fish/completions/salescli.fish"),
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_PLACES)))
@click.option("--install", is_flag=True, help="Write the script where SHELL looks for it, and say how it is loaded.")
@pass_session
def completion_command(session: Session, shell: str, install: bool) -> None:
    """Print the script with which SHELL completes commands, options, numbers and names.

    Numbers and names come from the database, which is only read; nothing is offered while it is busy.

    \b
    Examples:
      salescli completion bash --install
      eval "$(salescli completion bash)"
    """
    text = completing.script(shell, click.get_current_context().find_root().command)
    if not install:
        click.echo(text, nl=not text.endswith("\n"))
        return
    session.check_not_through_sudo("--install")
    path = _place(shell)
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    say(f"wrote {path}; {_loaded(shell, path)}")


def _place(shell: str) -> str:
    variable, below, name = _PLACES[shell]
    return os.path.join(os.environ.get(variable) or os.path.expanduser(f"~/{below}"), name)  # noqa: PTH111, PTH118


def _loaded(shell: str, path: str) -> str:
    if shell == "bash":
        return f"new shells load it if bash-completion is installed; else add to ~/.bashrc: source {path}"
    if shell == "zsh":
        folder = os.path.dirname(path)  # noqa: PTH120
        return f"add to ~/.zshrc, before compinit: fpath+=({folder})"
    return "new shells load it"

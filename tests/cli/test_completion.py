"""Tab completion, as bash asks for it: it offers what the program takes, and opens no database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from salescli.cli.index import PAYMENTS

_COMPLETE = """
eval "$(_SALESCLI_COMPLETE=bash_source salescli)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_salescli_completion salescli
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        pytest.param("salescli or", {"orders"}, id="a group"),
        pytest.param("salescli payments ", set(PAYMENTS), id="all commands of a group"),
        pytest.param("salescli orders p", {"pay"}, id="a command"),
        pytest.param("salescli customers ed", {"edit"}, id="a command of a group without an index"),
        pytest.param("salescli orders list --unc", {"--unconfirmed"}, id="an option"),
        pytest.param("salescli orders --unc", {"--unconfirmed"}, id="an option of the list that the bare name means"),
        pytest.param("salescli --color n", {"never"}, id="a choice"),
        pytest.param("salescli orders list --format nd", {"ndjson"}, id="a format"),
        pytest.param("salescli orders list --status de", {"declined"}, id="a status of orders"),
        pytest.param("salescli recurring list --status pa", {"paused"}, id="a status of recurring orders"),
        pytest.param("salescli reports by-offer --status Com", {"completed"}, id="a status in a report"),
        pytest.param("salescli orders --status completed --limit 3 --fr", {"--from"}, id="after other options"),
        pytest.param("salescli payments list --columns share", {"share", "share_total"}, id="a column"),
        pytest.param("salescli offers list --columns name,pr", {"name,price"}, id="a column after another"),
        pytest.param("salescli orders list --sort order,-pri", {"order,-price"}, id="a column to sort by, descending"),
        pytest.param("salescli reports by-offer --sort orders,-ne", {"orders,-net"}, id="a column of a report"),
        pytest.param("salescli reports --columns payment", {"payments"}, id="a column of all reports"),
        pytest.param("salescli history pay", {"payments", "payment-systems"}, id="a subject of the history"),
        pytest.param("salescli history order --columns rea", {"reason"}, id="a column of the history"),
        pytest.param("salescli help sev", {"several-people"}, id="a page of help"),
        pytest.param("salescli orders show ", {""}, id="nothing for a record"),
    ],
)
def test_bash_is_offered(typed: str, offered: set[str], tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "SALESCLI_DB": str(tmp_path / "none.db")}

    done = subprocess.run(
        ["bash", "-c", _COMPLETE, "bash", *typed.split(" ")], env=environment, capture_output=True, text=True
    )

    assert (set(done.stdout.split("\n")[:-1]), done.stderr) == (offered, "")
    assert list(tmp_path.iterdir()) == []

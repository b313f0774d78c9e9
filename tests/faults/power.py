"""Power loss: what a disk may hold when the power goes, from a recording of what a process told it to write.

strace a claim and its settling -> writes, syncs, names, acknowledgements in order -> ``states`` a disk may be in ->
open each -> ``lost``: how many acknowledged commits are not there
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from salescli.catalogue import actors
from salescli.charging import due_payments
from salescli.charging.due_payments import ChargingRun
from salescli.gateways.manual import Manual
from salescli.gateways.sandbox import Sandbox
from salescli.rules import time
from salescli.sales import recurring
from salescli.storage import database
from salescli.storage.work import Work
from tests.faults.world import ZONE, World

LOSE_NOTHING = (("delete", 3), ("wal", 2))  # journal_mode and synchronous; test_power shows it
_CALLS = "openat,write,pwrite64,fsync,fdatasync,ftruncate,unlink"
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) = (-?\d+)")
_HANDLE = re.compile(r"^\d+<(.*?)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Op:
    """Something told to the disk. ``inode``: which file is meant, since a name is given again to another one."""

    kind: str
    path: str
    inode: int = 0
    offset: int = 0
    data: bytes = b""

    @property
    def of_directory(self) -> bool:
        """Tell whether it changes names, which a sync of the directory makes durable."""
        return self.kind in ("create", "unlink")


@cache
def can_record() -> bool:
    """Tell whether strace is here and may trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def lost(pragmas: tuple[str, int] | None) -> tuple[int, int]:
    """Return in how many states of how many an acknowledged commit is lost; ``pragmas`` None: the program's own."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory).resolve() / "sales.db"
        _furnish(path)
        base = path.read_bytes()
        log = path.with_name("log")
        asked = [str(value) for value in pragmas or ()]
        watched = [path, *(path.with_name(f"{path.name}-{end}") for end in ("journal", "wal")), path.parent]
        paths = [word for each in (*watched, path.with_name(ACKNOWLEDGED)) for word in ("-P", str(each))]
        tracing = ["strace", "-f", "-qq", "-y", "-xx", "-s", "1000000", "-o", str(log), "-e", f"trace={_CALLS}"]
        line = [*tracing, *paths, sys.executable, "-m", "tests.faults.power", str(path), *asked]
        subprocess.run(line, check=True, capture_output=True)
        ops = _parsed(log.read_text(encoding="ascii"), str(path))
        broken = total = 0
        for files, acknowledged in states(ops, str(path), base):
            total += 1
            broken += not _holds(files, acknowledged)
        return broken, total


def states(ops: list[Op], path: str, base: bytes) -> Iterator[tuple[dict[str, bytes], list[str]]]:
    """Yield what the disk may hold at every moment between two syncs, with what was acknowledged by then.

    Of what no sync made durable, nothing may have arrived, all, the names only, the contents only, or a beginning.
    """
    seen = set()
    for moment in range(len(ops) + 1):
        past = ops[:moment]
        acknowledged = [op.data.decode() for op in past if op.kind == "ack"]
        pending = [i for i in range(moment) if ops[i].kind not in ("ack", "sync") and not _durable(ops, i, moment)]
        names = {i for i in pending if ops[i].of_directory}
        beginnings = [set(pending[:end]) for end in range(len(pending) + 1)]
        for arrived in (*beginnings, names, set(pending) - names):
            kept = tuple(
                op for i, op in enumerate(past) if op.kind not in ("ack", "sync") and (i not in pending or i in arrived)
            )
            state = (hash(kept), len(acknowledged))
            if state not in seen:
                seen.add(state)
                yield _replayed(kept, path, base), acknowledged


def _durable(ops: list[Op], i: int, moment: int) -> bool:
    """Tell whether a sync after an operation, and before the moment, made it durable."""
    op = ops[i]
    if op.of_directory:
        target = str(Path(op.path).parent)
        return any(later.kind == "sync" and later.path == target for later in ops[i + 1 : moment])
    return any(later.kind == "sync" and later.inode == op.inode for later in ops[i + 1 : moment])


def _replayed(kept: tuple[Op, ...], path: str, base: bytes) -> dict[str, bytes]:
    """Return the files by name after these operations on a disk that held the database."""
    names, contents = {path: 0}, {0: bytearray(base)}
    for op in kept:
        content = contents.setdefault(op.inode, bytearray())
        if op.kind == "create":
            names[op.path] = op.inode
        elif op.kind == "unlink":
            names.pop(op.path, None)
        elif op.kind == "truncate":
            del content[op.offset :]
            content.extend(bytes(op.offset - len(content)))
        else:
            content.extend(bytes(max(0, op.offset - len(content))))
            content[op.offset : op.offset + len(op.data)] = op.data
    return {Path(name).name: bytes(contents.get(inode, b"")) for name, inode in names.items()}


def _holds(files: dict[str, bytes], acknowledged: list[str]) -> bool:
    """Tell whether the file is sound after the power is back and holds every acknowledged commit."""
    with tempfile.TemporaryDirectory() as directory:
        for name, content in files.items():
            (Path(directory) / name).write_bytes(content)
        connection = sqlite3.connect(Path(directory) / "sales.db")
        try:
            if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                return False
            status: str = connection.execute("SELECT status FROM attempts ORDER BY id DESC LIMIT 1").fetchone()[0]
            return {"": True, "claimed": status in ("live", "succeeded"), "settled": status == "succeeded"}[
                acknowledged[-1] if acknowledged else ""
            ]
        except sqlite3.DatabaseError:
            return False
        finally:
            connection.close()


def _parsed(log: str, path: str) -> list[Op]:
    """Return the recorded calls that changed the disk, in order."""
    ops: list[Op] = []
    inodes = {path: 0}
    for line in log.splitlines():
        call = _CALL.match(line)
        if call is None or int(call[3]) < 0:
            continue
        name, asked = call[1], call[2]
        if name in ("openat", "unlink"):
            file = _unescaped(_TEXT.search(asked)[1]).decode()  # type: ignore[index]
            if name == "unlink":
                ops.append(Op("unlink", file, inodes.pop(file)))
            elif "O_CREAT" in asked and file not in inodes:
                inodes[file] = len(ops) + 1
                ops.append(Op("create", file, inodes[file]))
            continue
        handle = _HANDLE.match(asked)
        assert handle, line
        file = _unescaped(handle[1]).decode() if "\\x" in handle[1] else handle[1]
        if name in ("fsync", "fdatasync"):
            ops.append(Op("sync", file, inodes.get(file, -1)))
        elif file.endswith(ACKNOWLEDGED):
            ops.append(Op("ack", file, data=_unescaped(_TEXT.search(asked)[1])))  # type: ignore[index]
        elif name == "ftruncate":
            ops.append(Op("truncate", file, inodes[file], int(asked.rpartition(", ")[2])))
        elif name == "pwrite64":
            data = _unescaped(_TEXT.search(asked)[1])  # type: ignore[index]
            ops.append(Op("write", file, inodes[file], int(asked.rpartition(", ")[2]), data))
    return ops


def _unescaped(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _furnish(path: Path) -> None:
    """Make a file with a plan that is due tomorrow."""
    world = World(path.parent)
    world.subscribed("day", "tok_ok")
    world.close()


def _claim_and_settle(path: Path, pragmas: list[str]) -> None:
    """Claim the payment and settle it, and write an acknowledgement after each commit."""
    connection = database.connect(path)
    if pragmas:
        connection.execute(f"PRAGMA journal_mode = {pragmas[0]}")
        connection.execute(f"PRAGMA synchronous = {pragmas[1]}")
    now = time.from_stored(connection.execute("SELECT next_payment_at FROM recurring").fetchone()[0])
    sandbox = Sandbox(path.with_name("sales.db.sandbox"))
    actor = actors.acting(connection, "owner").as_system()
    this = ChargingRun(Work(connection, actor, now, ZONE), lambda system: Manual() if system.manual else sandbox)
    with path.with_name(ACKNOWLEDGED).open("wb", buffering=0) as acknowledged:
        with database.transaction(connection):
            [claimed] = due_payments.claim_all(this, recurring.due(connection, now))
        acknowledged.write(b"claimed")
        due_payments.settle_all(this, [(claimed, due_payments.answer_to(claimed))])
        acknowledged.write(b"settled")


if __name__ == "__main__":
    _claim_and_settle(Path(sys.argv[1]), sys.argv[2:])

"""Mutants by rule, not by hand: each operator, constant, condition, call and return of a room changed, one at a time.

source -> ``mutations`` -> sample -> a copy with one change -> the tests that run its line -> caught | survived

``scripts/faults --mutants charging rules --sample 100``. What survives and cannot matter is in equivalent_mutants.json.
"""

from __future__ import annotations

import ast
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from tests import PROJECT

ROOMS = {
    "charging": "charging/*.py",
    "sales": "sales/*.py",
    "totals": "storage/totals*.py",
    "rules": "rules/*.py",
    "gateways": "gateways/**/*.py",
}
TESTS = (
    "tests/charging", "tests/sales", "tests/rules", "tests/gateways", "tests/stories", "tests/storage/test_totals.py",
    "tests/overview", "tests/reports/test_true_totals.py", "tests/reconcile", "tests/catalogue",
    "tests/imports/test_recurring.py", "tests/imports/test_times.py", "tests/cli/test_main.py",
    "tests/cli/test_several_people.py", "tests/faults/test_mutants.py", "tests/faults/test_known_gaps.py",
    "tests/faults/test_restored.py", "tests/faults/test_locked.py", "tests/faults/test_many.py",
    "tests/faults/test_damaged.py",
)  # fmt: skip
SLOW = "not a_mistake_on_purpose and not a_damaged_file and not sixteen and not sigterm"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.json")
FIRST_SECONDS, MORE_SECONDS = 8, 90  # of tests, as long as they take without a change
BROKEN = 99  # the exit code of a run that could not begin; it caught nothing
PATIENCE_SECONDS, SLOWER = 30, 3  # how much longer tests may take with a change; one that never ends is noticed

SWAPPED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.And: ("and", "or"), ast.Or: ("or", "and"),
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"),
}  # fmt: skip
IN_SQL = ((" AND ", " OR "), ("<=", "<"), (">=", ">"), (" IS NULL", " IS NOT NULL"), (" IS NOT NULL", " IS NULL"))
SQL = re.compile(r"\b(SELECT|UPDATE|WHERE|DELETE|INSERT|AND)\b")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of one file: characters ``start`` to ``end`` become ``text``; ``lines`` are those of its statement."""

    file: str
    line: int
    lines: tuple[int, ...]
    start: int
    end: int
    text: str
    was: str
    became: str

    @property
    def room(self) -> str:
        """The room of its file."""
        return next(room for room, glob in ROOMS.items() if self.file.startswith(glob.partition("*")[0]))

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it although lines move."""
        return self.file, self.was, self.became

    def __str__(self) -> str:
        return f"salescli/{self.file}:{self.line}  {self.was}  →  {self.became}"


class _Finder(ast.NodeVisitor):
    """Collects the mutations of one file."""

    def __init__(self, file: str, source: str) -> None:
        self.file, self.source = file, source
        self.offsets = [0]
        for line in source.splitlines(keepends=True):
            self.offsets.append(self.offsets[-1] + len(line))
        self.found: list[Mutation] = []
        self.statement: ast.stmt | None = None
        self.in_function = False

    def at(self, line: int, column: int) -> int:
        """Return the place of a line and a column, which ast counts in bytes."""
        begin = self.offsets[line - 1]
        text = self.source[begin : self.offsets[line]]
        return begin + len(text.encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno or 0, node.end_col_offset or 0)

    def change(self, node: ast.expr | ast.stmt, start: int, end: int, text: str) -> None:
        """Note that a piece of a node becomes ``text``."""
        begin = self.source.rfind("\n", 0, start) + 1
        stop = self.source.find("\n", start)
        stop = len(self.source) if stop < 0 else stop
        was = self.source[begin:stop].strip()
        became = (self.source[begin:start] + text + self.source[end : max(stop, end)]).strip()
        holder = self.statement or node
        simple = isinstance(holder, (ast.If, ast.While, ast.For, ast.With, ast.Try, ast.FunctionDef, ast.ClassDef))
        last = node.end_lineno if simple else holder.end_lineno
        first = node.lineno if simple else holder.lineno
        lines = tuple(range(first, (last or first) + 1)) if self.in_function else ()
        line = self.source.count("\n", 0, start) + 1
        self.found.append(Mutation(self.file, line, lines, start, end, text, was, became.partition("\n")[0]))

    def between(self, left: ast.expr, right: ast.expr, operator: ast.AST) -> None:
        """Swap the operator that stands between two expressions."""
        if type(operator) not in SWAPPED:
            return
        old, new = SWAPPED[type(operator)]
        start, end = self.span(left)[1], self.span(right)[0]
        place = re.search(rf"(?<![\w<>=!]){re.escape(old)}(?![\w=<>])", self.source[start:end])
        if place:
            self.change(left, start + place.start(), start + place.end(), new)

    def visit(self, node: ast.AST) -> None:
        outer = self.statement
        if isinstance(node, ast.stmt):
            self.statement = node
        super().visit(node)
        self.statement = outer

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(default)
        outer, self.in_function = self.in_function, True
        for statement in node.body:
            self.visit(statement)
        self.in_function = outer

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass  # before Python 3.12 the places inside are not known

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            self.between(left, right, operator)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between(left, right, node.op)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        texts = (ast.JoinedStr, ast.List, ast.Tuple)
        if not any(isinstance(side, texts) or _is_text(side) for side in (node.left, node.right)):
            self.between(node.left, node.right, node.op)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.change(node, *self.span(node), f"({ast.unparse(node.operand)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        start, end = self.span(node)
        if isinstance(node.value, bool):
            self.change(node, start, end, str(not node.value))
        elif isinstance(node.value, int):
            self.change(node, start, end, str(node.value + 1))
        elif isinstance(node.value, str) and SQL.search(node.value):
            for old, new in IN_SQL:
                for place in re.finditer(re.escape(old), self.source[start:end]):
                    self.change(node, start + place.start(), start + place.end(), new)

    def _test(self, node: ast.If | ast.While | ast.IfExp) -> None:
        if not isinstance(node.test, (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.NamedExpr)):
            self.change(node.test, *self.span(node.test), f"(not {ast.unparse(node.test)})")
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self._test(node)

    visit_While = visit_IfExp = _test

    def _removed(self, node: ast.stmt) -> None:
        self.change(node, *self.span(node), "pass")
        self.generic_visit(node)

    visit_Raise = visit_Continue = visit_Break = visit_AugAssign = visit_Delete = _removed

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self._removed(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self.change(node, *self.span(node), "return None")
        self.generic_visit(node)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def mutations(rooms: list[str]) -> list[Mutation]:
    """Return every mutation of some rooms, in the order of their files."""
    found = []
    for room in rooms:
        for path in sorted((PROJECT / "salescli").glob(ROOMS[room])):
            file = path.relative_to(PROJECT / "salescli").as_posix()
            source = path.read_text(encoding="utf-8")
            finder = _Finder(file, source)
            finder.visit(ast.parse(source))
            found += finder.found
    return found


def equivalent() -> dict[tuple[str, str, str], str]:
    """Return the mutations that change nothing that matters, with the reason."""
    return {(one["file"], one["was"], one["became"]): one["why"] for one in json.loads(EQUIVALENT.read_text("utf-8"))}


@dataclass(slots=True)
class Reach:
    """Which tests run which lines."""

    seconds: dict[str, float] = field(default_factory=dict)
    by_line: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    by_file: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def measured(cls, folder: Path) -> Reach:
        """Run all tests once, and note which lines each runs; what is in ``folder`` already is taken as it is."""
        if not list(folder.glob("*.json")):
            line = [sys.executable, "-m", "pytest", "-q", "-n", str(os.cpu_count()), "-p", "no:cacheprovider"]
            environment = {**os.environ, "SALESCLI_REACH": str(folder)}
            line += ["-p", "tests.faults.reach", "-k", SLOW, *TESTS]
            subprocess.run(line, cwd=PROJECT, env=environment, capture_output=True)
        self = cls()
        for file in folder.glob("*.json"):
            for test, ran in json.loads(file.read_text(encoding="utf-8")).items():
                self.seconds[test] = ran["seconds"]
                for name, lines in ran["files"].items():
                    self.by_file[name].add(test)
                    for number in lines:
                        self.by_line[name, number].add(test)
        return self

    def tests_of(self, mutation: Mutation) -> list[str]:
        """Return the tests that run its statement, the quickest of each file first, then the next of each."""
        tests: set[str] = set()
        for number in mutation.lines:
            tests |= self.by_line.get((mutation.file, number), set())
        if not mutation.lines:  # it runs when the file is imported
            tests = self.by_file.get(mutation.file, set())
        by_file = defaultdict(list)
        for test in sorted(tests, key=lambda test: self.seconds[test]):
            by_file[test.partition("::")[0]].append(test)
        turns = max(map(len, by_file.values()), default=0)
        return [tests[turn] for turn in range(turns) for tests in by_file.values() if turn < len(tests)]

    def portions(self, mutation: Mutation) -> list[list[str]]:
        """Return the tests to try at first, and those to try on a survivor."""
        first: list[str] = []
        more: list[str] = []
        spent = 0.0
        for test in self.tests_of(mutation):
            spent += self.seconds[test]
            if spent <= FIRST_SECONDS or not first:
                first.append(test)
            elif spent <= MORE_SECONDS:
                more.append(test)
        return [portion for portion in (first, more) if portion]


class Bench:
    """A copy of the package and its tests, in which one mutation at a time is tried by a process forked from here."""

    def __init__(self, folder: Path, seconds: dict[str, float]) -> None:
        self.folder, self.seconds = folder, seconds
        ignored = shutil.ignore_patterns("__pycache__", "bench", "*.db.bak")
        for name in ("salescli", "tests"):
            shutil.copytree(PROJECT / name, folder / name, ignore=ignored)
        shutil.copyfile(PROJECT / "pyproject.toml", folder / "pyproject.toml")
        shutil.copyfile(PROJECT / "setup.cfg", folder / "setup.cfg")
        subprocess.run([sys.executable, "-m", "compileall", "-q", "."], cwd=folder, check=True)
        self.mutation: Mutation | None = None
        self.portions: list[list[str]] = []
        self.pid, self.deadline = 0, 0.0

    def begin(self, mutation: Mutation, portions: list[list[str]]) -> None:
        """Make a change and run the first tests on it."""
        self.mutation, self.portions = mutation, portions
        path = self.folder / "salescli" / mutation.file
        source = (PROJECT / "salescli" / mutation.file).read_text(encoding="utf-8")
        path.write_text(source[: mutation.start] + mutation.text + source[mutation.end :], encoding="utf-8")
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()
        self._run()

    def _run(self) -> None:
        tests = self.portions.pop(0)
        self.deadline = monotonic() + PATIENCE_SECONDS + SLOWER * sum(map(self.seconds.__getitem__, tests))
        self.pid = os.fork()
        if self.pid == 0:
            _play(self.folder, tests)

    def ended(self) -> bool | None:
        """Return whether the change was caught; None while the tests run."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            if monotonic() < self.deadline:
                return None
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            return True
        if status == 0 and self.portions:
            self._run()
            return None
        code = os.waitstatus_to_exitcode(status)
        if code in (BROKEN, *range(2, 6)) and not self._is_importable():
            return True
        return code == 1 or code < 0  # any other: the tests themselves could not be run, and caught nothing

    def _is_importable(self) -> bool:
        """Return whether the changed file can still be imported."""
        assert self.mutation is not None
        name = f"salescli.{self.mutation.file.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
        line = [sys.executable, "-c", f"import tests.conftest, {name}"]
        return subprocess.run(line, cwd=self.folder, capture_output=True).returncode == 0

    def restore(self) -> None:
        """Put the file back as it was."""
        assert self.mutation is not None
        path = self.folder / "salescli" / self.mutation.file
        shutil.copyfile(PROJECT / "salescli" / self.mutation.file, path)
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()
        self.mutation = None


def _play(folder: Path, tests: list[str]) -> None:
    """Run tests in a process of their own, which imports the changed package; never returns."""
    code = BROKEN
    try:
        os.setsid()
        os.chdir(folder)
        silent = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(silent, stream)
        os.environ["PYTHONPATH"] = str(folder)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "salescli")]:
            del sys.modules[name]
        sys.path[:] = [str(folder), *(path for path in sys.path if path not in ("", str(PROJECT)))]
        sys.dont_write_bytecode = True
        import pytest

        options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=no"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what is imported before the fork
        code = int(pytest.main([*options, f"--rootdir={folder}", *tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def tried(chosen: list[Mutation], reach: Reach) -> Iterator[tuple[Mutation, str]]:
    """Yield each mutation with what became of it: ``caught``, ``survived`` or ``no test``."""
    import hypothesis.stateful
    import pytest
    import sqlite_utils.migrations  # noqa: F401 - once, before the forks

    assert hypothesis.stateful
    assert pytest
    left = list(reversed(chosen))
    with tempfile.TemporaryDirectory() as directory:
        benches = [Bench(Path(directory, str(number)), reach.seconds) for number in range(os.cpu_count() or 1)]
        while left or any(bench.mutation for bench in benches):
            for bench in benches:
                if bench.mutation is None and left:
                    mutation = left.pop()
                    portions = reach.portions(mutation)
                    if portions:
                        bench.begin(mutation, portions)
                    else:
                        yield mutation, "no test"
                elif bench.mutation is not None and (caught := bench.ended()) is not None:
                    mutation = bench.mutation
                    bench.restore()
                    yield mutation, "caught" if caught else "survived"
            sleep(0.02)


def run(rooms: list[str], sample: int | None, seed: int, reach: Path | None = None) -> int:
    """Try a sample of the mutations of some rooms, print what became of them by room, and return the exit code."""
    every = mutations(rooms or list(ROOMS))
    chosen = every
    if sample is not None and sample < len(every):
        chosen = sorted(random.Random(seed).sample(every, sample), key=lambda one: (one.file, one.start))
    accepted = equivalent()
    became: dict[str, dict[str, list[Mutation]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as folder:
        measured = Reach.measured(reach or Path(folder))
        for mutation in [one for one in chosen if one.key in accepted]:
            became[mutation.room]["equivalent"].append(mutation)
        for mutation, what in tried([one for one in chosen if one.key not in accepted], measured):
            became[mutation.room][what].append(mutation)
            if what != "caught":
                print(f"{what}: {mutation}", flush=True)  # noqa: T201
    print(f"{len(chosen)} of {len(every)} mutations, seed {seed}")  # noqa: T201
    for room, by in became.items():
        caught, lost = len(by["caught"]), len(by["survived"]) + len(by["no test"])
        share = 100 * caught / (caught + lost) if caught + lost else 100.0
        same = len(by["equivalent"])
        print(f"{room}: {caught} caught, {lost} survived, {share:.1f} %; {same} equivalent, left out")  # noqa: T201
    return 1 if any(by["survived"] or by["no test"] for by in became.values()) else 0

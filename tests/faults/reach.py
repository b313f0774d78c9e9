"""A plugin of pytest: which test runs which lines of the package, so that a mutant is tried on those alone.

``python -m pytest -p tests.faults.reach …``, SALESCLI_REACH=FOLDER -> FOLDER/PID.json: test -> seconds, file -> lines
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

import pytest

from tests import PROJECT

PACKAGE = f"{PROJECT / 'salescli'}{os.sep}"

_reached: dict[str, dict[str, Any]] = {}
_failed: set[str] = set()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note every line of the package that runs in a test, its fixtures included, in any thread."""
    lines: dict[str, set[int]] = defaultdict(set)

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(PACKAGE):
            return None
        here = lines[name]
        here.add(frame.f_lineno)

        def trace_lines(frame: FrameType, event: str, _: Any) -> Any:
            here.add(frame.f_lineno)
            return trace_lines

        return trace_lines

    threading.settrace(trace)
    sys.settrace(trace)
    began = monotonic()
    yield
    sys.settrace(None)
    threading.settrace(None)
    files = {name.removeprefix(PACKAGE): sorted(numbers) for name, numbers in lines.items()}
    if item.nodeid not in _failed:  # it would seem to catch every change
        _reached[item.nodeid] = {"seconds": round(monotonic() - began, 2), "files": files}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that fails without any change."""
    if report.failed:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write what was noted in this process."""
    if _reached:
        Path(os.environ["SALESCLI_REACH"], f"{os.getpid()}.json").write_text(json.dumps(_reached), encoding="utf-8")

"""Files and pipes whose bytes are read."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from salescli.errors import BadData, NotFound
from salescli.imports.reading import files


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no file .*gone\.csv"), files.opened(tmp_path / "gone.csv"):
        pass


def test_a_directory_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="cannot read"), files.opened(tmp_path):
        pass


def test_a_stream_is_read_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"name\nAnn\n")
    for file in (tmp_path / "a.csv", io.BytesIO(b"name\nAnn\n")):
        with files.opened(file) as stream:
            assert stream.read() == b"name\nAnn\n"


def test_a_named_pipe_is_read_to_its_end_first(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"name\nAnn\n",))
    writer.start()
    with files.opened(pipe) as stream:
        writer.join()
        assert stream.seekable()
        assert stream.read() == b"name\nAnn\n"

"""Nobody else's link leads a file of ours astray: in a folder like /tmp anybody may put one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import House
from tests.importing import as_csv
from tests.terminal import Ran, Run

OTHER = 65_534
BAD = as_csv(("name", "price"), {"name": "Course"}, [{"price": "?"}])
WORDS = (
    "orders list --csv -o {}",
    "orders list --xlsx {}",
    "history -o {}",
    "reports details --xlsx {}",
    "customers show 1 --json -o {}",
    "offers import bad.csv --skip-bad --rejects {}",
    "simulate --until +1d --keep {}",
    pytest.param("backup {}", marks=pytest.mark.of_files("a backup is one")),
    "init {} --currency EUR --time-zone UTC",
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another user")


@pytest.fixture
def sticky() -> Iterator[Path]:
    """Return a folder in which everybody may write, as /tmp is."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def own(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of the caller that another user wants replaced."""
    house.customer("Олена")
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_bytes(BAD)
    Path("own").mkdir()
    own = tmp_path / "own" / "precious"
    own.write_text("line,reason,\n")  # also a rejects file may not be reached so
    return own


def written(house: House, words: str, place: Path) -> Ran:
    """Run a command that writes to a place; `init` makes its database there."""
    if words.startswith("init"):
        return Run(place)(*words.replace("{} ", "").split())
    return house.run(*words.format(place).split())


def linked_by_another(target: Path, link: Path) -> None:
    subprocess.run(["ln", "-s", str(target), str(link)], check=True, user=OTHER, group=OTHER)


@needs_root
@pytest.mark.parametrize("words", WORDS)
def test_no_file_is_written_through_a_link_of_another_user(words: str, house: House, own: Path, sticky: Path) -> None:
    linked_by_another(own, sticky / "out")
    ran = written(house, words, sticky / "out")
    assert ran.code in (4, 7), ran
    assert own.read_text() == "line,reason,\n"
    assert (sticky / "out").is_symlink()
    assert sorted(each.name for each in own.parent.iterdir()) == ["precious"]
    assert [each.name for each in sticky.iterdir()] == ["out"]
    if ran.code == 4:
        assert f"{sticky}/out was not written: it is a link of nobody; name another file" in ran.err


@needs_root
@pytest.mark.parametrize("words", WORDS)
def test_nor_through_a_link_to_a_folder(words: str, house: House, own: Path, sticky: Path) -> None:
    linked_by_another(own.parent, sticky / "folder")
    ran = written(house, words, sticky / "folder" / "new")
    assert ran.code == 4, ran
    assert f"{sticky}/folder is a link of nobody" in ran.err or "it is a link of nobody" in ran.err
    assert sorted(each.name for each in own.parent.iterdir()) == ["precious"]


@needs_root
@pytest.mark.parametrize("words", WORDS)
def test_nothing_is_written_to_a_pipe_that_another_user_reads(
    words: str, house: House, own: Path, sticky: Path
) -> None:
    subprocess.run(["mkfifo", "-m", "666", str(sticky / "out")], check=True, user=OTHER, group=OTHER)
    reader = os.open(sticky / "out", os.O_RDONLY | os.O_NONBLOCK)
    try:
        ran = written(house, words, sticky / "out")
        assert ran.code in (2, 4, 7), ran
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)
    if ran.code == 4:
        assert f"{sticky}/out was not written: it is a pipe of nobody; name another file" in ran.err


@needs_root
@pytest.mark.of_files("a backup is one")
def test_a_backup_goes_into_no_folder_that_another_user_linked(house: House, own: Path, sticky: Path) -> None:
    linked_by_another(own.parent, sticky / "backups")
    ran = house.run("backup", sticky / "backups", "--keep", "1")
    assert (ran.code, sorted(each.name for each in own.parent.iterdir())) == (4, ["precious"])


@pytest.mark.parametrize("words", [words for words in WORDS if "-o" in words or "--xlsx" in words])
def test_a_link_of_ours_is_followed_and_stays(words: str, house: House, own: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("own/../own/precious")
    assert house.run(*words.format(tmp_path / "out").split()).code == 0
    assert (tmp_path / "out").is_symlink()
    assert own.stat().st_mode & 0o777 == 0o600
    assert own.read_bytes() != b"line,reason,\n"


def test_links_in_a_circle_are_an_error_in_words(house: House, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    ran = house.run("orders", "list", "-o", tmp_path / "a")
    assert (ran.code, ran.out) == (1, "")
    assert "Too many levels of symbolic links" in ran.err

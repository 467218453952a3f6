"""Durable files are complete or absent, and reading never hangs or follows links."""

import os
from pathlib import Path

import pytest

from orchestrator.rundir.durable import (
    LARGEST_RECORD,
    NotRegularError,
    make_folder,
    open_below,
    read_file,
    read_head,
    read_lines,
    read_tail,
    write_file,
)


def test_written_file_replaces_the_old_one(tmp_path: Path) -> None:
    """The new content is there, and nothing besides it."""
    path = tmp_path / "status.json"
    write_file(path, b"old")
    write_file(path, b"new")
    assert read_file(path) == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]


def test_failed_write_leaves_the_old_content_and_no_temporary_file(tmp_path: Path) -> None:
    """A write that cannot be finished changes nothing."""
    path = tmp_path / "status.json"
    path.mkdir()  # a file cannot be renamed over a folder
    (path / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        write_file(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]


def test_what_a_killed_writer_left_is_replaced(tmp_path: Path) -> None:
    """A temporary file of a dead process does not stand in the way."""
    (tmp_path / ".status.json.new").write_bytes(b"half")
    write_file(tmp_path / "status.json", b"whole")
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]


def test_pipe_link_folder_and_giant_are_refused_at_once(tmp_path: Path) -> None:
    """Anything but a small regular file raises instead of blocking or being followed."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(__file__)
    (tmp_path / "folder").mkdir()
    with (tmp_path / "giant").open("wb") as file:
        file.truncate(LARGEST_RECORD + 1)
    for name in ("pipe", "giant", "folder"):
        with pytest.raises((NotRegularError, IsADirectoryError)):
            read_file(tmp_path / name)
    for name in ("pipe", "folder"):
        with pytest.raises(NotRegularError):
            read_tail(tmp_path / name, 100)
    for read in (read_file, lambda path: read_tail(path, 100)):
        with pytest.raises(OSError, match="symbolic links"):
            read(tmp_path / "link")


@pytest.mark.parametrize("largest", [100, LARGEST_RECORD])
@pytest.mark.parametrize("size", [0, 1, 100, 101, 8191, 8192, 8193, 16_384, 100_000])
def test_file_is_read_whole_or_refused_for_its_size(
    tmp_path: Path, size: int, largest: int
) -> None:
    """However many reads it takes."""
    content = bytes(at % 251 for at in range(size))
    (tmp_path / "file").write_bytes(content)
    if size > largest:
        with pytest.raises(NotRegularError, match=f"it has {size} bytes"):
            read_file(tmp_path / "file", largest=largest)
    else:
        assert read_file(tmp_path / "file", largest=largest) == content


def test_pipe_is_refused_also_while_a_writer_fills_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(descriptor, b'{"state": "done"}')
    with pytest.raises(NotRegularError, match="it is not a regular file"):
        read_file(tmp_path / "pipe")
    os.close(descriptor)


def places(tmp_path: Path) -> dict[str, Path]:
    """Return a folder below which nothing is what it should be, and the file outside of it."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    (outside / "logs").mkdir(parents=True)
    (outside / "logs/file").write_bytes(b"precious")
    (root / "link").symlink_to(outside / "logs/file")
    (root / "logs").symlink_to(outside / "logs")
    (root / "dangling").symlink_to(outside / "made")
    (root / "file").write_bytes(b"")
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    return {"root": root, "outside": outside}


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize(
    "name", ["link", "logs/file", "logs/made", "dangling", "pipe", "folder", "file/made"]
)
def test_nothing_below_a_folder_is_followed_or_waited_for(
    tmp_path: Path, name: str, *, append: bool
) -> None:
    """Not in the last part of a path, and not in the ones before."""
    found = places(tmp_path)
    with pytest.raises(OSError, match=r"not a|links|No such device|Is a directory"):
        open_below(found["root"], name, append=append)
    assert [path.name for path in found["outside"].rglob("*")] == ["logs", "file"]
    assert (found["outside"] / "logs/file").read_bytes() == b"precious"


def test_file_below_a_folder_is_made_with_its_folders(tmp_path: Path) -> None:
    """And continued the next time, when it is opened to be written."""
    for _ in range(2):
        descriptor, _ = open_below(tmp_path, "tracking/log", append=True)
        os.write(descriptor, b"line\n")
        os.close(descriptor)
    descriptor, found = open_below(tmp_path, "tracking/log")
    os.close(descriptor)
    assert found.st_size == 10


def test_folder_that_is_a_link_is_not_taken_for_one(tmp_path: Path) -> None:
    """A missing one is made, one that is there is left as it is."""
    make_folder(tmp_path / "made")
    make_folder(tmp_path / "made")
    (tmp_path / "link").symlink_to("made")
    with pytest.raises(NotRegularError, match="not a folder"):
        make_folder(tmp_path / "link")


def test_tail_of_a_file_is_whole_lines(tmp_path: Path) -> None:
    """However long the file is."""
    path = tmp_path / "metrics"
    path.write_bytes(b"one\ntwo\nthree\n")
    assert read_tail(path, 100) == b"one\ntwo\nthree\n"
    assert read_tail(path, 8) == b"three\n"
    assert read_head(path, 100) == b"one\ntwo\nthree\n"
    assert read_head(path, 3) == b"one"


def test_lines_of_a_file_of_any_size_are_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line once and whole, the last one too; a line without an end is not kept in memory."""
    monkeypatch.setattr("orchestrator.rundir.durable.LARGEST_RECORD", 8)
    path = tmp_path / "metrics"
    for lines in ([b"one", b"two", b"three", b"4"], [b"x" * 7] * 5, [b""], [b"a", b"", b"b"]):
        path.write_bytes(b"\n".join(lines))
        read = b"\n".join(read_lines(path)).split(b"\n")
        assert read == lines
    path.write_bytes(b"one\n" + b"x" * 100 + b"\ntwo\n" + b"y" * 100)
    assert b"\n".join(read_lines(path)).split() == [b"one", b"two"]

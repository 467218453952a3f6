"""Files are replaced whole or not at all, and nothing that is not ours is written through."""

import errno
import fcntl
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.durable_files import (
    DIRECT,
    PAGE,
    NewFile,
    append_durably,
    is_there,
    make_folder,
    read_plain,
    replace_file,
    sync_folder,
    write_all,
)
from trainer.errors import ConfigError


@pytest.mark.parametrize("durable", [False, True])
def test_file_is_replaced_whole(tmp_path: Path, *, durable: bool) -> None:
    path = tmp_path / "results.json"
    for content in (b"first", b"second"):
        replace_file(path, content, durable=durable)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["results.json"]  # noqa: PTH208


def test_error_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*results\.json"):
        replace_file(path, b"new", durable=True)
    with pytest.raises(OSError, match=r"No space left on device: '.*results\.json'"):
        append_durably(path, b"")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["results.json"]  # noqa: PTH208


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 1 << 17), max_size=6))
def test_pieces_of_any_size_are_gathered_and_checksummed(tmp_path: Path, sizes: list[int]) -> None:
    path, whole = tmp_path / "file", b"".join(bytes([n]) * size for n, size in enumerate(sizes))
    with NewFile(tmp_path / "file.tmp") as file:
        for number, size in enumerate(sizes):
            file.write(bytes([number]) * size)
        assert file.checksum == zlib.crc32(whole)
        file.become(path, durable=False)
    assert path.read_bytes() == whole


def test_file_of_a_killed_process_is_not_reused(tmp_path: Path) -> None:
    """A failed sync may have marked its pages as clean."""
    (tmp_path / "a.tmp").write_bytes(b"half")
    before = (tmp_path / "a.tmp").stat().st_ino
    with (tmp_path / "a.tmp").open("rb"), NewFile(tmp_path / "a.tmp") as file:
        assert (tmp_path / "a.tmp").stat().st_ino != before
        file.become(tmp_path / "a", durable=False)


def test_folder_in_place_of_a_file_is_put_aside(tmp_path: Path) -> None:
    """With what the user has in it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/precious").touch()
    replace_file(tmp_path / "a", b"content", durable=False)
    assert (tmp_path / "a").read_bytes() == b"content"
    assert (tmp_path / "a.in-the-way-1/precious").exists()


def test_folder_may_exist_already(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "checkpoints")
    assert (tmp_path / "checkpoints").is_dir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.symlink_to("elsewhere"), "links are not followed. Remove it"),
        (Path.touch, "it is not a folder. Move it away"),
    ],
)
def test_anything_else_in_place_of_a_folder_is_refused(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "checkpoints")
    with pytest.raises(ConfigError, match=message):
        make_folder(tmp_path / "checkpoints")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("elsewhere")])
def test_only_a_regular_file_counts(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "file"
    assert not is_there(path)
    make(path)
    with pytest.raises(OSError, match="it is not a regular file"):
        is_there(path)


def test_appending_keeps_what_is_there_and_follows_no_link(tmp_path: Path) -> None:
    for content in (b"a\n", b"b\n"):
        append_durably(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == b"a\nb\n"
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        append_durably(tmp_path / "link", b"c\n")
    sync_folder(tmp_path)


def test_partial_writes_are_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    def write_two(_descriptor: int, content: memoryview) -> int:
        written.append(bytes(content[:2]))
        return len(written[-1])

    monkeypatch.setattr(os, "write", write_two)
    write_all(0, b"12345")
    assert written == [b"12", b"34", b"5"]


@pytest.mark.parametrize(
    ("answers", "begins"),
    [
        ([], 0),
        ([errno.EINVAL], 0),
        ([errno.EOPNOTSUPP], 0),
        ([errno.EFAULT], 0),
        ([PAGE], 0),
        ([PAGE - 1], 0),
        ([], 5),
    ],
)
def test_large_piece_is_written_whole_however_the_file_system_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[int], begins: int
) -> None:
    """Directly, partly, or not: `answers` are what direct writes return, or the errors that they raise."""
    content = bytes(range(251)) * (DIRECT // 251 + 20)
    left, is_direct, write = [*answers], [], os.write

    def answered(descriptor: int, content: memoryview) -> int:
        is_direct.append(bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT))
        if not (is_direct[-1] and left):
            return write(descriptor, content)
        answer = left.pop()
        if answer < PAGE - 1:
            raise OSError(answer, os.strerror(answer))
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_DIRECT)
        return write(descriptor, content[:answer])

    monkeypatch.setattr(os, "write", answered)
    with NewFile(tmp_path / "new") as file:
        file.write(bytes(begins))
        file.write_summed_later(content)
        file.add_to_checksum(lambda _: 1)
        file.write(b"end")
        file.become(tmp_path / "file", durable=False)
    assert (tmp_path / "file").read_bytes() == bytes(begins) + content + b"end"
    assert any(is_direct) is (begins == 0)
    assert not is_direct[-1]


def test_error_of_a_direct_write_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, content: memoryview) -> int:
        if len(content) >= DIRECT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(content)

    monkeypatch.setattr(os, "write", full)
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*new'"),
        NewFile(tmp_path / "new") as file,
    ):
        file.write_summed_later(bytes(DIRECT))
    assert not [*tmp_path.iterdir()]


def test_end_of_a_regular_file_is_read_and_nothing_else(tmp_path: Path) -> None:
    """A pipe would wait for a writer for ever."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert (read_plain(path), read_plain(path, 2)) == (b"12345", b"45")
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "missing"):
        with pytest.raises(OSError):  # noqa: PT011 # of any number
            read_plain(tmp_path / name)

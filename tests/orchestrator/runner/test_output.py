"""A log keeps the beginning and the end of the output, however much there is."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runner.output import CappedLog, Pipe, up_to


def log_of(folder: Path, *pieces: bytes, head: int = 10, tail: int = 20) -> bytes:
    path = folder / "logs/attempt-001.log"
    path.unlink(missing_ok=True)
    with CappedLog(path, head=head, tail=tail) as log:
        for piece in pieces:
            log.add(piece)
    return path.read_bytes()


@given(pieces=st.lists(st.binary(max_size=30), max_size=12))
def test_beginning_and_end_are_kept_and_the_rest_is_counted(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    """What fits is there as it was; what does not fit is a number in the middle."""
    folder = tmp_path_factory.mktemp("kept")
    whole = b"".join(pieces)
    found = log_of(folder, *pieces)
    if len(whole) <= 30:
        assert found == whole
    else:
        notice = f"\n... {len(whole) - 30:,} bytes were left out here:".encode()
        assert found.startswith(whole[:10] + notice)
        assert found.endswith(whole[-20:])


def test_one_endless_line_of_a_gigabyte_is_a_small_file(tmp_path: Path) -> None:
    """Neither the file nor the memory grows with the output."""
    found = log_of(tmp_path, *[b"x" * (1 << 20)] * 200, head=1 << 20, tail=1 << 20)
    assert len(found) < 2.001 * (1 << 20)


def test_log_that_is_there_is_continued(tmp_path: Path) -> None:
    """An attempt that left no record, but output, keeps it."""
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs/attempt-001.log"
    path.write_bytes(b"before\n")
    with CappedLog(path) as log:
        log.add(b"after\n")
    assert path.read_bytes() == b"before\nafter\n"


def test_disk_that_takes_no_log_costs_only_the_log(tmp_path: Path) -> None:
    """The end of the output is known nevertheless."""
    (tmp_path / "logs").write_text("a file where the folder should be")
    with CappedLog(tmp_path / "logs/attempt-001.log") as log:
        log.add(b"ValueError: lr\n")
    assert log.tail_text == "ValueError: lr\n"


def test_link_in_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    """Its target stays as it is."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "logs/attempt-001.log").symlink_to(tmp_path / "victim")
    with CappedLog(tmp_path / "logs/attempt-001.log") as log:
        log.add(b"output\n")
    assert (tmp_path / "victim").read_text() == "precious"


def test_pipe_tells_nothing_now_from_nothing_ever() -> None:
    """The reader can go on as long as somebody may write."""
    pipe = Pipe()
    assert pipe.read() is None
    os.write(pipe.writing, b"hello")
    assert pipe.read() == b"hello"
    pipe.close_writing()
    assert pipe.read() == b""
    pipe.close_reading()


@pytest.mark.parametrize(
    ("error", "output", "expected"),
    [
        ("", "a\nb\n", "a\nb\n"),
        ("b\n", "a\nb\nc\n", "a\nb\n"),
        ("b\n", "c\n", "b\n"),  # the output has lost it
    ],
)
def test_output_counts_up_to_the_error(error: str, output: str, expected: str) -> None:
    assert up_to(error, output) == expected

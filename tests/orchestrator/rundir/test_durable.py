"""Durable files are complete or absent, and reading never hangs or follows links."""

import os
import threading
from pathlib import Path

import pytest

from orchestrator.rundir.durable import (
    LARGEST_RECORD,
    NotRegularError,
    exclusive,
    read_file,
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
    """What is no small plain file raises instead of blocking or being followed."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(__file__)
    (tmp_path / "folder").mkdir()
    with (tmp_path / "giant").open("wb") as file:
        file.truncate(LARGEST_RECORD + 1)
    for name in ("pipe", "giant", "folder"):
        with pytest.raises((NotRegularError, IsADirectoryError)):
            read_file(tmp_path / name)
    with pytest.raises(OSError, match="symbolic links"):
        read_file(tmp_path / "link")


def test_exclusive_keeps_others_out_until_it_is_left(tmp_path: Path) -> None:
    """A second one gets the folder only after the first has left it."""
    order = []

    def enter() -> None:
        with exclusive(tmp_path):
            order.append("second")

    second = threading.Thread(target=enter)
    with exclusive(tmp_path):
        second.start()
        order.append("first")
    second.join()
    assert order == ["first", "second"]

"""The status of the last attempt is in one file, and those of the attempts before it in another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.rundir import durable
from orchestrator.rundir.state import Failure, Record, Status, Unreadable
from orchestrator.rundir.status_file import read_earlier, read_status, write_status

if TYPE_CHECKING:
    from pathlib import Path

FIRST = Status(Record.RUNNING, 1, "2026-01-01T00:00:00.000+00:00", "box", 1)
ENDED = replace(FIRST, record=Record.FAILED, ended_at="then", failure=Failure("error", "Ü"))


def attempts(folder: Path) -> int:
    found = folder / "attempts.jsonl"
    return len(found.read_bytes().splitlines()) if found.exists() else 0


def test_single_attempt_needs_one_file(tmp_path: Path) -> None:
    for status in (FIRST, ENDED):
        write_status(tmp_path, status, named=True)
        assert read_status(f"{tmp_path}") == status
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
    assert read_earlier(tmp_path) == {}


def test_later_attempt_keeps_how_the_ones_before_it_stood(tmp_path: Path) -> None:
    """One that was killed has not recorded its end."""
    for status in (FIRST, replace(ENDED, attempt=2), replace(FIRST, attempt=3)):
        write_status(tmp_path, status, named=True)
    assert read_earlier(tmp_path) == {1: FIRST, 2: replace(ENDED, attempt=2)}
    assert read_status(f"{tmp_path}") == replace(FIRST, attempt=3)
    assert attempts(tmp_path) == 2


def test_attempt_that_was_kept_twice_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process was killed before it has replaced the status."""
    write_status(tmp_path, ENDED, named=True)

    def die(*_: object, **__: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write_file", die)
        with pytest.raises(InterruptedError):
            write_status(tmp_path, replace(FIRST, attempt=2), named=True)
    assert read_status(f"{tmp_path}") == ENDED
    write_status(tmp_path, replace(FIRST, attempt=2), named=True)
    assert attempts(tmp_path) == 2
    assert read_earlier(tmp_path) == {1: ENDED}


def test_lines_that_are_no_status_are_ignored(tmp_path: Path) -> None:
    write_status(tmp_path, FIRST, named=True)
    with (tmp_path / "attempts.jsonl").open("wb") as file:
        file.write(b'\0\0\n[1]\n{"state": "run\n')
    write_status(tmp_path, replace(FIRST, attempt=2), named=True)
    assert read_earlier(tmp_path) == {1: FIRST}


def test_torn_line_costs_no_other_attempt(tmp_path: Path) -> None:
    write_status(tmp_path, FIRST, named=True)
    write_status(tmp_path, replace(FIRST, attempt=2), named=True)
    found = tmp_path / "attempts.jsonl"
    found.write_bytes(found.read_bytes()[:-5])
    write_status(tmp_path, replace(FIRST, attempt=3), named=True)
    assert read_earlier(tmp_path) == {2: replace(FIRST, attempt=2)}


def test_what_cannot_be_kept_keeps_no_attempt_from_its_start(tmp_path: Path) -> None:
    write_status(tmp_path, FIRST, named=True)
    (tmp_path / "attempts.jsonl").mkdir()
    write_status(tmp_path, replace(FIRST, attempt=2), named=True)
    assert read_status(f"{tmp_path}") == replace(FIRST, attempt=2)
    assert read_earlier(tmp_path) == {}


def test_unreadable_status_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{")
    assert isinstance(read_status(f"{tmp_path}"), Unreadable)
    write_status(tmp_path, FIRST, named=True)
    assert read_status(f"{tmp_path}") == FIRST
    (aside,) = tmp_path.glob("status.json.unreadable-*")
    assert aside.read_text() == "{"

"""The record of the code of each attempt: what is written is read, and nothing else is believed."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.rundir import code_record

TOLD: dict[str, Any] = {
    "program": ["python", "train.py", "{lr}"],
    "command": ["python", "train.py", "0.1"],
    "directory": "/project",
    "commit": None,
    "dirty": None,
    "files": {"train.py": "aa"},
}


def begin(run_dir: Path, attempt: int, **changed: Any) -> None:
    code_record.begin(run_dir, attempt, json.dumps(TOLD | changed), {})


def test_each_attempt_has_its_record(tmp_path: Path) -> None:
    """With what its program has imported, of which an earlier digest counts."""
    begin(tmp_path, 1)
    code_record.add_files(tmp_path, 1, {"model.py": "bb", "train.py": "later", "edited.py": None})
    begin(tmp_path, 2, files={"train.py": "cc"})
    first, second = code_record.read(tmp_path)
    assert first["files"] == {"train.py": "aa", "model.py": "bb", "edited.py": None}
    assert (second["attempt"], second["files"]) == (2, {"train.py": "cc"})
    assert second["command"] == TOLD["command"]


@pytest.mark.parametrize(
    ("commit", "dirty", "told"),
    [
        (None, None, ""),
        ("abc", False, "abc"),
        ("abc", True, "abc, modified"),
        ("abc", None, "abc, perhaps modified"),
    ],
)
def test_commit_is_told_with_its_changes(commit: str | None, dirty: object, told: str) -> None:
    assert code_record.commit_of(TOLD | {"commit": commit, "dirty": dirty}) == told


def test_attempt_that_begins_again_replaces_its_record(tmp_path: Path) -> None:
    """Its runner was killed before the program started."""
    begin(tmp_path, 1, files={"train.py": "aa"})
    begin(tmp_path, 1, files={"train.py": "bb"})
    assert [each["files"] for each in code_record.read(tmp_path)] == [{"train.py": "bb"}]


def test_files_are_added_to_the_last_attempt_only(tmp_path: Path) -> None:
    """A process of an earlier attempt, which lives on, changes nothing."""
    begin(tmp_path, 2)
    code_record.add_files(tmp_path, 1, {"model.py": "bb"})
    assert code_record.read(tmp_path)[0]["files"] == TOLD["files"]


def test_same_code_has_the_same_digest_whatever_the_point(tmp_path: Path) -> None:
    """The values of the axes, the folder and the number of attempts do not count."""
    one, other, changed = (tmp_path / name for name in ("one", "other", "changed"))
    for folder in (one, other, changed):
        folder.mkdir()
        begin(folder, 1)
    begin(other, 1, command=["python", "train.py", "0.2"], directory="/elsewhere")
    begin(other, 2)
    begin(changed, 2, files={"train.py": "bb"})
    assert code_record.digest_of(one) == code_record.digest_of(other)
    assert code_record.digest_of(one) != code_record.digest_of(changed)


@pytest.mark.parametrize("told", ["", "no JSON", "[]", "{", "null"])
def test_launcher_that_tells_nothing_leaves_no_record(tmp_path: Path, told: str) -> None:
    """As runs of earlier versions, which have none."""
    code_record.begin(tmp_path, 1, told, {"model.py": "aa"})
    assert list(tmp_path.iterdir()) == []
    assert code_record.digest_of(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"attempts": 1}',
        b'{"attempts": [1, {"attempt": 1, "files": {}}]}',
        b'{"attempts": [{"attempt": 1, "directory": "/", "files": {"a": 1}}]}',
        b'{"attempts": [{"attempt": 1, "directory": "/", "files": {}, "program": %s}]}'
        % (b"[" * 400 + b"]" * 400),
    ],
)
def test_damaged_record_is_none(tmp_path: Path, content: bytes) -> None:
    """It is never an error."""
    (tmp_path / code_record.NAME).write_bytes(content)
    assert code_record.read(tmp_path) == []
    begin(tmp_path, 3)
    assert len(code_record.read(tmp_path)) == 1


def test_record_does_not_grow_without_end(tmp_path: Path) -> None:
    """The last attempts are kept."""
    for attempt in range(1, 40):
        begin(tmp_path, attempt)
    assert [each["attempt"] for each in code_record.read(tmp_path)] == [*range(20, 40)]


def test_folder_that_is_gone_is_no_error(tmp_path: Path) -> None:
    """A user may remove a run that is being executed."""
    begin(tmp_path / "gone", 1)
    code_record.add_files(tmp_path / "gone", 1, {"a.py": "aa"})

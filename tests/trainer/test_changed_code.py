"""A run's code has changed if a file that it was computed with is another one now."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from orchestrator.runner.project_files import digest
from trainer.changed_code import MOST_BYTES, find_changed

if TYPE_CHECKING:
    from pathlib import Path


def record(folder: Path, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()[:16]
    attempt = {"directory": str(folder), "files": {"module.py": digest}}
    (folder / "code.json").write_text(json.dumps({"attempts": [{**attempt, "files": {}}, attempt]}))


@pytest.mark.parametrize("content", [b"x = 1\n", b""])
def test_file_with_the_same_content_has_not_changed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "module.py").write_bytes(content)
    record(tmp_path, content)
    assert find_changed(tmp_path) is None


@pytest.mark.parametrize(
    "content", [b"#" * (MOST_BYTES + 3), b"x = 123\n" * MOST_BYTES, b"x = 1\n"]
)
def test_file_of_any_size_has_the_digest_that_was_recorded(tmp_path: Path, content: bytes) -> None:
    """Of a large file, the last lines count."""
    path = tmp_path / "module.py"
    path.write_bytes(content)
    attempt = {"directory": str(tmp_path), "files": {"module.py": digest(str(path))}}
    (tmp_path / "code.json").write_text(json.dumps({"attempts": [attempt]}))
    assert find_changed(tmp_path) is None


@pytest.mark.parametrize("named", ["code.json", "module.py"])
def test_pipe_is_not_waited_for(tmp_path: Path, named: str) -> None:
    """In the directory of another run, or in the place of a file that it names."""
    record(tmp_path, b"x = 1\n")
    (tmp_path / named).unlink(missing_ok=True)
    os.mkfifo(tmp_path / named)
    assert find_changed(tmp_path) == (None if named == "code.json" else "module.py")


@pytest.mark.parametrize("content", [b"x = 2\n", None])
def test_file_that_was_edited_or_removed_has(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "module.py").write_bytes(content)
    record(tmp_path, b"x = 1\n")
    assert find_changed(tmp_path) == "module.py"


def test_file_that_was_edited_during_an_attempt_has(tmp_path: Path) -> None:
    """Nobody knows which content was imported."""
    attempt = {"directory": str(tmp_path), "files": {"module.py": None}}
    (tmp_path / "module.py").write_text("")
    (tmp_path / "code.json").write_text(json.dumps({"attempts": [attempt]}))
    assert find_changed(tmp_path) == "module.py"


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"attempts": [3]}', '{"attempts": null}']
)
def test_code_that_is_not_recorded_is_not_known_to_have_changed(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "code.json").write_text(content)
    assert find_changed(tmp_path) is None

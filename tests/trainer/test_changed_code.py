"""A run's code has changed if a file that it was computed with is another one now."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from trainer.changed_code import MOST_BYTES, find_changed

if TYPE_CHECKING:
    from pathlib import Path


def record(folder: Path, content: bytes) -> None:
    digest = hashlib.sha256(content[-MOST_BYTES:]).hexdigest()[:16]
    attempt = {"directory": str(folder), "files": {"module.py": digest}}
    (folder / "code.json").write_text(json.dumps({"attempts": [{**attempt, "files": {}}, attempt]}))


@pytest.mark.parametrize("content", [b"x = 1\n", b"", b"#" * (MOST_BYTES + 3)])
def test_file_with_the_same_content_has_not_changed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "module.py").write_bytes(content)
    record(tmp_path, content)
    assert find_changed(tmp_path) is None


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

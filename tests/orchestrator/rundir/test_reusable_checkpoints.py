"""Tests of orchestrator.rundir.reusable_checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from orchestrator.rundir.reusable_checkpoints import (
    Extended,
    is_extended,
    newest_saved,
    read_extended,
)

if TYPE_CHECKING:
    from pathlib import Path


def save(run_dir: Path, iteration: int, content: bytes = b"state") -> None:
    """Save a checkpoint, as the trainer names it."""
    (run_dir / "checkpoints").mkdir(exist_ok=True)
    path = run_dir / f"checkpoints/{iteration:06d}-0011aabb.pt"
    with ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)


@pytest.mark.parametrize(("at_most", "found"), [(9, 7), (7, 7), (6, 5), (4, None)])
def test_newest_iteration_up_to_a_number_is_found(
    tmp_path: Path, at_most: int, found: int | None
) -> None:
    for iteration in (5, 7):
        save(tmp_path, iteration)
    assert newest_saved(tmp_path, at_most) == found


def test_what_no_run_can_resume_from_is_passed_over(tmp_path: Path) -> None:
    """Weights alone, files that are cut off, and other files."""
    save(tmp_path, 3)
    save(tmp_path, 4, b"...is_only_best...")
    (tmp_path / "checkpoints/000005-0011aabb.pt").write_bytes(b"PK")
    (tmp_path / "checkpoints/000006-0011aabb.pt").mkdir()
    (tmp_path / "checkpoints/000007.pt").write_bytes(b"")
    assert newest_saved(tmp_path, 9) == 3


def test_folder_that_is_missing_or_a_link_has_none(tmp_path: Path) -> None:
    assert newest_saved(tmp_path, 9) is None
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    save(elsewhere, 3)
    (tmp_path / "checkpoints").symlink_to(elsewhere / "checkpoints")
    assert newest_saved(tmp_path, 9) is None


def test_run_that_began_with_another_says_so(tmp_path: Path) -> None:
    assert not is_extended(tmp_path)
    (tmp_path / "extended.json").write_text("{}")
    assert is_extended(tmp_path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"schema": 1, "run_id": "ab", "iteration": 3}', Extended("ab", 3)),
        ('{"run_id": "\\u001b", "iteration": 3}', Extended("?", 3)),
        ('{"run_id": 3, "iteration": "x"}', None),
        ("[", None),
        (None, None),
    ],
)
def test_what_a_run_began_with_is_read(
    tmp_path: Path, content: str | None, found: Extended | None
) -> None:
    """A damaged record tells nothing."""
    if content is not None:
        (tmp_path / "extended.json").write_text(content)
    assert read_extended(tmp_path) == found

"""``run.json`` says whose a run directory is, or why that cannot be known."""

import errno
import json
import os
from pathlib import Path

import pytest

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import RunId
from orchestrator.rundir.identity_file import RefusedError, read_identity, unusable, whose

OURS = RunId("0123456789abcdef")
DIGEST = OURS + "0" * 48


def test_identity_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"run_id": OURS, "digest": DIGEST}))
    assert whose(read_identity(path), OURS) == ""


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"digest": 1}', bytes(9)])
def test_damaged_identity_is_an_error_with_the_next_step(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(RunDirectoryError, match=r"does not name the run\. Move this directory"):
        read_identity(path)


def test_missing_identity_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"No such file or directory\. Move this"):
        read_identity(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("identity", "other"),
    [
        ({"digest": DIGEST}, ""),  # of an earlier version, without a run ID
        ({"digest": "f" * 64}, "f" * 16),
        ({"digest": DIGEST, "run_id": "f" * 16}, "f" * 16),
        ({"digest": "f" * 64, "run_id": OURS}, "f" * 16),
        ({"digest": DIGEST, "run_id": 7}, "7"),
    ],
)
def test_identity_of_another_run_is_named(identity: dict[str, object], other: str) -> None:
    found = whose(identity, OURS)
    assert other in found if other else not found


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_refusal_of_the_system_is_no_reason_to_move_a_directory_away(number: int) -> None:
    found = unusable(Path("run.json"), OSError(number, os.strerror(number)))
    assert isinstance(found, RefusedError)
    assert "Move" not in str(found)
    assert "Fix the permissions or the disk" in str(found)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM])
def test_shortage_in_this_process_says_nothing_about_the_file(number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)):
        unusable(Path("run.json"), OSError(number, os.strerror(number)))

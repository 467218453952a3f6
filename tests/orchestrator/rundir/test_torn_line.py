"""What a killed program has left of its last line does not cost the next one its first point."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchestrator.rundir.run_metrics import read_curve
from orchestrator.rundir.torn_line import end_last_line


def point(step: int, key: str = "loss") -> bytes:
    return json.dumps({"key": key, "value": step / 10, "step": step, "timestamp": 1}).encode()


NEXT = point(9) + b"\n"


@pytest.mark.parametrize("before", [0, 3, 2000], ids=["nothing", "few lines", "many lines"])
@pytest.mark.parametrize("length", [1, 20, len(point(7)) - 1])
def test_torn_line_is_removed_at_whatever_byte_it_was_torn(
    tmp_path: Path, before: int, length: int
) -> None:
    metrics = tmp_path / "metrics.jsonl"
    whole = b"".join(point(step) + b"\n" for step in range(100, 100 + before))
    metrics.write_bytes(whole + point(7)[:length])
    end_last_line(metrics)
    assert metrics.read_bytes() == whole
    with metrics.open("ab") as file:
        file.write(NEXT)
    assert read_curve(metrics, "loss")[9] == 0.9


def test_point_that_only_lacks_its_newline_is_kept(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_bytes(point(1) + b"\n" + point(2))
    end_last_line(metrics)
    assert metrics.read_bytes() == point(1) + b"\n" + point(2) + b"\n"
    end_last_line(metrics)
    assert metrics.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("size", [2_000_000, 1 << 40])
def test_line_that_is_too_long_to_be_a_record_is_ended(tmp_path: Path, size: int) -> None:
    """It is not read: it may be as long as a sparse file can be."""
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_bytes(point(1) + b"\n")
    os.truncate(metrics, size)
    end_last_line(metrics)
    assert metrics.stat().st_size == size + 1
    with metrics.open("rb") as file:
        file.seek(size)
        assert file.read() == b"\n"


def test_what_is_no_file_or_not_there_is_left_as_it_is(tmp_path: Path) -> None:
    end_last_line(tmp_path / "metrics.jsonl")
    other = tmp_path / "other"
    other.write_bytes(b"torn")
    (tmp_path / "link").symlink_to(other)
    end_last_line(tmp_path / "link")
    end_last_line(tmp_path)
    assert other.read_bytes() == b"torn"
    assert not (tmp_path / "metrics.jsonl").exists()

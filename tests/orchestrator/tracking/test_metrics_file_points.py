"""Points are read from a file that any program may have written, cut or rewritten."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.tracking.metrics_file_points import (
    CHUNK,
    START,
    FilePosition,
    MetricPoint,
    Reading,
    count_points_after,
    has_points_after,
    is_same_value,
    read_points,
)

Lines = Callable[..., Path]


def point(**changes: Any) -> str:
    return json.dumps({"key": "loss", "value": 0.5, "step": 1, "timestamp": 7} | changes)


def read(path: Path, place: FilePosition = START, *, is_over: bool = False) -> Reading:
    return read_points(path, place, is_over=is_over, timeless=99)


def read_all(path: Path, *, is_over: bool = False) -> list[MetricPoint]:
    place, samples = START, []
    while (reading := read(path, place, is_over=is_over)).place != place:
        place = reading.place
        samples += reading.samples
    return samples


def test_points_are_read_once_and_from_where_reading_stopped(lines: Lines) -> None:
    """What is appended is read by going on from the place before."""
    path = lines(point(), point(step=2))
    first = read(path)
    assert [each.step for each in first.samples] == [1, 2]
    assert read(path, first.place) == Reading((), first.place)
    with path.open("a") as file:
        file.write(point(step=3) + "\n")
    assert [each.step for each in read(path, first.place).samples] == [3]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "null",
        "[1]",
        "[" * 5000,
        '{"key": "loss"}',
        point(key=3),
        point(value="much"),
        point(value=None),
        point(value=10**400),
        point(step=2**63),
        point(step="1"),
        point(step=1.5),
        point(key="k" * 20_000),
        "\x00\x01",
    ],
)
def test_line_that_is_no_point_is_counted_and_passed_over(lines: Lines, line: str) -> None:
    """The points around it are read."""
    reading = read(lines(point(), line, point(step=2)))
    assert [each.step for each in reading.samples] == [1, 2]
    assert reading.garbage == 1


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (3, 3.0),
        ("NaN", math.nan),
        ("Infinity", 1.7976931348623157e308),
        ("-Infinity", -1.7976931348623157e308),
        (1e-320, 1e-320),
    ],
)
def test_numbers_are_kept_as_mlflow_keeps_them(lines: Lines, value: Any, kept: float) -> None:
    """NaN stays, and infinity is the largest number, in MLflow's databases."""
    (sample,) = read(lines(point(value=value))).samples
    assert is_same_value(sample.value, kept)


@pytest.mark.parametrize("timestamp", [None, "now", -1, 2**63, 1.5])
def test_point_without_a_time_gets_the_same_one_whenever_it_is_read(
    lines: Lines, timestamp: Any
) -> None:
    """Or it would be another point when it is sent again."""
    (sample,) = read(lines(point(timestamp=timestamp))).samples
    assert sample.timestamp == 99


def test_line_without_an_end_waits_unless_nobody_writes_any_more(lines: Lines) -> None:
    """It may be half a line."""
    path = lines(point(), point(step=2), end="")
    waiting = read(path)
    assert [each.step for each in waiting.samples] == [1]
    assert not has_points_after(path, waiting.place.offset, is_over=False)
    assert has_points_after(path, waiting.place.offset, is_over=True)
    (last,) = read(path, waiting.place, is_over=True).samples
    assert last.step == 2


@pytest.mark.parametrize("content", ["", point() + "\n", point(value=9) + "\n" + point() + "\n"])
def test_file_that_was_written_anew_is_noticed(lines: Lines, content: str) -> None:
    """Shorter, or with something else before the place where reading stopped."""
    path = lines(point(), point(step=2))
    place = read(path).place
    path.write_text(content)
    assert read(path, place) == Reading((), START, rewritten=True)


def test_line_of_megabytes_is_passed_over(lines: Lines) -> None:
    """Before it ends, nothing can be read; then it is not a point."""
    path = lines(point(), "x" * (3 * CHUNK), end="")
    place = read(path).place
    assert read(path, place).place == place
    with path.open("a") as file:
        file.write("\n" + point(step=2) + "\n")
    assert [each.step for each in read_all(path)] == [1, 2]
    assert [each.step for each in read_all(path, is_over=True)] == [1, 2]


def test_large_file_is_read_in_pieces(lines: Lines) -> None:
    """Each piece ends with a whole line."""
    path = lines(*(point(step=step) for step in range(40_000)))
    assert path.stat().st_size > 2 * CHUNK
    assert [each.step for each in read_all(path)] == list(range(40_000))
    assert count_points_after(path, 0) == 40_000


def test_what_is_no_file_has_no_points(tmp_path: Path) -> None:
    """A pipe would block its reader; a link may lead anywhere."""
    missing, pipe, link = (tmp_path / name for name in ("missing", "pipe", "link"))
    os.mkfifo(pipe)
    (tmp_path / "secret").write_text(point() + "\n")
    link.symlink_to(tmp_path / "secret")
    for path in (missing, pipe, link, tmp_path):
        assert read(path).samples == ()
        assert not has_points_after(path, 0, is_over=True)
        assert count_points_after(path, 0) == 0


def test_what_is_gone_has_no_points_behind_any_place(tmp_path: Path) -> None:
    """Whatever was read of it before: nobody can read it now, and nobody should try for ever."""
    missing, pipe, link = (tmp_path / name for name in ("missing", "pipe", "link"))
    os.mkfifo(pipe)
    link.symlink_to(missing)
    for path in (missing, pipe, link, tmp_path):
        assert not has_points_after(path, 100, is_over=True)
        assert not has_points_after(path, 100, is_over=False)


@pytest.mark.parametrize("size", [3 * CHUNK, 200_000_000_000])
def test_hole_in_a_file_is_jumped_over(lines: Lines, size: int) -> None:
    """A sparse file has terabytes of nothing, which nobody has to read; the points around it count."""
    path = lines(point(), point(step=2))
    os.truncate(path, size)
    with path.open("a") as file:
        file.write("\n" + point(step=3) + "\n")
    assert [each.step for each in read_all(path)] == [1, 2, 3]
    assert count_points_after(path, 0) == 4
    os.truncate(path, 2 * size)
    place = read(path, FilePosition(), is_over=True).place
    assert has_points_after(path, place.offset, is_over=True)
    assert [each.step for each in read_all(path, is_over=True)] == [1, 2, 3]
    assert not has_points_after(path, 2 * size, is_over=True)
    assert not has_points_after(path, size + len(point()) + 3, is_over=False)

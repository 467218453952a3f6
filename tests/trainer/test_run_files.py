"""What the trainer leaves in a run directory can be read by any program at any moment."""

import errno
import io
import json
import os
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf, nan
from pathlib import Path

import pytest
from run_files import MakeRun, Train, points_of

from trainer.durable_files import append_durably
from trainer.errors import ConfigError
from trainer.history import MetricPoint
from trainer.run_files import Outputs, Progress, json_number, say


def test_point_is_written_once_with_its_first_timestamp(tmp_path: Path) -> None:
    """What a resumed run computes again is not written again."""
    outputs = Outputs(tmp_path)
    outputs.open(since=0)
    outputs.publish(Progress(1, 1, [MetricPoint("loss", 0.5, 1, 1000)]))
    again = Outputs(tmp_path)
    again.open(since=0)
    again.publish(Progress(1, 2, [MetricPoint("loss", 0.5, 1, 2000)]))
    again.publish(Progress(2, 2, [MetricPoint("loss", 0.25, 2, 3000)]))
    assert points_of(tmp_path) == [
        {"key": "loss", "value": 0.5, "step": 1, "timestamp": 1000},
        {"key": "loss", "value": 0.25, "step": 2, "timestamp": 3000},
    ]


def test_line_cut_at_any_byte_is_written_again_whole(tmp_path: Path) -> None:
    """However much of a line a kill left, the file ends with whole lines."""
    path = tmp_path / "metrics.jsonl"
    outputs = Outputs(tmp_path)
    outputs.publish(Progress(1, 1, [MetricPoint("a", 1, 1, 5), MetricPoint("b", 2, 1, 5)]))
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        outputs.open(since=0)
        outputs.publish(Progress(1, 1, [MetricPoint("a", 1, 1, 5), MetricPoint("b", 2, 1, 5)]))
        assert path.read_bytes() == whole


@pytest.mark.parametrize("since", [0, 1, 1_000, 1_999])
def test_end_of_a_long_file_is_enough_to_write_each_point_once(tmp_path: Path, since: int) -> None:
    """Wherever a resumed run begins, what is there already is found, in one read or in several."""
    lines = [
        f'{{"key": "a", "value": 1.0, "step": {step}, "timestamp": 5}}\n' for step in range(2_000)
    ]
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(lines) + '{"key": "b", "val')
    outputs = Outputs(tmp_path)
    outputs.open(since=since)
    for step in (since, 1_999, 2_000):
        outputs.publish(Progress(step, 2_000, [MetricPoint("a", 1.0, step, 5)]))
    assert path.read_text() == "".join(lines) + lines[0].replace('"step": 0', '"step": 2000')


def test_metric_that_came_later_hides_no_point(tmp_path: Path) -> None:
    """A restarted run with one metric more has written it after the last steps of others."""
    steps = range(1, 6)
    outputs = Outputs(tmp_path)
    for step in steps:
        outputs.publish(Progress(step, 5, [MetricPoint("a", 1.0, step, 5)]))
    outputs.open(since=0)
    for step in (1, 2):
        outputs.publish(
            Progress(step, 5, [MetricPoint("a", 1.0, step, 5), MetricPoint("b", 1.0, step, 5)])
        )
    outputs.open(since=2)
    for step in (2, 3, 4, 5):
        outputs.publish(
            Progress(step, 5, [MetricPoint("a", 1.0, step, 5), MetricPoint("b", 1.0, step, 5)])
        )
    places = [(point["key"], point["step"]) for point in points_of(tmp_path)]
    assert sorted(places) == [(key, step) for key in "ab" for step in steps]


@pytest.mark.parametrize(
    "line",
    [
        '{"key": "a", "value": 1.0, "step": 7, "timestamp": 5}',
        '{"key":"a","value":1.0,"step":7,"timestamp":5}',
        '{"timestamp": 5, "value": 1.0, "key": "a", "step": 7}',
        '{"key": "a", "step": 7, "note": "the \\"step\\": 3, is another"}',
    ],
)
def test_point_counts_however_it_is_written(tmp_path: Path, line: str) -> None:
    """A program of the user's own may have written it."""
    path = tmp_path / "metrics.jsonl"
    path.write_text(line + "\n")
    outputs = Outputs(tmp_path)
    outputs.open(since=5)
    outputs.publish(Progress(7, 9, [MetricPoint("a", 1.0, 7, 9)]))
    assert path.read_text() == line + "\n"


def test_foreign_line_is_left_alone(tmp_path: Path) -> None:
    """What we did not write neither stops us nor is lost."""
    append_durably(tmp_path / "metrics.jsonl", b'garbage\n[]\n{"key": "x"}\n')
    outputs = Outputs(tmp_path)
    outputs.open(since=0)
    outputs.publish(Progress(1, 1, [MetricPoint("a", 1, 1, 5)]))
    assert (tmp_path / "metrics.jsonl").read_bytes().startswith(b"garbage\n[]\n")


@pytest.mark.parametrize(
    ("value", "written"), [(1.5, 1.5), (nan, "NaN"), (inf, "Infinity"), (-inf, "-Infinity")]
)
def test_any_number_is_json(value: float, written: float | str) -> None:
    """Readers in other languages know neither NaN nor infinity."""
    assert json_number(value) == written


def test_progress_tells_the_last_iteration(make_run: MakeRun, train: Train) -> None:
    """Iteration, number of iterations, metrics, at the end those of the test too, a time in UTC."""
    run_dir = make_run()
    train(run_dir)
    progress = json.loads((run_dir / "progress.json").read_text())
    assert (progress["iteration"], progress["iterations"]) == (4, 4)
    metrics = ["train/loss", "validation/loss", "validation/accuracy", "lr"]
    assert [*progress["metrics"]] == [*metrics, "test/loss", "test/accuracy"]
    age = datetime.now(UTC) - datetime.fromisoformat(progress["updated_at"])
    assert 0 <= age.total_seconds() < 60


def test_nothing_is_set_aside_into_the_folder_of_somebody_else(tmp_path: Path) -> None:
    """A link in place of the folder for files of other numbers is not followed."""
    run_dir, other = tmp_path / "run", tmp_path / "other"
    for folder in (run_dir / "checkpoints", other):
        folder.mkdir(parents=True)
    for name in ("metrics.jsonl", "checkpoints/000001-deadbeef.pt"):
        (run_dir / name).write_text("mine")
    (run_dir / "earlier").symlink_to(other)
    with pytest.raises(ConfigError, match="earlier: it is a symbolic link"):
        Outputs(run_dir).set_aside(1)
    assert [*other.iterdir()] == []
    assert (run_dir / "metrics.jsonl").read_text() == "mine"
    (run_dir / "earlier").unlink()
    (run_dir / "earlier").mkdir()
    (run_dir / "earlier/numbers-1").symlink_to(other / "nothing")
    Outputs(run_dir).set_aside(1)
    assert (run_dir / "earlier/numbers-1.2/metrics.jsonl").read_text() == "mine"
    assert [*other.iterdir()] == []


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """A pipe would keep the training waiting for ever, a link let it write elsewhere."""
    make(tmp_path / "metrics.jsonl")
    with pytest.raises(OSError, match="it is not a regular file"):
        Outputs(tmp_path).open(since=0)


@pytest.mark.parametrize("replaced", [None, object(), "closed"])
def test_line_is_printed_whatever_the_runs_code_did_to_stdout(
    monkeypatch: pytest.MonkeyPatch, replaced: object
) -> None:
    """Its own words are lost then, but the run goes on."""
    if replaced == "closed":
        replaced = io.StringIO()
        replaced.close()
    below = io.StringIO()
    monkeypatch.setattr(sys, "stdout", replaced)
    monkeypatch.setattr(sys, "__stdout__", below)
    say("a line")
    assert below.getvalue() == "a line\n"
    monkeypatch.setattr(sys, "__stdout__", None)
    say("another line")


def test_results_that_may_not_be_on_the_disk_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would say that the run is done, which has failed; its next attempt writes them again."""
    sync, outputs = os.fsync, Outputs(tmp_path)

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match=f"Input/output error: '{tmp_path}'"):
            outputs.write_results({"test": {}})
    assert not (tmp_path / "results.json").exists()
    outputs.write_results({"test": {}})
    assert json.loads((tmp_path / "results.json").read_text()) == {"schema": 1, "test": {}}

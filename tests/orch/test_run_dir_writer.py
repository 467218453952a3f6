"""Tests of orch.run_dir_writer: what is on disk is whole, whatever writes it and whatever was there before."""

import json
import os
import threading
from pathlib import Path

import pytest

from orch.run_dir_writer import MetricsFile, as_json_number, replace_json


def _steps(path: Path) -> list[tuple[str, int]]:
    lines = path.read_text().splitlines()
    return [(point["key"], point["step"]) for point in map(json.loads, lines)]


def test_lines_of_another_shape_are_kept(tmp_path: Path) -> None:
    """A program may write lines of its own; only points that are logged again go."""
    path = tmp_path / "metrics.jsonl"
    point = '{"key": "loss", "value": 1, "step": 5, "timestamp": 10}\n'
    path.write_text('{"note": "mine"}\nnot json\n[]\n' + point)
    MetricsFile(path, since=20).append({"loss": 2.0}, 3)
    *kept, last = path.read_text().splitlines()
    assert kept == ['{"note": "mine"}', "not json", "[]"]
    assert json.loads(last)["step"] == 3


def test_threads_share_the_file(tmp_path: Path) -> None:
    """Each point is one line, and none is lost."""
    file = MetricsFile(tmp_path / "metrics.jsonl", since=0)

    def log(key: str) -> None:
        for step in range(100):
            file.append({key: 0.5}, step)

    threads = [threading.Thread(target=log, args=(key,)) for key in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = _steps(tmp_path / "metrics.jsonl")
    assert sorted(found) == [(key, step) for key in "abcd" for step in range(100)]


def test_two_processes_append_to_one_file(tmp_path: Path) -> None:
    """Metrics of one do not touch those of the other."""
    path = tmp_path / "metrics.jsonl"
    one, other = MetricsFile(path, since=0), MetricsFile(path, since=0)
    for step in range(3):
        one.append({"train": 0.5}, step)
        other.append({"validation": 0.5}, step)
    assert sorted(_steps(path)) == [
        (key, step) for key in ("train", "validation") for step in range(3)
    ]


def test_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    """What somebody else owns stays as it is."""
    (tmp_path / "precious").write_text("x")
    (tmp_path / "metrics.jsonl").symlink_to("precious")
    with pytest.raises(OSError, match="symbolic links"):
        MetricsFile(tmp_path / "metrics.jsonl", since=0).append({"loss": 1.0}, 0)
    assert (tmp_path / "precious").read_text() == "x"


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.1, 0.1), (float("nan"), "NaN"), (float("inf"), "Infinity"), (float("-inf"), "-Infinity")],
)
def test_numbers_that_json_does_not_know_become_strings(value: float, written: object) -> None:
    """Any JSON parser reads the file."""
    assert as_json_number(value) == written


@pytest.mark.parametrize("durable", [True, False])
def test_file_is_replaced_as_a_whole(tmp_path: Path, *, durable: bool) -> None:
    """No other name is left behind."""
    for content in ({"a": 1}, {"b": [1, "x"]}):
        replace_json(tmp_path / "x.json", content, durable=durable)
        assert json.loads((tmp_path / "x.json").read_text()) == content
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_link_in_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    """In a container, a process may have the ID of one that was killed, or that anybody can guess."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    path = tmp_path / "progress.json"
    path.with_name(f"{path.name}.{os.getpid()}.tmp").symlink_to(victim)
    replace_json(path, {"iteration": 1}, durable=False)
    assert (json.loads(path.read_text()), victim.read_text()) == ({"iteration": 1}, "mine")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["progress.json", "victim"]


def test_pipe_in_place_of_the_metrics_is_refused(tmp_path: Path) -> None:
    """It would be full at some time, and the program would wait."""
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(OSError, match="it is not a regular file"):
        MetricsFile(tmp_path / "metrics.jsonl", 0).append({"loss": 1.0}, 1)

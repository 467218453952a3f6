"""The outcome of a run is read in one way, whichever of its files tells it."""

import json
import math
import os
from pathlib import Path

import pytest

from orchestrator.rundir.records import as_metric, as_number, parse
from orchestrator.rundir.run_metrics import (
    Outcome,
    read_curve,
    read_curves,
    read_figure,
    read_metrics_at,
    read_outcome,
    read_times,
)
from orchestrator.sanitize import printable


def outcome(folder: Path, **files: str) -> Outcome:
    """Return the outcome of a run with some of its files."""
    for name, text in files.items():
        (folder / name).write_text(text)
    reported = folder / "progress"
    content = reported.read_bytes() if reported.exists() else b""
    return read_outcome(parse(content), folder / "metrics", folder / "results")


@pytest.mark.parametrize(
    ("logged", "tested", "metrics"),
    [
        ({"a": 1}, {"a": 2}, {"a": 1, "test/a": 2}),
        ({"test_a": 1}, {"test_a": 2}, {"test_a": 1, "test/test_a": 2}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2, "test/a": 3}, {"a": 1, "test/a": 3}),
        ({"a": 1}, {"test/a": 3, "a": 2}, {"a": 1, "test/a": 3}),
        ({"a": 1, "test/a": 3}, {"a": 2}, {"a": 1, "test/a": 3}),
        ({"test/a": 1}, {"test/a": 2}, {"test/a": 2}),
        ({}, {"a": 2}, {"a": 2}),
    ],
)
@pytest.mark.parametrize("where", ["progress", "metrics"])
def test_test_result_and_training_metric_of_a_name_are_told_apart(
    tmp_path: Path,
    logged: dict[str, int],
    tested: dict[str, int],
    metrics: dict[str, int],
    where: str,
) -> None:
    """The metric keeps its value, whichever file tells it; what says that it is a test result is one."""
    points = [json.dumps({"key": key, "value": value, "step": 1}) for key, value in logged.items()]
    written = {"progress": json.dumps({"metrics": logged}), "metrics": "\n".join(points)}[where]
    found = outcome(tmp_path, **{where: written}, results=json.dumps({"test": tested}))
    assert found.metrics == metrics
    assert found.results == tested
    paths = [tmp_path / name for name in ("progress", "metrics", "results")]
    assert {key: read_figure(key, *paths) for key in metrics} == metrics


def test_test_results_come_first(tmp_path: Path) -> None:
    """They are what runs are compared by, if nothing else is said."""
    found = outcome(
        tmp_path,
        progress='{"iteration": 1, "iterations": 1, "metrics": {"loss": 2, "accuracy": 0.9}}',
        results='{"test": {"test/loss": 3, "accuracy": 0.71, "f1": 0.5}}',
    )
    assert [*found.figures] == ["test/loss", "test/accuracy", "f1", "loss", "accuracy"]


def test_last_points_are_the_metrics_of_a_program_that_writes_nothing_else(tmp_path: Path) -> None:
    """Lines that are not points, and a torn last one, are skipped."""
    points = [{"key": key, "value": n, "step": n} for n in range(3) for key in ("loss", "lr")]
    lines = "\n".join(json.dumps(point) for point in points)
    found = outcome(tmp_path, metrics=lines + '\nnonsense\n[]\n{"key": "loss", "val')
    assert found.metrics == {"loss": 2, "lr": 2}


def test_only_the_end_of_a_long_file_of_points_is_read(tmp_path: Path) -> None:
    """A sparse file of 200 GB is answered at once."""
    path = tmp_path / "metrics"
    path.touch()
    os.truncate(path, 200 << 30)
    with path.open("ab") as file:
        file.write(b'\n{"key": "loss", "value": 0.5, "step": 1}\n')
    assert outcome(tmp_path).metrics == {"loss": 0.5}


@pytest.mark.parametrize(
    "progress", ["", '{"iteration": 9, "iterations": 9, "metrics": {"loss": 7}}']
)
def test_whole_file_tells_metrics_that_are_rarely_logged(tmp_path: Path, progress: str) -> None:
    """Comparisons have them all; a look at a live run need not."""
    points = [("accuracy", 1), *(("loss", step) for step in range(2000)), ("lr", 2000)]
    lines = [json.dumps({"key": key, "value": step, "step": step}) for key, step in points]
    (tmp_path / "metrics").write_text("\n".join(lines))
    (tmp_path / "progress").write_text(progress)
    end = outcome(tmp_path).metrics
    reported = parse(progress.encode())
    whole = read_outcome(reported, tmp_path / "metrics", tmp_path / "results", whole=True).metrics
    assert whole == {"accuracy": 1, **end}
    if not progress:
        assert [*whole] == ["accuracy", "loss", "lr"]


@pytest.mark.parametrize("name", ["accuracy", "größe", 'a"b'])
@pytest.mark.parametrize("escapes", [True, False])
@pytest.mark.parametrize("progress", ["", '{"iteration": 9, "metrics": {"loss": 7}}'])
def test_name_of_a_result_is_the_same_however_much_is_read(
    tmp_path: Path, name: str, progress: str, *, escapes: bool
) -> None:
    """A metric of its name that was logged only at the beginning counts in a look as well."""
    points = [(name, 1), *(("loss", step) for step in range(2000))]
    lines = [
        json.dumps({"key": key, "value": step, "step": step}, ensure_ascii=escapes)
        for key, step in points
    ]
    (tmp_path / "metrics").write_text("\n".join(lines))
    (tmp_path / "results").write_text(json.dumps({"test": {name: 0.5, "loss": 2, "other": 3}}))
    files = parse(progress.encode()), tmp_path / "metrics", tmp_path / "results"
    expected = {f"test/{name}": 0.5, "test/loss": 2, "other": 3, name: 1}
    for whole in (True, False):
        found = read_outcome(*files, whole=whole).metrics
        assert found.items() >= expected.items()


def test_last_number_of_a_metric_counts_and_a_text_only_without_one(tmp_path: Path) -> None:
    """However its lines are written."""
    lines = [
        '{"key": "a", "value": 1, "step": 1}',
        '{"step": 2, "value": 2, "key": "a"}',
        '{"key": "b", "value": 1, "step": 1}',
        '{"key": "b", "value": "n/a", "step": 2}',
        '{"key": "phase", "value": "warm-up", "step": 1}',
        '{"key": "phase", "value": "decay", "step": 2}',
        '{"key": "\\"\\u00e9", "value": 3, "step": 1}',
        '{"key": "a", "value": 4, "st',
    ]
    found = outcome(tmp_path, metrics="\n".join(lines)).metrics
    assert found == {"a": 2, "b": 1, "phase": "decay", '"\u00e9': 3}
    assert read_metrics_at(tmp_path / "metrics", 2) == {"a": 2}


def test_progress_that_makes_no_sense_still_tells_its_metrics(tmp_path: Path) -> None:
    """How far a run is, is one thing, and how good it is another."""
    found = outcome(tmp_path, progress='{"iteration": -1, "iterations": 0, "metrics": {"loss": 1}}')
    assert found.metrics == {"loss": 1}


@pytest.mark.parametrize(
    ("value", "metric", "number"),
    [
        (True, 1, 1.0),
        (0.5, 0.5, 0.5),
        ("NaN", "NaN", math.nan),
        (math.nan, "NaN", math.nan),
        (-math.inf, "-Infinity", -math.inf),
        ("0.5", "0.5", 0.5),
        ("good", "good", None),
        ("1_0", "1_0", None),
        (10**30, 1e30, 1e30),
        (10**400, None, None),
        (None, None, None),
        ([1], None, None),
        ("\x1b[31m", "?[31m", None),
    ],
)
def test_metric_is_read_in_one_way(value: object, metric: object, number: float | None) -> None:
    """As what is shown, and as the number that is compared and reported."""
    assert as_metric(value) == metric
    assert as_number(value) == pytest.approx(number, nan_ok=True)


def test_figures_are_the_metrics_that_are_numbers(tmp_path: Path) -> None:
    """Texts are shown, and not compared."""
    found = outcome(tmp_path, results='{"test": {"a": 1, "b": "NaN", "c": "good", "d": true}}')
    assert found.figures == pytest.approx({"a": 1.0, "b": math.nan, "d": 1.0}, nan_ok=True)


@pytest.mark.parametrize("where", ["results", "progress", "metrics", "nowhere"])
@pytest.mark.parametrize("value", [1, 0.5, "NaN", "good", None, True, 10**400])
@pytest.mark.parametrize("numbers", [None, 4])
def test_single_metric_is_that_of_the_outcome(
    tmp_path: Path, where: str, value: object, numbers: int | None
) -> None:
    """Although fewer files are read."""
    place = {where: value}
    files = {
        "results": json.dumps({"test": {"loss": place.get("results", 3), "b": 1}}),
        "progress": json.dumps({"metrics": {"loss": place.get("progress", 5)}, "numbers": numbers}),
        "metrics": json.dumps({"key": "loss", "value": place.get("metrics", 7), "step": 1}),
    }
    del files["results" if where != "results" else "metrics"]
    if where == "metrics":
        del files["progress"]
    found = outcome(tmp_path, **files).figures.get("loss")
    paths = (tmp_path / name for name in ("progress", "metrics", "results"))
    assert read_figure("loss", *paths) == pytest.approx(found, nan_ok=True)


@pytest.mark.parametrize("name", ["loss", "train/löss", 'a"b', "a\\b", "a\x07b"])
@pytest.mark.parametrize(
    "form", ['{"key": %s, "value": 7, "step": 1}', '{"step":1,"key":%s,"value":7}']
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_reported_metric_wins_over_its_points(
    tmp_path: Path, name: str, form: str, *, ascii_only: bool
) -> None:
    """However they are written; the points of other metrics count."""
    lines = [form % json.dumps(key, ensure_ascii=ascii_only) for key in (name, f"{name}2")]
    progress = json.dumps({"metrics": {name: 1}})
    found = outcome(tmp_path, progress=progress, metrics="\n".join(lines)).metrics
    assert found == {printable(name): 1, printable(f"{name}2"): 7}
    (tmp_path / "progress").unlink()
    assert outcome(tmp_path).last_step == 1


@pytest.mark.parametrize("damage", ["", "\0" * 30, "[]", "{", '{"test": 1, "metrics": [1]}'])
def test_damaged_files_tell_nothing(tmp_path: Path, damage: str) -> None:
    """And cause no error."""
    assert outcome(tmp_path, progress=damage, metrics=damage, results=damage) == Outcome()


def test_versions_of_the_numbers_come_from_the_results(tmp_path: Path) -> None:
    """Until there are some, the progress tells them."""
    assert outcome(tmp_path).versions == {None}
    progress = '{"iteration": 1, "iterations": 2, "numbers": 2}'
    assert outcome(tmp_path, progress=progress).versions == {2}
    found = outcome(tmp_path, results='{"test": {}, "numbers": 2, "numbers_before": [1, true]}')
    assert found.versions == {1, 2}


def test_curves_are_in_order_and_the_last_point_of_a_step_counts(tmp_path: Path) -> None:
    """As a retry from the beginning leaves them; lines that are not points are skipped."""
    path = tmp_path / "metrics"
    points = [("a", 2, 1), ("a", 1, "NaN"), ("b", 1, 5), ("a", 2, 3), ("a", 3, "text")]
    lines = [json.dumps({"key": key, "step": step, "value": v}) for key, step, v in points]
    huge = json.dumps({"key": "a", "step": 10**30, "value": 1})
    path.write_text("\n".join([*lines, "nonsense", huge, '{"key": "a", "st']))
    found = read_curves(path)
    assert [*found] == ["a", "b"]
    assert [*found["a"]] == [1, 2]
    assert math.isnan(found["a"][1])
    assert found["a"][2] == 3
    assert read_curves(tmp_path / "absent") == {}


def test_points_beyond_the_first_megabyte_count(tmp_path: Path) -> None:
    """A long training writes many."""
    path = tmp_path / "metrics"
    lines = (json.dumps({"key": "loss", "value": step, "step": step}) for step in range(40_000))
    path.write_text("\n".join(lines))
    assert path.stat().st_size > 1_000_000
    assert read_metrics_at(path, 39_999) == {"loss": 39_999}
    assert len(read_curves(path)["loss"]) == 40_000


def test_one_curve_is_that_of_all_curves(tmp_path: Path) -> None:
    """However its name is escaped; names that contain it are others."""
    path = tmp_path / "metrics"
    points = [
        ("loss", 1, 0.5),
        ("loss2", 1, 9),
        ("a/loss", 1, 9),
        ("loss", 3, "NaN"),
        ("loss", 2, 1),
    ]
    lines = [json.dumps({"key": key, "value": value, "step": step}) for key, step, value in points]
    lines += [
        '{"key": "verl\\u00fcst", "value": 1, "step": 1}',
        '{"key": "verlüst", "value": 2, "step": 2}',
    ]
    lines += ['{"key": "a\\/b", "value": 3, "step": 1}', '{"key": "loss", "value": 4, "st']
    path.write_text("\n".join(lines))
    whole = read_curves(path)
    for key in whole:
        assert repr(read_curve(path, key)) == repr(dict(whole[key]))
    assert [*read_curve(path, "loss")] == [1, 2, 3]
    assert read_curve(path, "a/b") == {1: 3}
    assert read_curve(path, "absent") == read_curve(tmp_path / "absent", "loss") == {}


def test_times_are_those_of_the_last_points_of_steps(tmp_path: Path) -> None:
    path = tmp_path / "metrics"
    lines = [
        json.dumps({"step": step, "timestamp": when}) for step, when in ((1, 5), (1, 7), (2, 9))
    ]
    path.write_text("\n".join([*lines, "[]", '{"step": 3}', '{"step": "4", "timestamp": 1}']))
    assert read_times(path) == {1: 7, 2: 9}
    assert read_times(tmp_path / "absent") == {}

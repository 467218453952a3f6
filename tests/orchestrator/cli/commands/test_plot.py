"""``orch plot`` draws what the raw files of runs say."""

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from thinning import combined, others_in_soak

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.choose_picture import Picture, draw_picture
from orchestrator.cli.commands.plot import separate_metrics
from orchestrator.cli.main import call
from orchestrator.cli.runs_for_results import choose_compared_runs, compare_as_asked
from orchestrator.errors import UsageError
from orchestrator.pictures.figure import Caption
from orchestrator.pictures.parallel_axes import draw_parallel_axes
from orchestrator.pictures.style import Appearance
from orchestrator.planning.results_table import compare
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import Record

from .conftest import GRID, Grid, leave
from .generated import METRICS, Generated, generate, in_grid, read_points, read_runs

# Soak tests take all of them.
EXPERIMENTS = others_in_soak(range(300), range(4))


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Generated]]:
    """Return a function that generates an experiment once; it need not survive a power cut."""
    folder = tmp_path_factory.mktemp("generated")
    with ExitStack() as locks, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield cache(lambda number: generate(folder / str(number), number, locks))


def draw(made: Generated, *words: str) -> Picture:
    """Return the picture that a command line asks for."""
    options = parse_arguments(made.arguments("plot", *words, "--out", "x.png"))
    separate_metrics(options)
    found = choose_compared_runs(options)
    return draw_picture(found, compare_as_asked(found, options), options)


def expected_lines(made: Generated, metric: str) -> dict[tuple[object, ...], pd.DataFrame]:
    """Return mean, deviation and number of runs at each step, of each row with a finished run."""
    points = read_points(made)
    runs = in_grid(read_runs(made))
    merged = points[points["key"] == metric].merge(runs[runs["state"] == "done"], on="run_id")
    return {
        place: group.groupby("step")["value"].agg(
            mean=lambda v: v.mean() if np.isfinite(v).all() else np.nan, std="std", count="count"
        )
        for place, group in merged.groupby([*made.keys.values()])
    }


@pytest.mark.parametrize("number", EXPERIMENTS)
@pytest.mark.parametrize("metric", others_in_soak(METRICS[:2], METRICS[:1]))
def test_lines_are_the_means_that_pandas_computes(
    experiment: Callable[[int], Generated], number: int, metric: str
) -> None:
    """Of the finished runs of the grid; the unfinished ones are drawn as they are, failed ones not."""
    made = experiment(number)
    expected = {key: frame for key, frame in expected_lines(made, metric).items() if len(frame)}
    runs, points = in_grid(read_runs(made)), read_points(made)
    unfinished = runs[runs["state"].isin(["running", "stale"])]
    curves = points[points["key"] == metric].merge(unfinished, on="run_id")
    if not expected and curves.empty:
        with pytest.raises(UsageError):
            draw(made, *made.grid, metric)
        return
    picture = draw(made, *made.grid, metric, "--top", "99")
    (panel,) = picture.figure.axes
    means = [line for line in panel.get_lines() if line.get_label() == "mean"]
    thin = [line for line in panel.get_lines() if line.get_label() == "mean of fewer"]
    own = {line.get_label(): line for line in panel.get_lines() if line not in (*means, *thin)}
    assert set(own) == set(curves["run_id"])
    for run_id, curve in curves.groupby("run_id"):
        assert list(own[run_id].get_xdata()) == list(curve["step"])
        values = np.where(np.isfinite(curve["value"]), curve["value"], np.nan)
        assert np.array_equal(own[run_id].get_ydata(), values, equal_nan=True)
    rows = [made.place_of(row.overrides) for row in picture.rows]
    drawn = dict(zip([key for key in rows if key in expected], means, strict=True))
    for key, frame in expected.items():
        whole = frame["count"] == runs_with(made, metric)[key]
        assert list(drawn[key].get_xdata()) == list(frame.index)
        wanted = frame["mean"].where(whole)
        assert np.allclose(drawn[key].get_ydata(), wanted, rtol=1e-9, atol=0, equal_nan=True)


def runs_with(made: Generated, metric: str) -> pd.Series:
    """Return the number of finished runs with a metric, by row."""
    points, runs = read_points(made), in_grid(read_runs(made))
    merged = points[points["key"] == metric].merge(runs[runs["state"] == "done"], on="run_id")
    return merged.groupby([*made.keys.values()])["run_id"].nunique()


@pytest.mark.parametrize("number", EXPERIMENTS)
def test_bands_are_the_deviations_that_pandas_computes(
    experiment: Callable[[int], Generated], number: int
) -> None:
    made = experiment(number)
    metric = METRICS[2]
    try:
        picture = draw(made, *made.grid, metric, "--top", "99")
    except UsageError:
        assert not expected_lines(made, metric)
        return
    bounds = [
        (path.vertices[:, 0], path.vertices[:, 1])
        for band in picture.figure.axes[0].collections
        for path in band.get_paths()
    ]
    found = {(int(x), round(y, 9)) for xs, ys in bounds for x, y in zip(xs, ys, strict=True)}
    for key, frame in expected_lines(made, metric).items():
        count = runs_with(made, metric)[key]
        for step, point in frame.iterrows():
            if point["count"] == count > 1 and math.isfinite(point["mean"]):
                for bound in (point["mean"] - point["std"], point["mean"] + point["std"]):
                    assert any(
                        x == step and math.isclose(y, bound, rel_tol=1e-6, abs_tol=1e-9)
                        for x, y in found
                    ), (key, step)


@pytest.mark.parametrize("number", EXPERIMENTS)
def test_heat_map_and_axis_show_the_means_of_the_results(
    experiment: Callable[[int], Generated], number: int
) -> None:
    """The best values, of the finished runs of the grid; of a heat map, over all other axes."""
    made = experiment(number)
    runs = in_grid(read_runs(made))
    done = runs[runs["state"] == "done"]
    expected = done.groupby([*made.keys.values()])["best"].mean().dropna()
    if expected.empty:
        with pytest.raises(UsageError, match=r"no run|no metric"):
            draw(made, *made.grid, "--x", "lr", "best/validation/loss")
        return
    picture = draw(made, *made.grid, "--x", "lr", "best/validation/loss", "--top", "99")
    found = [
        (x, y)
        for container in picture.figure.axes[0].containers
        for x, y in zip(*container.lines[0].get_data(), strict=True)
    ]
    wanted = sorted((lr, value) for (lr, *_), value in expected.items())
    assert np.allclose(sorted(found), wanted, rtol=1e-12, atol=0)
    others = [key for key in made.keys if key not in ("lr", "model.width")]
    averaged = [*(["seed"] if "," in made.grid[2] else []), *others] if others else []
    over = [word for key in averaged for word in ("--over", key)]
    picture = draw(made, *made.grid, *over, "--heat", "lr", "model.width", "test/accuracy")
    shown = np.ma.filled(picture.figure.axes[0].images[0].get_array(), np.nan).flatten()
    tests = done.groupby(["lr", "width"])["test"].mean().dropna()
    assert sorted(shown[~np.isnan(shown)]) == pytest.approx(sorted(tests))


def test_runs_that_are_not_drawn_are_told(experiment: Callable[[int], Generated]) -> None:
    """Failed ones with their class; those of other grids too."""
    told = 0
    for made in map(experiment, range(6)):
        runs = read_runs(made)
        failed = int((in_grid(runs)["state"] == "failed").sum())
        try:
            notes = " | ".join(draw(made, *made.grid).notes)
        except UsageError:
            continue
        assert (f"{failed} failed (class oom)" in notes) is (failed > 0)
        others = len(runs) - len(in_grid(runs))
        assert (f"{others} other run" in notes) is (others > 0)
        told += failed
    assert told


@pytest.fixture
def filled(grid: Grid) -> Grid:
    """Return the grid with three finished runs and a failed one."""
    for lr, seed in ((0.1, 0), (0.1, 1), (0.2, 0)):
        run = grid.make(lr, seed)
        leave(run, **{"test/loss": lr})
        points = [{"key": "loss", "value": lr / step, "step": step} for step in (1, 2)]
        run.metrics.write_text("".join(f"{json.dumps(point)}\n" for point in points))
    grid.make(0.2, 1, record=Record.FAILED)
    return grid


@pytest.mark.parametrize(
    ("words", "values"),
    combined(
        words=[
            ["loss"],
            ["--runs", "loss"],
            ["--band", "range", "loss"],
            ["--x", "lr", "test/loss"],
            ["--heat", "lr", "seed", "--runs"],
            ["--heat", "seed", "lr", "--runs", "loss"],
            ["--parallel", "--runs"],
        ],
        values=[(1.7e308, -1.7e308), (5e-324, 0.0), (math.inf, math.nan)],
    ),
)
def test_numbers_at_the_limits_are_drawn_or_left_out(
    grid: Grid, words: list[str], values: tuple[float, float]
) -> None:
    """No axis and no scale is asked to reach beyond what there is."""
    for place, (lr, seed) in enumerate(((0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1))):
        run = grid.make(lr, seed)
        value = values[place % 2]
        leave(run, **{"test/loss": value if math.isfinite(value) else str(value)})
        points = [{"key": "loss", "value": value / step, "step": step} for step in (1, 2)]
        run.metrics.write_text("".join(f"{json.dumps(point)}\n" for point in points))
    out = grid.folder / "picture.png"
    assert grid.orch("plot", *words, *GRID, "--out", str(out)) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_parallel_coordinates_of_fifty_axes_fit_on_a_page() -> None:
    """The axes move together, and their names are turned, so that they do not overlap."""
    axes = [f"optimizer.group_{n}.lr" for n in range(50)]
    rows = compare(
        [
            RunResults({axis: (n + at) % 3 for at, axis in enumerate(axes)}, {"loss": float(n)})
            for n in range(9)
        ]
    ).rows
    figure = draw_parallel_axes(rows, axes, {"loss": "loss"}, Caption(), Appearance())
    width, height = figure.get_size_inches()
    assert width <= 24
    assert height <= 6
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert all(one.x1 < other.x1 for one, other in pairwise(boxes))
    assert {label.get_rotation() for label in figure.axes[0].get_xticklabels()} == {60}


def test_curve_that_diverges_leaves_the_panel_unless_the_scale_is_logarithmic(
    grid: Grid, output: Callable[[], str]
) -> None:
    """And the notes say so."""
    for lr, last in ((0.1, 1.0), (0.2, 1e9)):
        directory = grid.make(lr, 0)
        points = [{"key": "loss", "value": it, "step": n} for n, it in enumerate((2.0, last), 1)]
        directory.metrics.write_text("".join(f"{json.dumps(point)}\n" for point in points))
    for words, is_told in (([], True), (["--log-y"], False)):
        assert grid.orch("plot", "loss", "--out", str(grid.folder / "x.png"), *words, "--all") == 0
        assert ("loss: 1 curve leaves the panel" in output()) is is_told


@pytest.mark.parametrize("form", ["png", "svg", "pdf", "SVG"])
def test_ending_of_the_file_names_the_format(
    filled: Grid, tmp_path: Path, output: Callable[[], str], form: str
) -> None:
    out = tmp_path / f"picture.{form}"
    assert filled.orch("plot", "--out", str(out)) == 0
    magic = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[form.lower()]
    assert out.read_bytes().startswith(magic)
    lines = output().splitlines()
    assert lines[0] == f"{out}: loss of 2 rows"
    assert "1 run has no results: 1 failed (class error)" in lines
    assert [path.name for path in tmp_path.iterdir() if "picture" in path.name] == [out.name]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--out", "x.jpg"], r"ends in .jpg. Let it end in .png, .svg or .pdf"),
        (["--out", "x"], "has no ending"),
        (["--out", "no/such/x.png"], "no folder no/such"),
        (["--out", "x.png", "accuracy"], "no run has the metric 'accuracy'. Choose one of loss"),
        (
            ["--out", "x.png", "lsos"],
            r"metric 'lsos'. Did you mean 'loss'\? They report",
        ),
        (["--out", "x.png", "--x", "z"], "no such axis. Choose one of lr"),
        (["--out", "x.png", "--x", "lrr"], r"no such axis. Choose one of lr\. Did you mean lr\?"),
        (["--out", "x.png", "--heat", "lr", "seed"], "averaged over"),
        (["--out", "x.png", "--size", "3"], "not a size"),
        (["--out", "x.png", "--size", "0x3"], "not a size"),
        (["--x", "lr"], "--out"),
        (["--out", "x.png", "--x", "lr", "--parallel"], "exclude each other"),
    ],
)
def test_wrong_request_is_told_in_one_line(filled: Grid, words: list[str], match: str) -> None:
    with pytest.raises(UsageError, match=match) as error:
        filled.orch("plot", *words)
    assert "\n" not in str(error.value)


def test_nothing_is_drawn_before_the_first_run(grid: Grid) -> None:
    with pytest.raises(UsageError, match=r"no run in .* has started"):
        grid.orch("plot", "--out", "x.png")


def test_row_without_a_curve_takes_no_line_from_one_that_has_a_curve(filled: Grid) -> None:
    """It has results, and the best ones: it is counted among the further rows."""
    leave(filled.make(0.01, 0), **{"test/loss": 0.0})
    words = ["--config-dir", str(filled.folder / "conf"), "plot", "--all", "--top", "1"]
    options = parse_arguments([*words, "--out", "x.png"])
    separate_metrics(options)
    found = choose_compared_runs(options)
    picture = draw_picture(found, compare_as_asked(found, options), options)
    assert [row.overrides["lr"] for row in picture.rows] == [0.1]


def test_run_without_curves_says_where_they_would_be(grid: Grid) -> None:
    leave(grid.make(0.1, 0), **{"test/loss": 1.0})
    with pytest.raises(UsageError, match=r"metrics\.jsonl"):
        grid.orch("plot", "--out", "x.png")


@pytest.mark.parametrize("metric", ["acc", "ac*"])
def test_metric_without_a_curve_says_what_draws_it(filled: Grid, metric: str) -> None:
    """As ``orch results`` shows it, it is not unknown."""
    for lr, seed in ((0.1, 0), (0.1, 1), (0.2, 0)):
        leave(filled.make(lr, seed), acc=0.5)
    with pytest.raises(UsageError, match=r"has no curve, .* with --x lr, or choose a curve: loss"):
        filled.orch("plot", "--out", "x.png", metric)


def test_metric_of_the_test_set_is_drawn_only_if_named(
    filled: Grid, tmp_path: Path, output: Callable[[], str]
) -> None:
    """As results do not rank by it unless asked."""
    for lr, seed in ((0.1, 0), (0.1, 1), (0.2, 0)):
        filled.make(lr, seed).metrics.unlink(missing_ok=True)
    out = str(tmp_path / "x.png")
    with pytest.raises(UsageError, match=r"no metric is named\. Choose one of test/loss"):
        filled.orch("plot", "--x", "lr", "--out", out)
    assert filled.orch("plot", "test/*", "--x", "lr", "--out", out) == 0
    assert "test/loss" in output()


def test_json_says_what_is_drawn(filled: Grid, tmp_path: Path, output: Callable[[], str]) -> None:
    out = str(tmp_path / "x.svg")
    assert filled.orch("plot", "--out", out, "--json", "--top", "1") == 0
    told = json.loads(output())
    assert (told["kind"], told["metrics"], told["out"]) == ("curves", ["loss"], out)
    (row,) = told["rows"]
    assert (row["runs"], row["with_results"], len(row["run_ids"])) == (2, 1 + 1, 2)


def test_missing_extra_is_told_in_one_line(
    filled: Grid, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("orchestrator.extras.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'orch\[plots\]'"):
        filled.orch("plot", "--out", str(tmp_path / "x.png"))


def test_settings_of_matplotlib_are_left_as_they_were(filled: Grid, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    filled.orch("plot", "--out", str(tmp_path / "x.png"), "--dark")
    assert dict(mpl.rcParams) == before


def test_command_of_another_name_is_no_metric(filled: Grid, tmp_path: Path) -> None:
    """Words with an equals sign are overrides, in any order."""
    out = tmp_path / "x.svg"
    words = ["plot", "lr=0.1", "loss", "--out", str(out), "seed=0,1"]
    assert call(["--config-dir", str(filled.folder / "conf"), *words]) == 0
    assert b">all runs  (2 runs)<" in out.read_bytes()


def test_folder_is_no_metric(filled: Grid) -> None:
    folder = filled.experiment.path
    with pytest.raises(UsageError, match=rf"Choose an experiment with experiment_id={folder.name}"):
        filled.orch("plot", str(folder), "--out", "x.png")

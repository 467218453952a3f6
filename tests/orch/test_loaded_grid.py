"""Tests of orch.load: what a notebook sees of runs is what their files say."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

import orch
from orch.loaded_grid import LoadedGrid

from .run_dirs import make_run, point

pandas = pytest.importorskip("pandas")


@pytest.fixture
def grid(tmp_path: Path) -> LoadedGrid:
    """Return three runs: one done by the trainer, one of a script, one that never began."""
    model = {"name": "mlp", "sizes": [8, 8]}
    make_run(
        tmp_path,
        "aa",
        {"model": model, "lr": 0.1, "seed": 0},
        run={"overrides": {"lr": 0.1}},
        status={"state": "done"},
        progress={"iteration": 3, "iterations": 3, "metrics": {"loss": 0.5, "lr": 0.01}},
        results={"test": {"test/acc": 0.9}, "best": {"iteration": 2, "val": "NaN"}},
        metrics=[point("loss", 1, 0.9), point("loss", 2, 0.7), point("loss", 2, 0.6)],
    )
    make_run(
        tmp_path,
        "ab",
        {"model": {**model, "sizes": [8, 16]}, "lr": 0.2, "seed": 0},
        status={"state": "failed"},
        metrics=[point("loss", 1, 2), point("loss", 2, True), {"key": 7}, point("x", 1, "y")],
    )
    make_run(tmp_path, "b", {"model": model, "lr": 0.1, "seed": 0})
    (tmp_path / "training" / "notes").mkdir()
    return orch.load(tmp_path)


def test_frame_has_the_keys_that_differ_and_the_metrics(grid: LoadedGrid) -> None:
    """A config key with the name of a metric is kept apart from it."""
    frame = grid.frame()
    assert list(frame.index) == [run.id for run in grid] == [f"{x:0<16}" for x in ("aa", "ab", "b")]
    assert list(frame["state"]) == ["done", "failed", "pending"]
    assert list(frame["model.sizes.1"]) == [8, 16, 8]
    assert list(frame["config.lr"]) == [0.1, 0.2, 0.1]
    assert "seed" not in frame
    assert frame["test/acc"].iloc[0] == 0.9
    assert list(frame["loss"].iloc[:2]) == [0.5, 1.0]
    assert frame["lr"].iloc[0] == 0.01
    assert math.isnan(frame["best/val"].iloc[0])


def test_frame_has_the_choices_of_config_groups_that_differ(tmp_path: Path) -> None:
    """As ``orch results`` has them; a key of the config, or a metric, is never replaced."""
    for name, size, logged in (("a", 8, {}), ("b", 16, {"optimizer": 1.0})):
        make_run(
            tmp_path,
            name,
            {"model": {"size": size}, "optimizer": {"lr": size}, "data/set": name, "data.x": size},
            run={
                "choices": {
                    "model": f"model_{name}",
                    "optimizer": f"optimizer_{name}",
                    "data/set": f"data_{name}",
                    "same": "one",
                    "hidden": f"hidden_{name}",
                }
            },
            progress={"metrics": logged},
        )
    frame = orch.load(tmp_path).frame()
    assert list(frame["model"]) == ["model_a", "model_b"]
    assert list(frame["model.size"]) == [8, 16]
    assert list(frame["data/set"]) == ["a", "b"]
    assert frame["optimizer"].iloc[1] == 1.0
    assert not {"same", "hidden"} & set(frame.columns)
    make_run(tmp_path, "c", {"model": {"size": 8}})
    assert "model" not in orch.load(tmp_path).frame()


def test_curves_have_each_point_once(grid: LoadedGrid) -> None:
    """The last value of a metric at a step counts; lines that are not points do not."""
    curves = grid.curves()
    assert [tuple(row) for row in curves[["key", "step", "value"]].itertuples(index=False)] == [
        *(("loss", 1, 0.9), ("loss", 2, 0.6)),
        *(("loss", 1, 2.0), ("loss", 2, 1.0)),
    ]
    assert len(curves.merge(grid.frame(), on="run_id")) == 4


def test_half_of_a_surrogate_pair_spoils_no_table(tmp_path: Path) -> None:
    """JSON can hold it, and neither pandas nor a terminal can."""
    metrics = {"\ud800": 2.0, "word": "\udfff"}
    make_run(
        tmp_path,
        "a",
        {"lr": 1},
        progress={"iteration": 1, "iterations": 1, "metrics": metrics},
        metrics=[point("\ud800", 1, 2.0)],
    )
    grid = orch.load(tmp_path)
    assert list(grid.curves()["key"]) == ["?"]
    assert grid["a"].metrics["?"] == 2.0
    assert "?" in grid.frame().columns


def test_run_is_found_by_the_start_of_its_id(grid: LoadedGrid) -> None:
    assert grid["aa"].overrides == {"lr": 0.1}
    with pytest.raises(KeyError, match=r"2 run IDs start with 'a': there are aa0+, ab0+\W"):
        grid["a"]
    with pytest.raises(
        KeyError, match=r"none of the 3 run IDs start with 'c': there are aa0+, ab0+, b0+"
    ):
        grid["c"]
    with pytest.raises(TypeError, match=r"^grid\[0\]: .* Their list is grid\.runs\.$"):
        grid[0]  # type: ignore[index]


def test_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        orch.load(tmp_path / "digtis")
    with pytest.raises(ValueError, match="it has no runs"):
        orch.load(tmp_path)


def test_folder_with_experiments_names_them(tmp_path: Path) -> None:
    """The one that changed last comes first, and not all of many."""
    for number in range(7):
        (tmp_path / f"e{number}/training").mkdir(parents=True)
        os.utime(tmp_path / f"e{number}/training", (number, number))
    with pytest.raises(
        ValueError, match=r"name one of the experiments in it: .*/e6, .*/e2 and 2 more\.$"
    ):
        orch.load(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [b"\xff{", b"a: [1", b"- 1\n", b"a: 1\n  b: 2\n", b"a: &a {b: *a}", b"pipe", b"sparse", None],
)
def test_run_whose_config_cannot_be_read_spoils_no_table(
    tmp_path: Path, damage: bytes | None
) -> None:
    """Its row has no values of the config; asked for alone, it is one line."""
    for name in ("a", "b", "c"):
        config = {"lr": 0.1 if name == "a" else 0.2, "seed": 0}
        make_run(tmp_path, name, config, status={"state": "done"})
    path = tmp_path / "training" / "c".ljust(16, "0") / "config.yaml"
    path.unlink()
    if damage == b"pipe":
        os.mkfifo(path)
    elif damage == b"sparse":
        path.touch()
        os.truncate(path, 200 << 30)
    elif damage is not None:
        path.write_bytes(damage)
    grid = orch.load(tmp_path)
    frame = grid.frame()
    assert list(frame.columns) == ["state", "lr", "iteration"]
    assert list(frame["lr"].iloc[:2]) == [0.1, 0.2]
    assert math.isnan(frame["lr"].iloc[2])
    with pytest.raises((ValueError, OSError)) as said:
        _ = grid["c"].config
    assert "\n" not in str(said.value)

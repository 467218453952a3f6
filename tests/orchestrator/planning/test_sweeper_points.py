"""Points that are given one by one have the runs that the same command gives ``orch run --app``."""

import itertools
import random
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.planning.load import ConfigSource, load_plan
from orchestrator.planning.sweeper_points import plan_given

APP = """
import hydra

@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    pass
"""
CONFIG = """
defaults: [{model: mlp}, _self_]
lr: 0.1
name: a
seed: 0
hydra: {sweeper: {params: {seed: "1,2"}}}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the folder of an app, whose config has a grid of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "train.py").write_text(APP)
    (tmp_path / "conf/config.yaml").write_text(CONFIG)
    for name in ("mlp", "cnn"):
        (tmp_path / f"conf/model/{name}.yaml").write_text(f"kind: {name}\nwidth: 8\n")


SOURCE = ConfigSource(None, None, [], "train.py")
SEED = "seed=7"  # in place of the values in the config


def ids_of(command: list[str]) -> set[str]:
    """Return the runs of ``orch run --app train.py`` with these overrides."""
    planned = load_plan(ConfigSource(None, None, command, "train.py"))
    return {decision.run.run_id for decision in planned.plan.decisions}


def test_first_of_the_points_with_one_config_is_executed() -> None:
    """The order of its keys is that of the config that a grid would record."""
    for name, keys in (("one", "a: 1\nb: 2\n"), ("two", "b: 2\na: 1\n")):
        Path(f"conf/model/{name}.yaml").write_text(keys)
    planned, run_ids = plan_given(SOURCE, [("model=one", SEED), ("model=two", SEED)])
    (decision,) = planned.plan.decisions
    command = load_plan(ConfigSource(None, None, ["model=one,two", SEED], "train.py"))
    assert run_ids == [decision.run.run_id] * 2
    for run in (decision.run, command.plan.decisions[0].run):
        assert (run.overrides["model"], [*run.config["model"]]) == ("one", ["a", "b"])


def test_runs_are_those_of_the_grid() -> None:
    """In the order of the points, one that is given twice once; with the same folder and axes."""
    points = [
        (f"lr={lr}", f"model={model}", SEED) for lr in (0.3, 0.2, 0.3) for model in ("cnn", "mlp")
    ]
    planned, run_ids = plan_given(SOURCE, points)
    assert set(run_ids) == ids_of(["lr=0.3,0.2", "model=cnn,mlp", SEED])
    assert run_ids[:2] == run_ids[4:]
    assert planned.plan.directory == "results/train/training"
    runs = [decision.run for decision in planned.plan.decisions]
    assert [run.run_id for run in runs] == run_ids[:4]
    assert dict(runs[2].overrides) == {"lr": 0.2, "model": "cnn"}
    assert planned.plan.selection.duplicates == 2


@pytest.mark.parametrize(
    "points",
    [
        [("lr=0.5",)],
        [("name='x, y'", "lr=1"), ("name=b", "lr=1")],
        [("+new=[1,2]", "lr=1e-3"), ("+new=[3]", "lr=1e-3")],
        [("lr=1",), ("lr=2", "name=c"), ("~model", "lr=3")],
        [
            ("model.width=1", "model=cnn"),
            ("model.width=2", "model=mlp"),
            ("model.width=2", "model=cnn"),
        ],
        [("+many={a:1,b:[x,'y z']}", "lr=1")],
        [("lr=1", "lr=2")],
        [("name='${lr}'", "lr=1"), ("name='${lr}'", "lr=2")],
    ],
)
def test_each_point_is_what_its_overrides_make(points: list[tuple[str, ...]]) -> None:
    """Whatever keys and values they have: composed together or alone, the run is the same."""
    _, run_ids = plan_given(SOURCE, [(*point, SEED) for point in points])
    for point, run_id in zip(points, run_ids, strict=True):
        assert {run_id} == ids_of([*point, SEED])


def test_many_keys_with_many_values_are_no_grid() -> None:
    """A sweeper may choose a few points among more than anybody could enumerate."""
    points = [(*(f"+k{key}={key * number}" for key in range(40)), SEED) for number in range(1, 5)]
    planned, run_ids = plan_given(SOURCE, points)
    assert len(set(run_ids)) == len(planned.plan.decisions) == 4


def test_folder_that_depends_on_the_point_is_an_error() -> None:
    """All runs of a batch are of one experiment."""
    with pytest.raises(ConfigError, match="must be equal for all points"):
        plan_given(SOURCE, [("experiment_id=a", SEED), ("experiment_id=b", SEED)])


def test_key_that_the_sweeper_leaves_to_the_config_is_an_error() -> None:
    """It has several values there, and a point has one."""
    with pytest.raises(ConfigError, match="the sweeper gives seed no value"):
        plan_given(SOURCE, [("lr=1",)])


VALUES = (
    *("1", "0.1", "1e-3", "true", "null", "abc", "'x y'", '"it\'s"', "[1,2]", "{a:1,b:[x]}"),
    *("'${lr}'", "a/b", "-3", "'1'", "''", "'a,b'", "x:y", "'\\\\'", "'Ünï'"),
)


@pytest.mark.parametrize("seed", range(20))
def test_generated_points_are_those_of_the_grid(seed: int) -> None:
    """Of every kind of key, with every kind of value and quoting."""
    chance = random.Random(seed)  # noqa: S311 # the same points each time
    keys = chance.sample(["lr", "name", "+new", "++model.deep", "model", "model.width"], 3)
    axes = {
        key: chance.sample(("mlp", "cnn") if key == "model" else VALUES, chance.randint(1, 2))
        for key in keys
    }
    points = [
        (*(f"{key}={value}" for key, value in zip(axes, values, strict=True)), SEED)
        for values in itertools.product(*axes.values())
    ]
    _, run_ids = plan_given(SOURCE, points)
    assert set(run_ids) == ids_of([*(f"{key}={','.join(axes[key])}" for key in axes), SEED])

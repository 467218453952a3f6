"""Which finished runs are like those of a grid."""

from pathlib import Path

import pytest

from orchestrator.execution.similar_runs import find_earlier, find_own

from .finished_plans import AXES, SECONDS, finish, make_config, plan


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_config(tmp_path, monkeypatch)


def test_own_runs_are_those_of_the_plan() -> None:
    finish(plan(*AXES))
    own = find_own(plan("model=mlp,cnn", "lr=0.1", "seed=0,7"))
    assert [run.point for run in own.runs] == [
        {"model": "mlp", "seed": 0},
        {"model": "cnn", "seed": 0},
    ]
    assert [run.seconds for run in own.runs] == [10, 100]


def test_earlier_runs_have_the_values_that_they_were_not_started_with() -> None:
    """A value on an axis of today that was none then stands in the config."""
    finish(plan("model=mlp,cnn", "experiment_id=two"))
    (mlp, cnn) = sorted(find_earlier(plan(*AXES)).runs, key=lambda run: run.seconds)
    assert (mlp.point, mlp.seconds) == ({"model": "mlp", "lr": 0.1, "seed": 0}, 10)
    assert (cnn.point, cnn.seconds) == ({"model": "cnn", "lr": 0.1, "seed": 0}, 100)


def test_value_of_an_earlier_axis_has_to_be_the_one_of_now() -> None:
    """Half of the earlier runs had another one."""
    finish(plan("lr=0.1,0.5", "seed=range(3)", "experiment_id=two"))
    found = find_earlier(plan("seed=range(9)"))
    assert [run.point["lr"] for run in found.runs] == [0.1] * 3
    assert found.experiments == ("two",)


@pytest.mark.parametrize(
    "other", ["lr=0.7", "+more=1", "model=cnn", "name=x", "epochs=20 lr=0.7", "epochs=20 name=x"]
)
def test_another_config_makes_another_kind_of_run(other: str) -> None:
    finish(plan("seed=0,1", "experiment_id=two", *other.split()))
    assert find_earlier(plan("seed=0,1")).runs == []


def test_number_of_iterations_may_differ() -> None:
    """With the name that it is a part of; what it is now is told, too."""
    finish(plan("seed=0,1", "experiment_id=two", "epochs=20"))
    found = find_earlier(plan("seed=0,1"))
    assert (found.counted, found.now) == ("epochs", {"epochs": 10})
    assert [run.point["epochs"] for run in found.runs] == [20, 20]
    for progress in Path("results/two/training").glob("*/progress.json"):
        progress.write_text('{"iteration": 3, "iterations": 3}')  # it is not their number
    assert find_earlier(plan("seed=0,1")).runs == []


def test_runs_with_several_numbers_of_iterations_count_each_with_its_own() -> None:
    """One per command, which gave it to all of its runs."""
    seconds = dict.fromkeys(SECONDS, 4.0)
    for epochs in (2, 5, 40):
        finish(plan("seed=0,1", "experiment_id=two", f"epochs={epochs}"), seconds)
    for overrides in (["seed=0,1"], ["seed=0,1", "epochs=80,90"]):
        found = find_earlier(plan(*overrides))
        assert sorted(run.point["epochs"] for run in found.runs) == [2, 2, 5, 5, 40, 40]


def test_runs_with_several_given_values_count_each_with_its_own() -> None:
    """Only those that have the values of now are like those of the grid."""
    finish(plan("seed=0,1", "experiment_id=two", "lr=0.5"))
    finish(plan("seed=0,1,2", "experiment_id=two"))
    seeds = {run.point["seed"] for run in find_earlier(plan("seed=range(9)")).runs}
    assert seeds == {0, 1, 2}
    points = [run.point["lr"] for run in find_earlier(plan("seed=range(9)", "lr=0.1,0.5")).runs]
    assert sorted(points) == [0.1, 0.1, 0.1, 0.5, 0.5]


def test_experiments_with_the_axes_of_the_grid_come_first() -> None:
    """Only two are read, however many there are."""
    for number in range(5):
        finish(plan("lr=0.1,0.2", f"experiment_id=other{number}"))
    finish(plan(*AXES, "experiment_id=same"))
    for number in range(5, 9):
        finish(plan("lr=0.1,0.2", f"experiment_id=other{number}"))
    found = find_earlier(plan(*AXES))
    assert found.experiments[0] == "same"
    assert {run.seconds for run in found.runs} == set(SECONDS.values())

"""Runs are chosen by their IDs, or by a condition on their configs."""

import argparse
from collections.abc import Sequence

import pytest

from orchestrator.cli.run_choice import choose_runs, separate_runs
from orchestrator.errors import FilterError, UsageError
from orchestrator.grid.identity import Run
from orchestrator.rundir.experiment import ExperimentDirectory


def options(*words: str, where: str | None = None) -> argparse.Namespace:
    found = argparse.Namespace(runs=list(words), overrides=[], where=where)
    separate_runs(found)
    return found


@pytest.fixture
def ids(experiment: ExperimentDirectory, runs: Sequence[Run]) -> list[str]:
    """Return the IDs of three runs, by their seeds."""
    return [experiment.create(run).run_id for run in runs]


def test_overrides_are_told_from_runs() -> None:
    found = options("0123", "lr=0.1", "~model", "+a=b", "4567")
    assert found.runs == ["0123", "4567"]
    assert found.overrides == ["lr=0.1", "~model", "+a=b"]


def test_runs_are_named_by_the_beginning_of_their_ids(
    experiment: ExperimentDirectory, ids: list[str]
) -> None:
    assert choose_runs(options(ids[1][:8], ids[0], ids[1]), experiment) == [ids[1], ids[0]]


@pytest.mark.parametrize(
    ("where", "seeds"), [("seed == 1", {1}), ("seed > 0", {1, 2}), ("lr == 0.1 & seed < 2", {0, 1})]
)
def test_condition_is_on_the_config(
    experiment: ExperimentDirectory, ids: list[str], where: str, seeds: set[int]
) -> None:
    """Whether or not its keys are axes."""
    found = choose_runs(options(where=where), experiment)
    assert set(found) == {ids[seed] for seed in seeds}


@pytest.mark.parametrize(
    ("words", "where", "message"),
    [
        ([], None, "no run is named"),
        (["0123"], "seed == 1", "RUN and --where exclude each other"),
        ([], "sede == 1", r"no run has the key 'sede'\. Did you mean seed\?"),
        ([], "seed == 9", "none of the 3 runs meets it"),
    ],
)
@pytest.mark.usefixtures("ids")
def test_choice_of_nothing_is_one_line(
    experiment: ExperimentDirectory, words: list[str], where: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        choose_runs(options(*words, where=where), experiment)


@pytest.mark.usefixtures("ids")
def test_condition_that_cannot_be_read_is_an_error(experiment: ExperimentDirectory) -> None:
    with pytest.raises(FilterError):
        choose_runs(options(where="seed =="), experiment)


def test_experiment_without_runs_has_none_to_choose(experiment: ExperimentDirectory) -> None:
    with pytest.raises(UsageError, match="nothing was started"):
        choose_runs(options("0123"), experiment)

"""Runs are chosen by their IDs, or by a condition on their configs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.cli.run_choice import choose_runs, refuse_contradictions, separate_runs
from orchestrator.errors import FilterError, UsageError
from orchestrator.grid.identity import Run
from orchestrator.planning.load import ConfigSource, Planned, load_plan
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


def test_choice_contradicts_a_run_only_if_it_has_a_place_in_its_config(tmp_path: Path) -> None:
    """Configs of a group that say what varies may differ: it is the same run."""
    for group, name, text in (
        ("model", "mlp", "kind: mlp"),
        ("model", "cnn", "kind: cnn"),
        ("training", "few", "# @package _global_\nhydra: {sweeper: {params: {seed: '0,1'}}}"),
        ("training", "many", "# @package _global_\nhydra: {sweeper: {params: {seed: '0,1,2'}}}"),
    ):
        (tmp_path / group).mkdir(exist_ok=True)
        (tmp_path / group / f"{name}.yaml").write_text(text)
    (tmp_path / "config.yaml").write_text(
        f"defaults: [_self_, {{model: mlp}}, {{training: few}}]\nresults_dir: {tmp_path}\n"
        "experiment_id: small\nseed: 0\n"
    )

    def planned(*words: str) -> Planned:
        return load_plan(ConfigSource(tmp_path, "config", words))

    made = planned("training=few", "model=mlp")
    made.experiment.training.mkdir(parents=True)
    directories = [made.experiment.create(each.run) for each in made.plan.decisions]
    refuse_contradictions(planned("training=many", "model=mlp").described, directories)
    with pytest.raises(UsageError, match="has model=mlp, and the command line says model=cnn"):
        refuse_contradictions(planned("training=many", "model=cnn").described, directories)

"""The best runs are those that a reading of all runs names, in the same order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.grid.identity import identify
from orchestrator.planning.best_runs import best_reports
from orchestrator.planning.experiment_status import ExperimentStatus, status_of_runs
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, State, Status

_FILES = ("results.json", "progress.json", "metrics.jsonl")
_VALUES = st.sampled_from([None, 0.5, 0.5, 0.25, 1, -3.5, "NaN", "Infinity", "n/a", True])
_RUN = st.tuples(st.sampled_from([None, *Record]), _VALUES, _VALUES, _VALUES)


@pytest.fixture(scope="module")
def make_experiment(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Sequence[tuple[Record | None, object, object, object]]], ExperimentStatus]:
    """Return a function that makes an experiment: per run its record and the metric per file."""

    def make(content: Sequence[tuple[Record | None, object, object, object]]) -> ExperimentStatus:
        experiment = ExperimentDirectory(tmp_path_factory.mktemp("results"), "some")
        experiment.prepare()
        for seed, (record, *values) in enumerate(content):
            directory = experiment.create(identify({"seed": seed}, {"seed": seed}))
            if record:
                directory.write_status(Status(record, 1, now(), "box", 1, ended_at=now()))
            _write(directory.path, dict(zip(_FILES, values, strict=True)))
        return status_of_runs(experiment, experiment.run_ids())

    return make


def _write(path: Path, values: Mapping[str, object]) -> None:
    tested, reported, point = values.values()
    if tested is not None:
        (path / "results.json").write_text(json.dumps({"test": {"loss": tested}}))
    if reported is not None:
        (path / "progress.json").write_text(json.dumps({"metrics": {"loss": reported, "lr": 1}}))
    if point is not None:
        (path / "metrics.jsonl").write_text(json.dumps({"key": "loss", "value": point, "step": 1}))


@settings(deadline=None, max_examples=60)
@given(
    content=st.lists(_RUN, min_size=1, max_size=7),
    most=st.integers(0, 8),
    states=st.lists(st.sampled_from(State), min_size=1, unique=True),
)
def test_best_runs_are_the_first_of_all(
    make_experiment: Callable[..., ExperimentStatus],
    content: list[tuple[Record | None, object, object, object]],
    most: int,
    states: list[State],
) -> None:
    """Whichever file tells the metric, and however many have the same value."""
    status = make_experiment(content)

    def found(number: int | None) -> list[str] | str:
        try:
            best = best_reports(status, "loss", number, states, with_others=True)
        except UsageError as error:
            return str(error)
        return [report.run_id for report in best]

    every = found(None)
    assert found(most) == (every if isinstance(every, str) else every[:most])


def test_unknown_metric_is_an_error_that_names_those_that_there_are(
    make_experiment: Callable[..., ExperimentStatus],
) -> None:
    """Also if only a few runs are asked for."""
    status = make_experiment([(Record.DONE, None, 0.5, None), (Record.FAILED, None, None, 2)])
    with pytest.raises(UsageError, match=r"'los'\. Did you mean 'loss'\? They report loss, lr"):
        best_reports(status, "los", 1, [*State], with_others=True)

"""What finished runs used is read from their directories."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.execution.cost_model import marks_of
from orchestrator.execution.past_peaks import learn_peaks
from orchestrator.planning.load import Planned
from orchestrator.rundir.state import Status

from .finished_plans import AXES, finish, make_config, plan

USED = {"mlp": 1 << 30, "cnn": 5 << 30}


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_config(tmp_path, monkeypatch)


def finish_on_a_gpu(planned: Planned) -> None:
    finish(planned)
    for decision in planned.plan.decisions:
        directory = planned.experiment.run(decision.run.run_id)
        status = directory.read_status()
        assert isinstance(status, Status)
        used = USED[str(decision.run.overrides["model"])]
        directory.write_status(replace(status, gpu="GPU-0", gpu_memory=used))


def test_runs_of_the_grid_tell_about_others_with_the_same_model() -> None:
    finish_on_a_gpu(plan(*AXES))
    peaks = learn_peaks(plan(AXES[0], "lr=0.1,0.3", "seed=7"))
    assert peaks.expect(marks_of({"model": "cnn", "lr": 0.3, "seed": 7})) == USED["cnn"]
    assert peaks.expect(marks_of({"model": "vit", "lr": 0.3, "seed": 7})) is None


def test_earlier_experiment_tells_where_this_one_does_not() -> None:
    finish_on_a_gpu(plan(*AXES))
    peaks = learn_peaks(plan(*AXES, "experiment_id=two"))
    assert peaks.expect(marks_of({"model": "mlp", "lr": 0.1})) == USED["mlp"]


def test_runs_without_a_gpu_tell_nothing() -> None:
    finish(plan(*AXES))
    assert learn_peaks(plan(*AXES)).typical is None

"""The forecast of a plan, from run directories made by hand."""

import json
import os
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from orchestrator.config.halving_settings import Halving
from orchestrator.config.resource_settings import Share
from orchestrator.execution import planned_forecast
from orchestrator.execution.grid_forecast import Capacity, Forecast
from orchestrator.execution.planned_forecast import count_capacity, forecast_plan, sharing_here
from orchestrator.execution.slots import Gpu
from orchestrator.planning.halving_stage import halve
from orchestrator.planning.plan import Decisions
from orchestrator.rundir.state import Record, Status

from .finished_plans import AXES, SECONDS, finish, make_config, plan

BEGAN = 1795946400000  # when the runs of finished_plans began, in milliseconds


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_config(tmp_path, monkeypatch)


def forecast(*overrides: str, slots: int = 1) -> Forecast | None:
    return forecast_plan(plan(*overrides), Capacity(slots))


def expected(*overrides: str) -> float:
    """Return the seconds that are forecast for one worker."""
    told = forecast(*overrides)
    assert told is not None
    assert told.is_whole
    assert told.time is not None
    return told.time.expected


def test_nothing_is_forecast_where_nothing_is_to_be_done_or_known() -> None:
    told = forecast(*AXES)
    assert told == Forecast(8, Capacity(1))
    finish(plan(*AXES))
    assert forecast(*AXES) is None


def test_finished_runs_of_the_grid_tell_about_the_others() -> None:
    """By their model: the seed and the learning rate do not matter."""
    finish(plan(*AXES[:2], "seed=choice(0)"))
    told = forecast(*AXES[:2], "seed=0,1,2")
    assert told is not None
    assert told.time is not None
    assert told.disk is not None
    assert told.time.expected == pytest.approx(2 * 2 * (10 + 100), rel=0.02)
    assert (told.runs, told.known, told.learned_from, told.experiments) == (8, 8, 4, ())
    assert 8 * 100_000 < told.disk.expected < 8 * 150_000


def test_model_that_has_not_run_is_not_guessed() -> None:
    finish(plan("model=choice(mlp)", *AXES[1:]))
    told = forecast(*AXES)
    assert told is not None
    assert (told.runs, told.known, told.unknown) == (4, 0, (("model", "cnn"),))
    assert told.time is None


def test_earlier_experiment_with_the_same_axes_tells() -> None:
    """The newest of them; one with other axes, or another config, does not."""
    finish(plan(*AXES, "experiment_id=other", "+more=1"), dict.fromkeys(SECONDS, 1.0))
    finish(plan(*AXES))
    told = forecast(*AXES, "experiment_id=two")
    assert told is not None
    assert told.experiments == ("one",)
    assert expected(*AXES, "experiment_id=two") == pytest.approx(440, rel=0.02)
    assert expected("model=mlp,cnn", "experiment_id=two") == pytest.approx(110, rel=0.02)
    assert expected("model=choice(cnn)", "lr=0.3,0.4", "experiment_id=two") == pytest.approx(
        200, rel=0.02
    )
    nothing = forecast(*AXES, "experiment_id=two", "+more=2")
    assert nothing is not None
    assert (nothing.known, nothing.learned_from) == (0, 0)


def test_run_without_a_grid_tells_about_the_seeds_of_its_config() -> None:
    """Its values on the axes stand in its config, and the model of a group is recorded."""
    finish(plan())
    assert expected("seed=1,2,3") == pytest.approx(30, rel=0.02)
    told = forecast("model=mlp,cnn", "experiment_id=two")
    assert told is not None
    assert (told.known, told.unknown) == (1, (("model", "cnn"),))


def test_more_iterations_take_longer() -> None:
    """The config says how many there are under the key whose value the programs report."""
    finish(plan(*AXES))
    assert expected(*AXES, "epochs=40", "experiment_id=two") == pytest.approx(4 * 440, rel=0.02)
    assert expected(*AXES, "epochs=40") == pytest.approx(4 * 440, rel=0.02)
    finish(plan("epochs=choice(10)", "experiment_id=three"))
    assert expected("epochs=20,30", "experiment_id=three") == pytest.approx(50, rel=0.02)


def test_runs_that_are_executed_again_have_their_own_number_of_iterations() -> None:
    """Whatever the config says now."""
    longer = plan("epochs=choice(40)")
    finish(longer, {"mlp": 40.0})
    now = plan()
    runs = list(longer.plan.selection.runs)
    again = replace(now, plan=replace(now.plan, decisions=Decisions(runs, {})))
    told = forecast_plan(again, Capacity(1))
    assert told is not None
    assert told.time is not None
    assert told.time.expected == pytest.approx(40, rel=0.02)


def log_steps(start: float, pace: float) -> None:
    """Leave the metrics of the iterations of all runs, which were over after a start."""
    for run in Path("results/one/training").iterdir():
        count = json.loads((run / "progress.json").read_text())["iterations"]
        points = [
            {"key": "loss", "step": step, "value": 1.0, "timestamp": BEGAN + start + pace * step}
            for step in range(1, count + 1)
        ]
        (run / "metrics.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in points))


@pytest.mark.parametrize("known", ["10", "8,10"])
def test_start_of_short_runs_counts_once_in_long_ones(known: str) -> None:
    """Their metrics tell that of 10 s only one is the iterations."""
    finish(plan(f"epochs={known}", "seed=0,1"))
    log_steps(8000, 100)
    assert expected("epochs=choice(2000)", "seed=7") == pytest.approx(9 + 200, rel=0.15)


def test_what_is_saved_is_not_forecast_again() -> None:
    """A run that was asked to stop, half through."""
    finish(plan("seed=0,1,2,3"), most=3)
    directory = plan("seed=choice(3)").experiment.create(
        plan("seed=choice(3)").plan.decisions.run(0)
    )
    directory.write_status(Status(Record.INTERRUPTED, 1, "", "box", 1))
    progress = {"iteration": 5, "iterations": 10, "metrics": {}, "saved": 5}
    (directory.path / "progress.json").write_text(json.dumps(progress))
    (directory.path / "model.bin").write_bytes(os.urandom(90_000))
    assert expected("seed=0,1,2,3") == pytest.approx(5, rel=0.02)
    told = forecast("seed=0,1,2,3")
    assert told is not None
    assert told.disk is not None
    assert 5_000 < told.disk.expected < told.disk.high < 60_000
    log_steps(2600, 600)  # each took 4 s besides its steps
    assert expected("seed=0,1,2,3") == pytest.approx(4 + 5 * 0.6, rel=0.02)


def test_iterations_of_a_run_that_is_extended_are_not_forecast_again() -> None:
    """Nor is the space of a checkpoint that both have."""
    of_trainer = ("orch.command=null", "seed=0,1")
    finish(done := plan(*of_trainer, "+iterations=10"))
    for run in (done.experiment.run(each.run.run_id) for each in done.plan.decisions):
        progress = {"iteration": 10, "iterations": 10, "metrics": {}, "total_read": False}
        (run.path / "progress.json").write_text(json.dumps(progress))
        (run.path / "checkpoints").mkdir()
        with ZipFile(run.path / "checkpoints/000010-0011aabb.pt", "w") as archive:
            archive.writestr("archive/data.pkl", b"state")
    longer = (*of_trainer, "+iterations=40")
    reasons = [each.reason for each in plan(*longer).plan.decisions]
    assert all(each.startswith("extends ") for each in reasons)
    assert expected(*longer) == pytest.approx(2 * 30, rel=0.02)


def test_halved_runs_leave_less_than_all() -> None:
    """Whether each leaves as much as its iterations, or as a whole one, is in the range."""
    finish(plan("+iterations=choice(8)", "seed=0,1", "epochs=8"))
    grid = ("+iterations=choice(8)", "seed=range(10,18)", "epochs=8")
    whole = forecast(*grid)
    halved = forecast_plan(halve(plan(*grid), Halving("loss", True, 2)), Capacity(1))
    assert whole is not None
    assert halved is not None
    assert whole.disk is not None
    assert halved.disk is not None
    assert halved.disk.expected < 0.9 * whole.disk.expected
    assert halved.disk.low < whole.disk.expected / 2
    assert halved.disk.high == whole.disk.high


def test_halved_runs_start_again_after_each_rung() -> None:
    """Of 10 s, 4 of them the start: eight runs to 1 of 8, four to 2, two to 4, one to the end."""
    finish(plan("+iterations=choice(8)", "seed=0,1", "epochs=8"))
    log_steps(2000, 750)
    grid = plan("+iterations=choice(8)", "seed=range(10,18)", "epochs=8")
    halved = halve(grid, Halving("loss", True, 2))
    for slots, seconds in ((1, 8 * 4.75 + 4 * 4.75 + 2 * 5.5 + 7), (8, 4.75 + 4.75 + 5.5 + 7)):
        told = forecast_plan(halved, Capacity(slots))
        assert told is not None
        assert told.time is not None
        assert told.time.expected == pytest.approx(seconds, rel=0.02)


@pytest.mark.parametrize("damage", ["run.json", "status.json", "config.yaml", "progress.json"])
def test_damaged_earlier_runs_are_passed_over(damage: str) -> None:
    finish(plan(*AXES))
    for path in Path("results/one/training").glob(f"*/{damage}"):
        path.write_bytes(b"\x00")
    (Path("results") / "a file").touch()
    (Path("results") / "empty/training").mkdir(parents=True)
    told = forecast(*AXES, "experiment_id=two")
    assert told is not None
    assert told.is_whole == (damage == "progress.json")


def test_many_runs_are_looked_at_now_and_then() -> None:
    """A handful that are to be executed among many are found, and many stand for more."""
    finish(plan("seed=0,1"))
    assert expected("seed=range(30002)") == pytest.approx(300_000, rel=0.02)


@pytest.mark.parametrize(
    ("share", "default"), [(Share(workers=3, gpus="none"), ""), (Share(gpus="none"), "one per CPU")]
)
def test_places_are_those_of_orch_run(share: Share, default: str) -> None:
    slots = share.workers or len(os.sched_getaffinity(0))
    assert count_capacity(share) == Capacity(slots, 0, default)


def test_runs_that_will_share_a_gpu_are_forecast_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fit, by what finished runs used; one per GPU as long as nothing is known."""
    gpus = (Gpu(0, "GPU-0", "H200", 100 << 30),)
    monkeypatch.setattr(planned_forecast, "gpus_here", lambda _: gpus)
    sharing = sharing_here(plan(*AXES), Share())
    assert sharing is not None
    assert (sharing.per_gpu, sharing.unknown) == (None, 8)
    assert count_capacity(Share(), 1, sharing) == Capacity(1, 1, "one per GPU")
    finish(done := plan(*AXES[:2], "seed=choice(0)"))
    for decision in done.plan.decisions:
        directory = done.experiment.run(decision.run.run_id)
        status = directory.read_status()
        assert isinstance(status, Status)
        directory.write_status(replace(status, gpu="GPU-0", gpu_memory=30 << 30))
    sharing = sharing_here(plan(*AXES), Share())
    assert sharing is not None
    assert (sharing.per_gpu, sharing.unknown, sharing.runs) == (2, 0, 4)
    assert count_capacity(Share(), 1, sharing) == Capacity(2, 1, "2 per GPU")
    assert sharing_here(plan(*AXES), Share(workers=3)) is None

"""A run ends early, as done, and after the same iteration whatever killed it in between."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_files import MakeRun, Start, Train, checkpoints_of, points_of, results_of
from thinning import combined
from user_modules import Interrupted, run_program, sabotage

from trainer.early_stopping import EarlyStopping
from trainer.early_stopping_settings import StoppingSettings
from trainer.errors import CallbackError, ConfigError
from trainer.history import History

if TYPE_CHECKING:
    from pathlib import Path

LOSS = "validation/loss"
PATIENT = StoppingSettings(metric=LOSS, mode="min", patience=2)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def ends_after(settings: StoppingSettings, values: list[float]) -> int:
    """Return the iteration after which a run with these values of the metric ends."""
    stopping, history = EarlyStopping(settings), History()
    taken = 0
    for iteration in stopping.rest(0, len(values)):
        stopping.judge(iteration, {LOSS: values[iteration - 1]}, history)
        taken = iteration
    return taken


@pytest.mark.parametrize(
    ("changes", "values", "last"),
    [
        ({}, [3, 2, 1, 1, 1, 0], 5),
        ({}, [3, 4, 2, 4, 4, 0], 5),
        ({"mode": "max"}, [1, 2, 2, 2, 9], 4),
        ({"patience": 1}, [3, 3, 0], 2),
        ({"patience": 9}, [3, 3, 3], 3),
        ({"min_change": 0.5}, [3, 2.6, 2.5, 2.4], 3),
        ({"min_change": 0.5}, [3, 2.6, 2.4, 2.3, 2.2, 0], 5),
        ({"from_iteration": 3}, [0, 0, 5, 5, 5, 5], 5),
        ({}, [nan, nan, nan, 1], 3),
        ({}, [1, nan, nan, 0], 3),
        ({}, [float("inf"), 2, 2, 2, 2], 4),
        ({"patience": None}, [3, 3, 3, 3], 4),
    ],
)
def test_run_ends_when_the_metric_has_not_improved_for_long(
    changes: dict[str, Any], values: list[float], last: int
) -> None:
    own = {"metric": LOSS, "mode": "min", "patience": 2} | changes
    assert ends_after(StoppingSettings(**own), values) == last


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, nan]), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(1, 4),
    st.data(),
)
def test_decision_is_the_same_if_it_is_resumed_anywhere(
    values: list[float], patience: int, from_iteration: int, data: st.DataObject
) -> None:
    """The state between two iterations is all that the next ones depend on."""
    settings = StoppingSettings(LOSS, "min", patience, 0.25, from_iteration)
    stopping, taken = EarlyStopping(settings), 0
    while stopping.reason is None and taken < len(values):
        for iteration in stopping.rest(taken, len(values)):
            stopping.judge(iteration, {LOSS: values[iteration - 1]}, History())
            taken = iteration
            if data.draw(st.booleans()):
                break
        state = stopping.state_dict()
        stopping = EarlyStopping(settings)
        stopping.load_state_dict(state)
    assert taken == ends_after(settings, values)


def test_time_of_all_attempts_counts() -> None:
    clock = Clock()
    limited = StoppingSettings(time_limit=90.0)
    first = EarlyStopping(limited, clock)
    for iteration in first.rest(0, 1):
        clock.now += 60
        first.judge(iteration, {}, History())
    assert first.reason is None
    second = EarlyStopping(limited, clock)
    second.load_state_dict(first.state_dict())
    clock.now += 1000  # between the attempts
    for iteration in second.rest(1, 9):
        clock.now += 40
        second.judge(iteration, {}, History())
    assert second.reason == "the time limit of 1m30s was reached"


def test_metric_that_decides_the_best_iteration_is_the_default() -> None:
    history = History("a", "max")
    stopping = EarlyStopping(StoppingSettings(patience=1))
    for iteration in stopping.rest(0, 5):
        stopping.judge(iteration, {"a": -iteration, "b": iteration}, history)
    assert stopping.reason == "a has not improved for 1 iteration, -1 after iteration 1"


def test_metric_that_is_not_there_is_named() -> None:
    stopping = EarlyStopping(PATIENT)
    with pytest.raises(
        ConfigError, match=r"^stopping.metric: there is no metric 'validation/loss'"
    ):
        stopping.judge(1, {"train/loss": 1.0}, History())


def test_reason_has_to_be_in_words() -> None:
    with pytest.raises(CallbackError, match=r"^trainer.stop: 3 is not a reason"):
        EarlyStopping(PATIENT).stop(3)  # type: ignore[arg-type]


# Whole runs: the loss of the validation of this one is the least after iteration 1.
WORSE: dict[str, Any] = {
    "iterations": 8,
    "stopping": {"metric": "validation/loss", "patience": 2, "min_change": 1.0},
}


def test_run_that_ends_early_is_tested_and_says_why(make_run: MakeRun, train: Train) -> None:
    run_dir = make_run(**WORSE)
    train(run_dir)
    results = results_of(run_dir)
    assert results["iterations"] == 3
    assert results["stopped_early"].startswith(
        "validation/loss has not improved by more than 1 for"
    )
    assert {point["step"] for point in points_of(run_dir)} == {1, 2, 3}
    assert any(key.startswith("test/") for key in results["test"])
    progress = (run_dir / "progress.json").read_text()
    assert '"iteration": 3, "iterations": 8' in progress
    assert '"stopped_early": "validation/loss has' in progress


def test_run_that_reaches_its_last_iteration_did_not_stop_early(
    make_run: MakeRun, train: Train
) -> None:
    run_dir = make_run(**WORSE | {"iterations": 3})
    train(run_dir)
    assert results_of(run_dir)["stopped_early"] is None
    assert "stopped_early" not in (run_dir / "progress.json").read_text()


def test_stopping_changes_no_bit_of_the_iterations_before(make_run: MakeRun, train: Train) -> None:
    early, short = make_run("early", **WORSE), make_run("short", iterations=3)
    train(early)
    train(short)
    assert results_of(early)["digest"] == results_of(short)["digest"]


@pytest.mark.parametrize(
    ("event", "at", "every"),
    combined(event=["iteration_begin", "step_end", "iteration_end"], at=[1, 2, 3], every=[1, 5]),
)
def test_interrupted_run_ends_after_the_same_iteration(
    make_run: MakeRun, train: Train, tmp_path: Path, event: str, at: int, every: int
) -> None:
    """Also if it was interrupted in the very iteration after which it ends, or saves rarely."""
    whole = make_run("whole", **WORSE)
    train(whole)
    saboteur = sabotage(tmp_path, event, at, "raise")
    broken = make_run("broken", curriculum=saboteur, checkpoint={"every": every}, **WORSE)
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    for key in ("iterations", "digest", "stopped_early", "test"):
        assert results_of(broken)[key] == results_of(whole)[key]


def test_run_that_was_killed_before_its_test_does_not_train_on(
    make_run: MakeRun, train: Train
) -> None:
    """The decision is in the checkpoint."""
    run_dir = make_run(**WORSE)
    train(run_dir)
    before = results_of(run_dir)
    (run_dir / "results.json").unlink()
    train(run_dir)
    assert results_of(run_dir) == before
    assert [path.name[:6] for path in checkpoints_of(run_dir)][-1] == "000003"


@pytest.mark.parametrize(
    "event", ["iteration_begin", "step_end", "evaluation_end", "iteration_end"]
)
def test_callback_ends_the_run_after_the_iteration_in_progress(
    make_run: MakeRun, train: Train, event: str
) -> None:
    stopper = {"_target_": "stopping_modules.Stopper", "event": event, "iteration": 2}
    run_dir = make_run(curriculum=stopper)
    train(run_dir)
    results = results_of(run_dir)
    assert (results["iterations"], results["stopped_early"]) == (2, f"asked at {event}")


def test_callback_cannot_end_a_run_that_has_not_begun(make_run: MakeRun, train: Train) -> None:
    stopper = {"_target_": "stopping_modules.Stopper", "event": "train_begin", "iteration": 0}
    with pytest.raises(CallbackError, match=r"^trainer.stop: no iteration has begun"):
        train(make_run(curriculum=stopper))


def test_request_during_the_test_has_no_effect(make_run: MakeRun, train: Train) -> None:
    """A callback of evaluations need not know which one it is."""
    stopper = {"_target_": "stopping_modules.Stopper", "event": "evaluation_end", "iteration": 4}
    run_dir = make_run(curriculum=stopper)
    train(run_dir)
    assert results_of(run_dir)["stopped_early"] is None


def test_request_of_a_callback_is_saved_within_the_iteration(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """The resumed run does not take the step again at which the callback asked."""
    stopper = {"_target_": "stopping_modules.Once", "iteration": 2, "batch_idx": 1}
    within = {"checkpoint": {"within_iteration": 1}}
    whole = make_run("whole", curriculum=stopper, **within)
    train(whole)
    failing = sabotage(tmp_path, "late_step_end", 2, "raise")
    failing["_target_"] = "user_modules.FragileTiny"
    broken = make_run("broken", curriculum=stopper, data=failing, **within)
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    for key in ("iterations", "digest", "stopped_early"):
        assert results_of(broken)[key] == results_of(whole)[key]
    assert results_of(whole)["iterations"] == 2


def test_killed_run_that_a_callback_ends_is_the_same(
    make_run: MakeRun, start: Start, train: Train, tmp_path: Path
) -> None:
    """Killed with SIGKILL in the iteration in which the callback asks."""
    stopper = {"_target_": "stopping_modules.Stopper", "event": "iteration_begin", "iteration": 3}
    whole = make_run("whole", curriculum=stopper)
    train(whole)
    killing = sabotage(tmp_path, "step_end", 3, "kill")
    killing["_target_"] = "user_modules.FragileTiny"
    broken = make_run("broken", curriculum=stopper, data=killing)
    assert start(run_program, broken) < 0
    assert start(run_program, broken) == 0
    for key in ("iterations", "digest", "stopped_early"):
        assert results_of(broken)[key] == results_of(whole)[key]

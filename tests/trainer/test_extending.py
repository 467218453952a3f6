"""A run that differs from another only in the number of iterations begins with what that one has."""

from __future__ import annotations

import hashlib
import json
import shutil
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from run_files import MakeRun, Start, Train, checkpoints_of, places_of, points_of, results_of
from user_modules import Interrupted, run_program, sabotage

from trainer.extending import read_extended

if TYPE_CHECKING:
    from pathlib import Path

SOURCE, RUN, OTHER = "1" * 16, "2" * 16, "3" * 16
COMPARED = ("digest", "test", "best", "final", "iterations", "stopped_early")
SCHEDULERS: dict[str, dict[str, Any]] = {
    "none": {"name": "none"},
    "cosine": {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max": 4},
    "plateau": {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "patience": 0},
}
FALLING = {"_target_": "torch.optim.lr_scheduler.ExponentialLR", "gamma": 0.9}
# The matrix of the tests of resuming.
MATRIX = [*product(("epoch", "step"), (0.0, 0.4), SCHEDULERS)]


def allow(run_dir: Path, *run_ids: str) -> Path:
    """Allow a run to extend others, as the orchestrator does."""
    (run_dir / "run.json").write_text(json.dumps({"extends": [*run_ids]}))
    return run_dir


def extended(
    make_run: MakeRun, train: Train, before: int, after: int, **changes: Any
) -> tuple[Path, Path]:
    """Return a run that extends one with other iterations, and a run from nothing."""
    train(make_run(SOURCE, iterations=before, **changes))
    run_dir = allow(make_run(RUN, iterations=after, **changes), SOURCE)
    train(run_dir)
    whole = make_run("whole", iterations=after, **changes)
    train(whole)
    return run_dir, whole


def check_same(run_dir: Path, whole: Path) -> None:
    """Compare a run with one from nothing: bits, results, and points, each once."""
    for key in COMPARED:
        assert results_of(run_dir)[key] == results_of(whole)[key], key
    assert places_of(run_dir) == places_of(whole)
    values = [[point["value"] for point in points_of(each)] for each in (run_dir, whole)]
    assert values[0] == values[1]


@pytest.mark.parametrize("choice", MATRIX)
def test_extended_run_ends_with_the_bits_of_a_run_from_nothing(
    make_run: MakeRun, train: Train, choice: tuple[str, float, str]
) -> None:
    training_type, dropout, scheduler = choice
    changes = {
        "training_type": training_type,
        "model__dropout": dropout,
        "scheduler": SCHEDULERS[scheduler],
    }
    run_dir, whole = extended(make_run, train, 3, 5, **changes)
    check_same(run_dir, whole)
    assert results_of(run_dir)["extends"] == {"run_id": SOURCE, "iteration": 3}
    assert results_of(whole)["extends"] is None


@pytest.mark.parametrize("number", range(4))
def test_chain_of_random_lengths_ends_with_the_same_bits(
    make_run: MakeRun, train: Train, tmp_path: Path, number: int
) -> None:
    check_chain(make_run, train, tmp_path, Random(number))  # noqa: S311 - no secret


@pytest.mark.soak
@pytest.mark.parametrize("number", range(4, 100))
def test_many_chains_of_random_lengths_end_with_the_same_bits(
    make_run: MakeRun, train: Train, tmp_path: Path, number: int
) -> None:
    check_chain(make_run, train, tmp_path, Random(number))  # noqa: S311 - no secret


def check_chain(make_run: MakeRun, train: Train, tmp_path: Path, random: Random) -> None:
    """Extend and shorten runs, some of them interrupted, and compare each with one from nothing."""
    training_type, dropout, scheduler = random.choice(MATRIX)
    changes: dict[str, Any] = {
        "training_type": training_type,
        "model__dropout": dropout,
        "scheduler": SCHEDULERS[scheduler],
        "checkpoint": {"every": random.choice((1, 2)), "keep_last": random.choice((1, 3))},
        "curriculum": sabotage(tmp_path, "step_end", random.randint(1, 6), "raise"),
    }
    names: list[str] = []
    for link, length in enumerate(random.sample(range(1, 8), 3)):
        run_id = f"{link:016x}"
        run_dir = allow(make_run(run_id, iterations=length, **changes), *names)
        try:
            train(run_dir)
        except Interrupted:
            if random.random() < 0.5:  # the next one extends one that is not done
                names.append(run_id)
                continue
            train(run_dir)
        names.append(run_id)
        whole = make_run(f"whole-{link}", iterations=length, **changes)
        train(whole)
        check_same(run_dir, whole)


def test_run_with_fewer_iterations_is_done_at_once(make_run: MakeRun, train: Train) -> None:
    """If the checkpoint is still kept."""
    run_dir, whole = extended(make_run, train, 5, 4)
    check_same(run_dir, whole)
    assert results_of(run_dir)["extends"] == {"run_id": SOURCE, "iteration": 4}


def test_run_begins_from_nothing_if_no_checkpoint_of_its_iterations_is_kept(
    make_run: MakeRun, train: Train
) -> None:
    # The rate falls, so the last iteration is the best one, and the only one that is kept.
    changes = {"scheduler": FALLING, "checkpoint": {"keep_last": 1, "metric": "lr", "mode": "min"}}
    run_dir, whole = extended(make_run, train, 5, 2, **changes)
    check_same(run_dir, whole)
    assert read_extended(run_dir) is None


def test_best_checkpoint_comes_along(make_run: MakeRun, train: Train) -> None:
    """The test needs it, if no later iteration is better."""
    changes = {"checkpoint": {"keep_last": 1, "metric": "lr", "mode": "max"}}
    run_dir, whole = extended(make_run, train, 3, 5, **changes)
    check_same(run_dir, whole)
    assert results_of(run_dir)["best"]["iteration"] == 1


def test_longest_of_several_runs_is_extended(make_run: MakeRun, train: Train) -> None:
    for run_id, length in ((SOURCE, 2), (OTHER, 3)):
        train(make_run(run_id, iterations=length))
    run_dir = allow(make_run(RUN, iterations=5), SOURCE, OTHER)
    train(run_dir)
    assert results_of(run_dir)["extends"] == {"run_id": OTHER, "iteration": 3}


def test_results_of_the_test_are_not_taken_for_those_of_an_iteration(
    make_run: MakeRun, train: Train
) -> None:
    """Also if they have names of the user's own; the run has a test of its own."""
    extra = {"_target_": "extending_modules.TestScore"}
    run_dir, whole = extended(make_run, train, 2, 4, curriculum=extra)
    check_same(run_dir, whole)
    assert ("score", 2) not in places_of(run_dir)


@pytest.mark.parametrize("damage", ["last", "both", "best", "gone"])
def test_damaged_checkpoint_is_passed_over(make_run: MakeRun, train: Train, damage: str) -> None:
    train(make_run(SOURCE, iterations=3))
    run_dir = allow(make_run(RUN, iterations=5), SOURCE)
    kept = checkpoints_of(run_dir.parent / SOURCE)
    if damage == "gone":
        shutil.rmtree(run_dir.parent / SOURCE)
    else:
        for path in {"last": kept[-1:], "both": kept, "best": kept[:1]}[damage]:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
    train(run_dir)
    whole = make_run("whole", iterations=5)
    train(whole)
    check_same(run_dir, whole)


@pytest.mark.parametrize(
    ("reader", "is_extended"),
    [
        ("settings.iterations", False),
        ("config", False),
        ("cfg", False),
        ("settings.seed", True),
        ("model", True),
    ],
)
def test_run_whose_callbacks_read_its_length_is_not_extended(
    make_run: MakeRun, train: Train, reader: str, *, is_extended: bool
) -> None:
    """Its first iterations may depend on it; who reads something else is not concerned."""
    changes = {"curriculum": {"_target_": "extending_modules.Reader", "what": reader}}
    run_dir, whole = extended(make_run, train, 2, 4, **changes)
    assert (read_extended(run_dir) is not None) is is_extended
    check_same(run_dir, whole)
    told = json.loads((run_dir.parent / SOURCE / "progress.json").read_text())["total_read"]
    assert told is not is_extended


def test_reading_before_a_kill_is_not_forgotten(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    reader = {"_target_": "extending_modules.EarlyReader"}
    saboteur = sabotage(tmp_path, "step_end", 3, "raise") | {"_target_": "user_modules.FragileTiny"}
    source = make_run(SOURCE, iterations=3, curriculum=reader, data=saboteur)
    with pytest.raises(Interrupted):
        train(source)
    train(source)
    run_dir = allow(make_run(RUN, iterations=4, curriculum=reader, data=saboteur), SOURCE)
    train(run_dir)
    assert read_extended(run_dir) is None


def test_another_configuration_is_not_extended(make_run: MakeRun, train: Train) -> None:
    """Whatever `run.json` says."""
    train(make_run(SOURCE, iterations=2, seed=8))
    run_dir = allow(make_run(RUN), SOURCE)
    train(run_dir)
    assert read_extended(run_dir) is None


def test_other_numbers_are_not_extended(
    make_run: MakeRun, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("trainer.checkpoints.state.NUMBERS", 1)
        train(make_run(SOURCE, iterations=2))
    run_dir = allow(make_run(RUN), SOURCE)
    train(run_dir)
    assert read_extended(run_dir) is None


@pytest.mark.parametrize("content", ["", "[]", '{"extends": 3}', '{"extends": ["../x", 3]}'])
def test_any_run_json_is_read(make_run: MakeRun, train: Train, content: str) -> None:
    run_dir = make_run(RUN)
    (run_dir / "run.json").write_text(content)
    train(run_dir)
    assert read_extended(run_dir) is None


def test_run_that_has_begun_takes_nothing_over(make_run: MakeRun, train: Train) -> None:
    """Its points are its own, and may have been sent."""
    train(make_run(SOURCE, iterations=2))
    run_dir = allow(make_run(RUN), SOURCE)
    (run_dir / "metrics.jsonl").write_text("")
    train(run_dir)
    assert read_extended(run_dir) is None


@pytest.mark.parametrize("call", range(1, 7))
def test_kill_while_taking_over_leaves_nothing_half(
    make_run: MakeRun, train: Train, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Killed before each of the writes: the next attempt goes on."""
    changes = {"checkpoint": {"keep_last": 1, "metric": "lr", "mode": "max"}}
    train(make_run(SOURCE, iterations=3, **changes))
    run_dir = allow(make_run(RUN, iterations=5, **changes), SOURCE)
    calls: list[int] = []

    def killed(function: Any) -> Any:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            calls.append(1)
            if len(calls) == call:
                raise Interrupted
            return function(*arguments, **named)

        return wrapper

    with monkeypatch.context() as patch:
        for name in ("replace_file", "copy_points", "sync_folder", "_link"):
            function = __import__("trainer.extending", fromlist=[name]).__dict__[name]
            patch.setattr(f"trainer.extending.{name}", killed(function))
        with pytest.raises(Interrupted):
            train(run_dir)
    train(run_dir)
    whole = make_run("whole", iterations=5, **changes)
    train(whole)
    check_same(run_dir, whole)
    assert read_extended(run_dir) == {"run_id": SOURCE, "iteration": 3}


def test_checkpoints_are_copied_where_there_are_no_hard_links(
    make_run: MakeRun, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    train(make_run(SOURCE, iterations=2))
    run_dir = allow(make_run(RUN), SOURCE)
    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    train(run_dir)
    assert read_extended(run_dir) == {"run_id": SOURCE, "iteration": 2}


def test_run_that_is_being_executed_is_extended(
    make_run: MakeRun, start: Start, train: Train, tmp_path: Path
) -> None:
    """Killed with SIGKILL in its third iteration, and not resumed."""
    killing = sabotage(tmp_path, "step_end", 3, "kill")
    source = make_run(SOURCE, iterations=9, curriculum=killing)
    assert start(run_program, source) < 0
    run_dir = allow(make_run(RUN, iterations=5, curriculum=killing), SOURCE)
    train(run_dir)
    whole = make_run("whole", iterations=5, curriculum=killing)
    train(whole)
    check_same(run_dir, whole)
    found = read_extended(run_dir)
    assert found is not None
    assert found["iteration"] in (1, 2)


def test_run_that_stopped_early_gives_the_same_end_to_a_longer_one(
    make_run: MakeRun, train: Train
) -> None:
    patient = {"stopping": {"metric": "validation/loss", "patience": 2, "min_change": 1.0}}
    run_dir, whole = extended(make_run, train, 6, 9, **patient)
    check_same(run_dir, whole)
    assert results_of(run_dir)["iterations"] == 3


def test_patience_that_ran_out_in_the_last_iteration_ends_a_longer_run(
    make_run: MakeRun, train: Train
) -> None:
    patient = {"stopping": {"metric": "validation/loss", "patience": 2, "min_change": 1.0}}
    run_dir, whole = extended(make_run, train, 3, 9, **patient)
    check_same(run_dir, whole)
    assert results_of(run_dir)["stopped_early"] is not None


def test_run_whose_code_has_changed_is_not_extended(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """Its checkpoints are those of the old code; what was edited and changed back is the same code."""
    module = tmp_path / "module.py"
    module.write_text("x = 1\n")
    made = {"module.py": hashlib.sha256(b"x = 1\n").hexdigest()[:16]}
    source = make_run(SOURCE, iterations=2)
    train(source)
    attempt = {"attempt": 1, "directory": str(tmp_path), "files": made}
    (source / "code.json").write_text(json.dumps({"schema": 1, "attempts": [attempt]}))
    module.write_text("x = 2\n")
    edited = allow(make_run(RUN), SOURCE)
    train(edited)
    assert read_extended(edited) is None
    module.write_text("x = 1\n")
    unchanged = allow(make_run(OTHER), SOURCE)
    train(unchanged)
    assert read_extended(unchanged) == {"run_id": SOURCE, "iteration": 2}


def test_weights_of_the_best_iteration_are_not_resumed_from(
    make_run: MakeRun, train: Train
) -> None:
    """With `checkpoint.every`, they are saved alone."""
    changes = {"checkpoint": {"every": 4, "keep_last": 1, "metric": "lr", "mode": "max"}}
    run_dir, whole = extended(make_run, train, 6, 3, **changes)
    assert any(path.name.startswith("000001-") for path in checkpoints_of(whole))
    check_same(run_dir, whole)
    assert read_extended(run_dir) is None

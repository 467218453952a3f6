"""A run is never a mixture of two versions of the numbers without its results saying so."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import checkpoints_of, places_of, points_of, results_of
from user_modules import Interrupted, sabotage

from trainer.errors import CheckpointError, ConfigError
from trainer.numbers_version import NUMBERS

if TYPE_CHECKING:
    from pathlib import Path

    from run_files import MakeRun, Train


def begun_by(numbers: int | None, run_dir: Path, train: Train) -> None:
    """Train until the run is interrupted, as another version of the trainer had done it.

    `None` is a version that did not write down which one it is.
    """
    with pytest.raises(Interrupted):
        train(run_dir)
    for path in checkpoints_of(run_dir):
        content = torch.load(path, weights_only=True)
        del content["state"]["numbers"]
        if numbers is not None:
            content["state"]["numbers"] = numbers
        torch.save(content, path)
        path.rename(path.with_name(f"{path.name[:6]}-{zlib.crc32(path.read_bytes()):08x}.pt"))
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    olden = [json.dumps(json.loads(line) | {"value": 77.0}) + "\n" for line in lines]
    (run_dir / "metrics.jsonl").write_text("".join(olden))


def broken_run(make_run: MakeRun, tmp_path: Path, **changes: Any) -> Path:
    """Make a run that is interrupted in its third iteration."""
    saboteur = sabotage(tmp_path, "iteration_begin", 3, "raise")
    return make_run("broken", curriculum=saboteur, **changes)


def test_results_checkpoints_and_progress_name_the_version(make_run: MakeRun, train: Train) -> None:
    """Their reader can tell what to compare them with."""
    run_dir = make_run()
    train(run_dir)
    assert results_of(run_dir)["numbers"] == NUMBERS
    assert results_of(run_dir)["numbers_before"] == []
    assert json.loads((run_dir / "progress.json").read_text())["numbers"] == NUMBERS
    for path in checkpoints_of(run_dir):
        assert torch.load(path, weights_only=True)["state"]["numbers"] == NUMBERS


@pytest.mark.parametrize("numbers", [None, NUMBERS + 1, -1])
def test_run_of_other_numbers_begins_again(
    make_run: MakeRun,
    train: Train,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    numbers: int | None,
) -> None:
    """Its results and its curves are of one version; what was there is kept aside, and told of."""
    whole = make_run("whole")
    train(whole)
    broken = broken_run(make_run, tmp_path)
    begun_by(numbers, broken, train)
    before = [path.name for path in checkpoints_of(broken)]
    capsys.readouterr()
    train(broken)
    name = f"numbers-{numbers or 0}"
    (note,) = results_of(broken)["environment_changes"]
    assert note == (
        f"restarted with numbers {NUMBERS}: this version of the trainer does not resume from"
        f" those in earlier/{name}"
    )
    assert f"{note}\n" in capsys.readouterr().out
    assert results_of(broken)["digest"] == results_of(whole)["digest"]
    assert places_of(broken) == places_of(whole)
    assert all(point["value"] != 77.0 for point in points_of(broken))
    aside = broken / "earlier" / name
    assert [path.name for path in checkpoints_of(aside)] == before
    assert {point["value"] for point in points_of(aside)} == {77.0}


def test_run_that_began_again_says_so_after_a_kill_as_well(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """The note does not depend on a checkpoint that may not be there yet."""
    saboteur = sabotage(tmp_path, "iteration_begin", 3, "raise")
    data = sabotage(tmp_path, "iteration_begin", 1, "raise")
    data["_target_"] = "user_modules.FragileTiny"
    (tmp_path / "raise-iteration_begin-1").unlink()
    run_dir = make_run(curriculum=saboteur, data=data)
    begun_by(None, run_dir, train)
    (tmp_path / "raise-iteration_begin-1").touch()
    with pytest.raises(Interrupted):
        train(run_dir)
    train(run_dir)
    assert len(results_of(run_dir)["environment_changes"]) == 1
    assert [path.name for path in (run_dir / "earlier").iterdir()] == ["numbers-0"]


def test_run_of_other_numbers_goes_on_where_the_user_says_so(
    make_run: MakeRun, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its results say that they are a mixture, also after another resume."""
    broken = broken_run(make_run, tmp_path, checkpoint={"other_numbers": "resume"})
    begun_by(None, broken, train)
    capsys.readouterr()
    train(broken)
    note = f"after iteration 2: numbers was 0, is {NUMBERS}"
    assert f"other numbers: {note}\n" in capsys.readouterr().out
    for _ in range(2):
        assert results_of(broken)["environment_changes"] == [note]
        assert results_of(broken)["numbers_before"] == [0]
        train(broken)


def test_run_of_other_numbers_is_refused_where_the_user_says_so(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """Nothing is written, and the version that began it could go on."""
    broken = broken_run(make_run, tmp_path, checkpoint={"other_numbers": "refuse"})
    begun_by(None, broken, train)
    before = {path: path.read_bytes() for path in broken.rglob("*") if path.is_file()}
    for _ in range(2):
        with pytest.raises(
            CheckpointError, match="iteration 2 was computed with numbers 0, but this"
        ):
            train(broken)
    assert before == {path: path.read_bytes() for path in broken.rglob("*") if path.is_file()}


def test_what_was_set_aside_before_is_kept_too(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """Moved back, it is found again, and set aside under another name."""
    broken = broken_run(make_run, tmp_path)
    begun_by(None, broken, train)
    train(broken)
    for path in checkpoints_of(broken):
        path.unlink()
    for path in checkpoints_of(broken / "earlier" / "numbers-0"):
        (broken / "checkpoints" / path.name).write_bytes(path.read_bytes())
    train(broken)
    assert sorted(path.name for path in (broken / "earlier").iterdir()) == [
        "numbers-0",
        "numbers-0.2",
    ]
    assert len(results_of(broken)["environment_changes"]) == 2


def test_environment_decides_for_runs_that_exist_already(
    make_run: MakeRun, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their configuration is never changed."""
    broken = broken_run(make_run, tmp_path, checkpoint={"other_numbers": "refuse"})
    begun_by(None, broken, train)
    monkeypatch.setenv("TRAINER_OTHER_NUMBERS", "whatever")
    with pytest.raises(
        ConfigError, match="other_numbers: 'whatever' is not one of restart, resume"
    ):
        train(broken)
    monkeypatch.setenv("TRAINER_OTHER_NUMBERS", "resume")
    train(broken)
    assert results_of(broken)["numbers_before"] == [0]

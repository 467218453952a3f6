"""Data sets and collating that are random in any way give the same run, killed or not."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from random_data import WAYS
from run_files import MakeRun, Start, Train, results_of
from thinning import alternate_in_soak
from user_modules import Interrupted, run_program, sabotage

from trainer.errors import ConfigError

MIXED: dict[str, Any] = {
    "data": {"_target_": "user_modules.Noisy"},
    "training_type": "step",
    "dataloader": {"collate_fn": {"_target_": "random_data.mixup", "_partial_": True}},
}
RANDOM: dict[str, dict[str, Any]] = {
    "mixed": MIXED,
    "drawing callbacks": MIXED | {"criterion": {"_target_": "random_data.NoisyLoss"}},
    "weighted": {
        "data": {"_target_": "user_modules.Noisy"},
        "dataloader": {
            "sampler": {
                "_target_": "torch.utils.data.WeightedRandomSampler",
                "weights": [1.0, 3.0] * 22,
                "num_samples": 36,
            }
        },
    },
    "made late": {"data": {"_target_": "random_data.Randomly", "way": "made late"}},
    "NumPy's": {"data": {"_target_": "random_data.Randomly", "way": "NumPy's"}},
}


def with_workers(changes: dict[str, Any], workers: int) -> dict[str, Any]:
    """Return changes of the configuration with a number of workers."""
    return changes | {"dataloader": {**changes.get("dataloader", {}), "num_workers": workers}}


@pytest.mark.parametrize("name", RANDOM)
def test_number_of_workers_and_a_kill_change_nothing(
    make_run: MakeRun, start: Start, tmp_path: Path, name: str
) -> None:
    """None, two or four give the same bits, and so does a run that was killed and went on."""
    digests = set()
    for workers in (0, 2, 4):
        run_dir = make_run(f"{workers}", iterations=3, **with_workers(RANDOM[name], workers))
        assert start(run_program, str(run_dir)) == 0, (run_dir / "err.log").read_text()
        digests.add(results_of(run_dir)["digest"])
    for workers in (0, 2):
        saboteur = sabotage(tmp_path, "step_end", 3, "kill")
        changes = with_workers(RANDOM[name], workers)
        run_dir = make_run(f"killed-{workers}", iterations=3, curriculum=saboteur, **changes)
        assert start(run_program, str(run_dir)) == -9
        assert start(run_program, str(run_dir)) == 0
        assert "\nresuming after iteration " in (run_dir / "out.log").read_text()
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 1


@pytest.mark.parametrize("way", alternate_in_soak(WAYS))
def test_resumed_run_ends_with_the_same_digest(
    make_run: MakeRun, train: Train, tmp_path: Path, way: str
) -> None:
    """Whatever a data set draws from."""
    data = {"data": {"_target_": "random_data.Randomly", "way": way}}
    whole = make_run("whole", **data)
    train(whole)
    broken = make_run("broken", curriculum=sabotage(tmp_path, "step_end", 3, "raise"), **data)
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    assert results_of(broken)["digest"] == results_of(whole)["digest"]


@pytest.mark.parametrize(
    ("data", "name"),
    [("OnceRandom", "data.train: random_data.Cached"), ("Unseeded", "data.validation.inner[0]: ")],
)
def test_samples_that_cannot_be_made_again_end_the_program_in_one_line(
    make_run: MakeRun, start: Start, data: str, name: str
) -> None:
    """Before the first batch."""
    run_dir = make_run(data={"_target_": f"random_data.{data}"})
    assert start(run_program, str(run_dir)) == 2
    said = (run_dir / "err.log").read_text()
    assert said.startswith(name)
    assert said.count("\n") == 1
    assert not (run_dir / "metrics.jsonl").exists()


def test_data_set_that_counts_is_asked_for_what_is_trained_with_and_no_more(
    make_run: MakeRun, train: Train
) -> None:
    """Looking at the samples before the training leaves no trace."""
    results = train(make_run(data={"_target_": "random_data.Counting"}))
    assert results["counted"] == 4 * 44


@pytest.mark.parametrize("training_type", ["epoch", "step"])
@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"count": 44}, {"count": 30}, "data.train was 44 samples, "),
        ({"count": 44}, {"count": 9}, "data.train was 44 samples, "),
        ({"count": 30}, {"count": 44}, "is 44 samples, "),
        ({"shift": 0.0}, {"shift": 0.5}, "data.train was 44 samples, "),
        ({"shift": 0.0, "noisy": True}, {"shift": 0.5, "noisy": True}, "is 44 samples, "),
    ],
)
def test_data_that_changed_are_told_and_the_run_goes_on(
    make_run: MakeRun,
    train: Train,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    before: dict[str, Any],
    after: dict[str, Any],
    told: str,
    training_type: str,
) -> None:
    """Fewer samples, more, or others: as when a file was replaced between two attempts."""
    file = tmp_path / "data.yaml"
    OmegaConf.save(OmegaConf.create(before), file)
    run_dir = make_run(
        data={"_target_": "random_data.FromFile", "path": str(file)},
        curriculum=sabotage(tmp_path, "step_end", 3, "raise"),
        training_type=training_type,
        eval_every=5,
    )
    with pytest.raises(Interrupted):
        train(run_dir)
    OmegaConf.save(OmegaConf.create(after), file)
    train(run_dir)
    assert told in capsys.readouterr().out
    (change,) = results_of(run_dir)["environment_changes"]
    assert change.startswith("after iteration 2: data.train was ")


def test_data_with_other_samples_than_a_restriction_is_about_are_refused(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """Nobody knows which of the new ones were meant."""
    file = tmp_path / "data.yaml"
    OmegaConf.save(OmegaConf.create({"count": 44}), file)
    run_dir = make_run(
        data={"_target_": "random_data.FromFile", "path": str(file)},
        model=sabotage(tmp_path, "step_end", 3, "raise") | {"_target_": "random_data.Fragile"},
        curriculum={
            "_target_": "trainer.curriculum.paced.PacedCurriculum",
            "scores": {"_target_": "trainer.curriculum.scores.RandomScores"},
        },
    )
    with pytest.raises(Interrupted):
        train(run_dir)
    OmegaConf.save(OmegaConf.create({"count": 30}), file)
    with pytest.raises(ConfigError, match=r"^data: train has 30 samples, but the run was restrict"):
        train(run_dir)

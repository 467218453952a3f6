"""``orch.load`` gives the model of a run of the trainer, wherever its modules and the notebook are."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from run_files import MakeRun, Train

from orch.loaded_run import LoadedRun
from trainer.errors import TrainerError

BATCH = torch.linspace(-1, 1, 60).reshape(10, 6)
OWN = """\
import torch


class Own(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = torch.nn.Linear(6, width)

    def forward(self, samples, *, scale=1.0):
        return scale * self.layer(samples)[:, :2]
"""


def load_done(run_dir: Path, **records: Any) -> LoadedRun:
    """Return a run that the orchestrator recorded as done."""
    (run_dir / "status.json").write_text(json.dumps({"schema": 1, "state": "done"}))
    for name, content in records.items():
        (run_dir / f"{name}.json").write_text(json.dumps(content))
    return LoadedRun(run_dir)


def test_best_and_last_weights_predict(make_run: MakeRun, train: Train) -> None:
    """As the models do that were loaded with them; the file of each is named."""
    train(run_dir := make_run(checkpoint={"metric": "train/loss", "mode": "max"}))
    run = load_done(run_dir)
    for weights in ("best", "last"):
        outputs = run.predict(BATCH, weights=weights)
        assert torch.equal(outputs, run.load_model(weights)(BATCH))
        assert not outputs.requires_grad
        named = run.checkpoint(weights)
        assert named is not None
        torch.load(named, weights_only=False)
    assert not torch.equal(run.predict(BATCH), run.predict(BATCH, weights="last"))
    assert run.checkpoint("best") == run_dir / "checkpoints/best.pt"


def test_model_of_a_module_in_the_folder_of_the_run_is_found(
    make_run: MakeRun, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the run was executed, if the notebook is elsewhere; and it takes what it takes."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "own_of_this_test.py").write_text(OWN)
    run_dir = make_run(model={"_target_": "own_of_this_test.Own", "width": 4}, iterations=1)
    with monkeypatch.context() as there:
        there.syspath_prepend(str(project))
        train(run_dir)
        sys.modules.pop("own_of_this_test")
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(TrainerError, match="there is no module 'own_of_this_test'"):
        load_done(run_dir).predict(BATCH)
    run = load_done(run_dir, code={"attempts": [{"attempt": 1, "directory": str(project)}]})
    assert torch.equal(run.predict(BATCH, scale=2.0), 2 * run.predict(samples=BATCH))


def test_model_that_asks_for_data_predicts(make_run: MakeRun, train: Train) -> None:
    train(run_dir := make_run(model={"_target_": "grouped_modules.Sized"}, iterations=1))
    assert load_done(run_dir).predict(BATCH).shape == (10, 2)


@pytest.mark.parametrize(
    ("state", "saved", "message"),
    [
        ("failed", None, "the run is failed. Run it to its end"),
        (None, None, "the run is pending. Run it to its end"),
        ("done", None, "it has no checkpoint of the trainer, so there is no model to load"),
        ("done", "model.safetensors", r"load what that has saved, as run.checkpoint\(\)"),
    ],
)
def test_run_without_a_model_of_the_trainer_is_one_line(
    make_run: MakeRun, state: str | None, saved: str | None, message: str
) -> None:
    """As those of foreign programs are."""
    run_dir = make_run()
    if state:
        (run_dir / "status.json").write_text(json.dumps({"schema": 1, "state": state}))
    (run_dir / "checkpoints").mkdir()
    if saved:
        (run_dir / "checkpoints" / saved).touch()
    run = LoadedRun(run_dir)
    for use in (run.load_model, lambda: run.predict(BATCH)):
        with pytest.raises(ValueError, match=message) as said:
            use()
        assert "\n" not in str(said.value)


def test_other_weights_than_best_and_last_are_refused(make_run: MakeRun) -> None:
    with pytest.raises(ValueError, match=r"weights is .worst.\. Set it to .best. or .last."):
        load_done(make_run()).load_model("worst")

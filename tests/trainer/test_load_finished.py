"""One function returns a finished run's model, ready for use."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from run_files import MakeRun, Train, results_of
from torch import nn
from user_modules import Tiny

import trainer
from trainer.errors import TrainerError
from trainer.trainer import ModularTaskTrainer

WORST_FIRST = {"metric": "train/loss", "mode": "max"}
BATCH = torch.linspace(-1, 1, 60).reshape(10, 6)


def test_best_and_last_weights_are_those_that_were_trained(make_run: MakeRun, train: Train) -> None:
    """In evaluation mode, and without a trace in the random numbers."""
    run_dir = make_run(checkpoint=WORST_FIRST, model__dropout=0.5)
    config: Any = OmegaConf.to_container(OmegaConf.load(run_dir / "config.yaml"))
    trained = ModularTaskTrainer(config | {"test_with": "last"}, run_dir)
    trained.train()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    last, best = trainer.load(run_dir, weights="last"), trainer.load(str(run_dir))
    assert torch.equal(torch.get_rng_state(), before)
    assert not last.training
    assert torch.equal(last(BATCH), trained.model.eval()(BATCH))
    assert not torch.equal(last(BATCH), best(BATCH))
    first = make_run("first", iterations=1, model__dropout=0.5)
    train(first)
    assert torch.equal(trainer.load(first)(BATCH), best(BATCH))


def test_run_without_a_best_iteration_has_its_last_weights(make_run: MakeRun, train: Train) -> None:
    """As its test had."""
    run_dir = make_run()
    train(run_dir)
    (run_dir / "checkpoints" / "best.pt").unlink()
    without = results_of(run_dir) | {"best": {"iteration": None}}
    (run_dir / "results.json").write_text(json.dumps(without))
    last = trainer.load(run_dir, weights="last")
    assert torch.equal(trainer.load(run_dir)(BATCH), last(BATCH))


def test_model_that_asks_for_data_gets_them(make_run: MakeRun, train: Train) -> None:
    """As in the training."""
    run_dir = make_run(model={"_target_": "grouped_modules.Sized"}, iterations=1)
    train(run_dir)
    assert trainer.load(run_dir).count == 44


def test_importing_the_package_does_not_import_pytorch() -> None:
    """Only using it does."""
    program = (
        "import sys, trainer; assert 'torch' not in sys.modules; assert callable(trainer.load)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert (
        subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode
        == 0
    )


@pytest.mark.parametrize(
    ("spoil", "weights", "message"),
    [
        ("nothing", "worst", "^weights: 'worst' is not one of best, last"),
        ("config.yaml", "best", "it is not a run directory"),
        ("results.json", "best", "the run is not done. Run it to its end"),
        ("checkpoints", "last", "there are no checkpoints"),
        ("width", "best", "its weights do not fit Mlp as it is built: .*size mismatch"),
        ("best.pt", "best", "best.pt: it cannot be used: .* is damaged"),
    ],
)
def test_run_that_cannot_be_used_is_one_line(
    make_run: MakeRun, train: Train, spoil: str, weights: str, message: str
) -> None:
    """The line says what is wrong with it."""
    run_dir = make_run(iterations=1)
    train(run_dir)
    assert results_of(run_dir)["iterations"] == 1
    damage(run_dir, spoil)
    with pytest.raises(TrainerError, match=message) as said:
        trainer.load(run_dir, weights=weights)
    assert "\n" not in str(said.value)


def damage(run_dir: Path, what: str) -> None:
    """Take something away from a run, or change it."""
    checkpoints = run_dir / "checkpoints"
    if what == "checkpoints":
        for path in checkpoints.glob("*.pt"):
            path.unlink()
    elif what == "width":
        config = run_dir / "config.yaml"
        config.write_text(config.read_text().replace("hidden: 8", "hidden: 9"))
    elif what == "best.pt":
        content = bytearray((checkpoints / what).read_bytes())
        content[len(content) // 2] ^= 1
        (checkpoints / what).write_bytes(content)
    elif what != "nothing":
        (run_dir / what).unlink()


def test_best_weights_that_are_gone_are_not_replaced_by_others(
    make_run: MakeRun, train: Train
) -> None:
    """Its second name is used while it is there; after that it is an error."""
    train(run_dir := make_run(checkpoint=WORST_FIRST))
    best = trainer.load(run_dir)(BATCH)
    (run_dir / "checkpoints" / "best.pt").unlink()
    assert torch.equal(trainer.load(run_dir)(BATCH), best)
    (numbered,) = (run_dir / "checkpoints").glob("000001-*.pt")
    numbered.unlink()
    with pytest.raises(TrainerError, match="it is gone, and so is iteration 1, the best one"):
        trainer.load(run_dir)


@pytest.mark.parametrize("kind", ["NothingReturned", "FoldingInEval", "KeptBackbone"])
def test_model_with_its_own_way_to_be_switched_is_the_one_that_was_tested(
    make_run: MakeRun, train: Train, kind: str
) -> None:
    run_dir = make_run(model={"_target_": f"odd_modules.{kind}"}, test_with="last")
    tested = train(run_dir)["test/loss"]
    samples, labels = Tiny().test[:]
    loss = nn.functional.cross_entropy(trainer.load(run_dir, weights="last")(samples), labels)
    assert loss.item() == pytest.approx(tested, rel=1e-5)

"""Code that looks right and does nothing is refused in one line, not trained for hours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_files import checkpoints_of, results_of
from user_modules import run_program

from trainer.errors import TrainerError

if TYPE_CHECKING:
    from run_files import MakeRun, Start, Train


def net(how: str) -> dict[str, Any]:
    """Configure a model that does one thing wrong."""
    return {"model": {"_target_": "careless_modules.Net", "how": how}}


NOTHING = "^optimizer: no parameter of .* has a gradient, so nothing would be trained"
SPAWN = {"num_workers": 1, "multiprocessing_context": "spawn"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"model hides {name}": (
            net(f"hides {name}"),
            f"^model: Net has an attribute '{name}', which",
        )
        for name in ("eval", "forward", "parameters", "state_dict")
    },
    "model.to returns nothing": (net("to"), r"^model: Net.to\(\) returns a NoneType"),
    "parameters yields names": (net("yields names"), r"^model: Net.parameters\(\) does not yield"),
    "parameters yields nothing": (
        net("yields nothing"),
        r"^model: Net.parameters\(\) does not yield",
    ),
    "lazy layer": (
        net("has a lazy layer that is not called"),
        "^model: a lazy module was not called",
    ),
    "outputs are new": (net("returns a new tensor"), NOTHING),
    "layer is new each time": (net("makes a layer in forward"), NOTHING),
    "optimizer of copies": ({"optimizer": {"_target_": "careless_modules.OfCopies"}}, NOTHING),
    "loss is new": (
        {"criterion": {"_target_": "careless_modules.loss_anew", "_partial_": True}},
        NOTHING,
    ),
    "parameter is created in forward": (
        net("creates a parameter"),
        "^model: scale was created after",
    ),
    "criterion wants more": (
        {"criterion": {"_target_": "careless_modules.Masked"}},
        "^criterion: Masked cannot compare .* missing 1 required positional argument: 'mask'",
    ),
    "state is not taken": (
        {"curriculum": {"_target_": "careless_modules.Silent"}},
        "^curriculum: Silent.load_state_dict has other parameters",
    ),
    **{
        f"{part} is emptied": (
            {"curriculum": {"_target_": "careless_modules.Emptying", "part": part}},
            "^data: there is no sample left to compute a loss of",
        )
        for part in ("train", "validation")
    },
    "samples cannot be sent": (
        {"data": {"_target_": "careless_modules.Locked"}, "dataloader": SPAWN},
        "^dataloader.multiprocessing_context: .* cannot pickle '_thread.lock' object",
    ),
    "model has lost what PyTorch keeps": (
        net("loses its modules"),
        "^model: Net cannot be moved to cpu: 'Net' object has no attribute '_modules'",
    ),
    "samples are strings": (
        {"data": {"_target_": "careless_modules.OfItems", "item": ["a", 1]}},
        "^model: Mlp cannot take a tuple: 'tuple' object has no attribute 'flatten'",
    ),
    "tensors are sparse": (
        {"data": {"_target_": "careless_modules.Sparse"}},
        r"^data: no batch can be cut out of tensors of \[\[44, 6\], \[44\]\]: Could not run",
    ),
    "batches are empty": (
        {"dataloader": {"collate_fn": {"_target_": "careless_modules.empty", "_partial_": True}}},
        "^data: there is no sample left to compute a loss of",
    ),
    "rate is negative": (
        {"scheduler": {"_target_": "careless_modules.Negative"}},
        "^scheduler: Negative sets the learning rate to -0.1, which is below 0",
    ),
    "weights are half": (
        {"precision": "float16", **net("is half")},
        "^precision: gradients cannot be unscaled: Attempting to unscale FP16 gradients",
    ),
    **{
        f"training data get {what}, emptied": (
            {"curriculum": {"_target_": "careless_modules.Emptying", "part": what}},
            said,
        )
        for what, said in (
            ("other", "^data: a callback has assigned another data set to train, which would"),
            ("no tensors", "^data: TensorDataset has no usable length any more: tuple index"),
            ("fewer targets", "^data: no batch can be cut out of tensors of .* index out of range"),
        )
    },
    "layer is replaced, emptied": (
        {
            **net(""),
            "curriculum": {"_target_": "careless_modules.Emptying", "part": "model"},
        },
        "^model: layer.weight was created after the optimizer, which does not have it",
    ),
    "arguments by place are a mapping": (
        {"model": {"_target_": "careless_modules.Net", "_args_": {"how": ""}}},
        "^model._args_: {'how': ''} is not a list of arguments",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_careless_module_is_refused(make_run: MakeRun, train: Train, case: str) -> None:
    """In one line; only what happens in the second iteration leaves a checkpoint of the first."""
    changes, message = REFUSED[case]
    run_dir = make_run(**{"iterations": 2, "eval_every": 1, **changes})
    with pytest.raises(TrainerError, match=message) as caught:
        train(run_dir)
    assert "\n" not in str(caught.value)
    assert len(checkpoints_of(run_dir)) == ("emptied" in case)
    assert not (run_dir / "results.json").exists()


def test_gradients_that_are_used_as_they_come_are_fine(make_run: MakeRun, train: Train) -> None:
    """The optimizer finds none, as a hook has trained the parameters."""
    train(make_run(iterations=1, **net("uses gradients as they come")))


def run_there(folder: str, run_dir: str) -> None:
    """Train a run that is named relative to a folder."""
    os.chdir(folder)
    run_program(run_dir)


def test_run_stays_where_it_is_if_a_module_changes_the_folder(
    make_run: MakeRun, start: Start, tmp_path: Path
) -> None:
    """However it is named."""
    run_dir = make_run(iterations=1, data={"_target_": "careless_modules.Wandering"})
    assert start(run_there, str(tmp_path), run_dir.name) == 0
    assert results_of(run_dir)["test"]
    assert checkpoints_of(run_dir)

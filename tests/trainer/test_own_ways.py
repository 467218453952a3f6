"""What users write in ways of their own keeps every promise, or is refused in one line."""

from typing import Any

import pytest
import torch
from odd_modules import CountingLoader, Named, Scaled, Signed
from run_files import Interrupt, MakeRun, Start, Train, points_of, results_of
from torch.utils.data import DataLoader, TensorDataset
from user_modules import labelled, run_program

from trainer.errors import ConfigError
from trainer.loading.loaders import make_loader
from trainer.settings import read_settings

PICTURES = {
    "data": {"_target_": "odd_modules.Pictures"},
    "model": {"_target_": "odd_modules.Convolved"},
}
RAMP = {"data": {"_target_": "odd_modules.Ramp"}, "training_type": "step"}
DATA: dict[str, dict[str, Any]] = {
    "augmented tensors": {"data": {"_target_": "odd_modules.Augmented"}},
    "channels last": PICTURES,
    "ramp": RAMP,
    "ramp, persistent": RAMP | {"training_type": "epoch", "dataloader": {"name": "x"}},
    "two threads": {"data": {"_target_": "odd_modules.Normalized"}, "threads": 2},
    "collated": {
        "dataloader": {"collate_fn": {"_target_": "odd_modules.double_up", "_partial_": True}}
    },
}


@pytest.mark.parametrize("data", DATA)
def test_number_of_workers_changes_nothing(make_run: MakeRun, start: Start, data: str) -> None:
    """Data sets, memory layouts, callbacks on data, threads, ways to collate."""
    digests = set()
    for workers in (0, 2):
        changes = {"iterations": 3, **DATA[data]}
        loading = {**changes.pop("dataloader", {}), "num_workers": workers}
        if workers and "persistent" in data:
            loading["persistent_workers"] = True
        run_dir = make_run(f"workers-{workers}", dataloader=loading, **changes)
        assert start(run_program, str(run_dir)) == 0, (run_dir / "out.log").read_text()
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 1


def test_augmentation_of_a_tensor_dataset_is_used(make_run: MakeRun, train: Train) -> None:
    """A subclass that makes its samples itself is asked for them."""
    digests = set()
    for name, data in (("plain", "user_modules.Tiny"), ("augmented", "odd_modules.Augmented")):
        train(run_dir := make_run(name, iterations=1, data={"_target_": data}))
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 2


RESUMED: dict[str, dict[str, Any]] = {
    "ramp": RAMP,
    "wide momentum": {"optimizer": {"_target_": "odd_modules.WideMomentum"}},
    "asgd": {"optimizer": {"_target_": "torch.optim.ASGD", "lr": 0.1}, "precision": "bfloat16"},
    "demanded metric": {"scheduler": {"_target_": "odd_modules.Halving"}},
    "signs": {"optimizer": {"_target_": "odd_modules.Signed", "lr": 0.01, "momentum": 0.9}},
}


@pytest.mark.parametrize("way", RESUMED)
def test_resumed_run_ends_with_the_same_digest(interrupt: Interrupt, way: str) -> None:
    """Whatever types an optimizer's state has, whatever a scheduler demands."""
    interrupt("step_end", 3, **RESUMED[way])


@pytest.mark.parametrize("optimizer", [Signed, Scaled, Named])
def test_optimizer_steps_as_in_a_loop_by_hand(
    make_run: MakeRun, train: Train, optimizer: type[torch.optim.Optimizer]
) -> None:
    """Gradients are there before the step, unless a closure is demanded."""
    digests = {}
    for name in (f"odd_modules.{optimizer.__name__}", "torch.optim.SGD"):
        run_dir = make_run(name, optimizer={"_target_": name, "lr": 0.1})
        train(run_dir)
        digests[name] = results_of(run_dir)["digest"]
    assert (len({*digests.values()}) == 1) is (optimizer is not Signed)


def test_loader_may_be_the_users_own(make_run: MakeRun, train: Train) -> None:
    """Its class is named as any other's, and the bits are the same."""
    CountingLoader.passes = 0
    digests = []
    for name, loading in (("own", {"_target_": "odd_modules.CountingLoader"}), ("ours", {})):
        train(run_dir := make_run(name, dataloader=loading))
        digests.append(results_of(run_dir)["digest"])
    assert digests[0] == digests[1]
    assert CountingLoader.passes == 4 + 4 + 1  # iterations, validations, the test


def test_numbers_of_any_kind_are_reported(make_run: MakeRun, train: Train) -> None:
    """Tensors, NumPy's, and one that JSON does not know."""
    run_dir = make_run(
        curriculum={"_target_": "odd_modules.Numbers"},
        iterations=2,
        checkpoint={"metric": "mine", "mode": "min"},
    )
    train(run_dir)
    results = results_of(run_dir)
    assert results["best"] == {"iteration": 1, "mine": "Infinity"}
    assert (results["test"]["a"], results["test"]["b"]) == (0.25, 3.0)


@pytest.mark.parametrize(
    ("samples", "loading", "message"),
    [
        (
            labelled(0),
            {"drop_last": True},
            "^data: train has 44 samples, too few for a batch. .*drop_last",
        ),
        (
            TensorDataset(torch.zeros(0, 6), torch.zeros(0)),
            {},
            "^data: train has 0 samples, too few",
        ),
        (TensorDataset(torch.zeros(4)), {}, "^data: a sample of train has one part. Make it"),
        (labelled(0), {"_target_": "builtins.list"}, "^dataloader: builtins.list: "),
        (labelled(0), {"_target_": "torch.nn.Identity"}, "returns a Identity, not a .*DataLoader"),
        (
            labelled(0),
            {"collate_fn": {"_target_": "odd_modules.nothing"}},
            "does not have 'nothing'",
        ),
    ],
)
def test_data_that_make_no_batches_are_refused(
    samples: Any, loading: dict[str, Any], message: str
) -> None:
    """Before anything is trained, in one line."""
    keys = {"seed": 0, "iterations": 1, "batch_size": 50, "dataloader": loading}
    with pytest.raises(ConfigError, match=message):
        make_loader(samples, "train", read_settings(keys))


def test_batches_lie_in_memory_as_pytorchs_do() -> None:
    """Kernels choose by the layout in which order they round."""
    images = torch.randn(20, 8, 8, 1).permute(0, 3, 1, 2)
    for values in (images, images.contiguous(), images.expand(20, 3, 8, 8)):
        samples = TensorDataset(values, torch.zeros(20))
        settings = read_settings({"seed": 0, "iterations": 1, "batch_size": 8})
        batch = next(iter(make_loader(samples, "validation", settings)))[0]
        theirs = next(iter(DataLoader(samples, batch_size=None, sampler=[[*range(8)]])))[0]
        assert torch.equal(batch, theirs)
        assert batch.stride() == theirs.stride()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"curriculum": {"_target_": "odd_modules.Forgetful"}}, "^curriculum: Forgetful has state"),
        ({"optimizer": {"_target_": "odd_modules.Deaf"}}, "^optimizer: Deaf.step never called"),
        (
            {"optimizer": {"_target_": "torch.optim.SGD", "lr": "fast"}},
            "^optimizer.lr: 'fast' is not",
        ),
        (
            {"model": {"_target_": "torch.nn.Linear", "_args_": [6, -2]}},
            "^model: torch.nn.Linear: ",
        ),
    ],
)
def test_what_cannot_work_is_refused(
    make_run: MakeRun, train: Train, changes: dict[str, Any], message: str
) -> None:
    """In one line that says where."""
    with pytest.raises(ConfigError, match=message):
        train(make_run(**changes))


def test_hydras_own_keys_are_understood(make_run: MakeRun, train: Train) -> None:
    """Arguments by place, and a function with some of its arguments."""
    run_dir = make_run(
        model={"_target_": "torch.nn.Linear", "_args_": [6, 2]},
        criterion={
            "_target_": "torch.nn.functional.cross_entropy",
            "_partial_": True,
            "label_smoothing": 0.1,
        },
    )
    assert train(run_dir)["test/accuracy"] > 0.5


def test_restricting_at_the_first_step_counts_from_the_next_pass(
    make_run: MakeRun, train: Train
) -> None:
    """An iteration that has begun is a whole pass, and the next one has two batches."""
    run_dir = make_run(curriculum={"_target_": "odd_modules.Restricting"}, iterations=3)
    train(run_dir)
    steps = [point["value"] for point in points_of(run_dir) if point["key"] == "mine/steps"]
    assert steps == [6, 2, 2]


def test_samples_and_outputs_may_have_a_structure(make_run: MakeRun, train: Train) -> None:
    """Dictionaries in, tuples out: whatever model and criterion agree on."""
    changes = {
        "data": {"_target_": "odd_modules.NamedData"},
        "model": {"_target_": "odd_modules.TwoHeaded"},
        "criterion": {"_target_": "odd_modules.TwoHeadedLoss"},
        "checkpoint": {"metric": "validation/loss", "mode": "min"},
    }
    assert [*train(make_run(**changes))] == ["test/loss"]
    recall = {"_target_": "torchmetrics.classification.BinaryRecall"}
    with pytest.raises(ConfigError, match=r"^metrics: the model returns a tuple"):
        train(make_run("measured", metrics={"recall": recall}, **changes))

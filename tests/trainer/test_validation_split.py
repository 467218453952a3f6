"""Data without a validation set get one from their training set: the same samples for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import MakeRun, Train, results_of
from torch.utils.data import Subset, TensorDataset
from unsplit import Fixed, Streamed, Unsplit

import trainer as package
from trainer.deciding_keys import deciding_keys
from trainer.errors import ConfigError
from trainer.settings import read_settings
from trainer.validation_split import SplitSettings, read_split, split_off

if TYPE_CHECKING:
    from run_files import Interrupt

SPLIT = {"size": 0.25}


def unsplit(**how: str) -> dict[str, Any]:
    """Return the configuration of data without a validation set."""
    return {"data": {"_target_": "unsplit.Unsplit", **how}}


@pytest.mark.parametrize("kind", ["tensors", "made"])
@pytest.mark.parametrize("training_type", ["epoch", "step"])
def test_interrupted_run_ends_with_the_same_bits(
    interrupt: Interrupt, kind: str, training_type: str
) -> None:
    interrupt(
        "step_end", 3, validation_split=SPLIT, training_type=training_type, **unsplit(kind=kind)
    )


@pytest.mark.parametrize("size", [1, 11, 0.25, 0.001, 43])
@pytest.mark.parametrize("validation", ["absent", "none"])
def test_samples_are_in_one_of_the_parts(size: float, validation: str) -> None:
    """Each in one, in the order of the data; tensors stay tensors."""
    data: Any = Unsplit(validation=validation)
    whole = data.train.tensors[0]
    split_off(data, SplitSettings(size), 7)
    parts = [data.train.tensors[0], data.validation.tensors[0]]
    assert [len(each) for each in parts] == [
        44 - len(parts[1]),
        max(1, round(size if size >= 1 else 44 * size)),
    ]
    both = torch.cat(parts)
    assert sorted(map(tuple, both.tolist())) == sorted(map(tuple, whole.tolist()))
    order = [whole.tolist().index(each) for each in parts[0].tolist()]
    assert order == sorted(order)


def test_samples_that_are_made_are_a_subset() -> None:
    data: Any = Unsplit(kind="made")
    split_off(data, SplitSettings(4), 0)
    assert isinstance(data.train, Subset)
    assert {*data.train.indices}.isdisjoint(data.validation.indices)
    assert len(data.train) + len(data.validation) == 44


def test_seed_decides_which_samples_are_taken() -> None:
    taken = []
    for settings, seed in (
        (SplitSettings(10), 1),
        (SplitSettings(10), 1),
        (SplitSettings(10, 1), 5),
        (SplitSettings(10), 2),
    ):
        data: Any = Unsplit()
        split_off(data, settings, seed)
        assert isinstance(data.validation, TensorDataset)
        taken.append(data.validation.tensors[0])
    assert torch.equal(taken[0], taken[1])
    assert torch.equal(taken[0], taken[2])
    assert not torch.equal(taken[0], taken[3])


def test_seed_of_its_own_keeps_the_samples_of_runs_with_other_seeds(
    make_run: MakeRun, train: Train
) -> None:
    environments = []
    for seed in (1, 2):
        run_dir = make_run(
            f"{seed}", seed=seed, validation_split={"size": 9, "seed": 3}, **unsplit()
        )
        train(run_dir)
        environments.append(results_of(run_dir)["environment"]["data.validation"])
    assert environments[0] == environments[1]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (lambda: Unsplit(validation="there"), "^validation_split: Unsplit has a validation set"),
        (Streamed, "^validation_split: train is a Stream, which is not a map-style"),
        (Fixed, "^validation_split: the data sets of Fixed cannot be set"),
        (lambda: None, "^validation_split: train is a NoneType, which is not"),
    ],
)
def test_data_that_cannot_be_split_are_refused_in_one_line(data: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        split_off(data(), SplitSettings(5), 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ({"size": 0}, "^validation_split.size: 0 is neither"),
        ({"size": 1.5}, "^validation_split.size: 1.5 is neither"),
        ({"size": 1.0}, "^validation_split.size: 1.0 is neither"),
        ({"size": True}, "^validation_split.size: True is neither"),
        ({"size": "10%"}, "^validation_split.size: '10%' is neither"),
        ({"size": 0.1, "seed": -1}, "^validation_split.seed: -1 is not"),
        ({"seed": 1}, "^validation_split.size: missing, so that seed has no effect"),
        ({"fraction": 0.1}, "^validation_split.fraction: this key is unknown. Use one of size"),
    ],
)
def test_wrong_key_is_refused_in_one_line(group: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_split(group)


def test_split_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="leaves none of the 44 samples to train with"):
        split_off(Unsplit(), SplitSettings(44), 0)


def test_missing_validation_set_is_told_with_the_key(make_run: MakeRun, train: Train) -> None:
    with pytest.raises(ConfigError, match=r"Give it one, or set validation_split\.size"):
        train(make_run(**unsplit()))


def test_no_split_is_no_other_run() -> None:
    plain = {"seed": 0, "iterations": 1}
    decides = deciding_keys(plain, read_settings(plain))
    with_none = plain | {"validation_split": {"size": None}}
    assert deciding_keys(with_none, read_settings(with_none)) == decides
    with_some = plain | {"validation_split": SPLIT}
    assert deciding_keys(with_some, read_settings(with_some)) != decides


def test_model_that_takes_the_data_is_loaded_with_the_split(
    make_run: MakeRun, train: Train
) -> None:
    run_dir = make_run(model={"_target_": "unsplit.Counted"}, validation_split=SPLIT, **unsplit())
    train(run_dir)
    assert len(package.load(run_dir).seen) == 33  # type: ignore[arg-type] # a buffer

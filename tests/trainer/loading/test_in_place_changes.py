"""A change of a data set is noticed, wherever it is made; where nothing changed, nothing is done."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import random_data
import torch
from changing_data import Logging, Marked, Shifted
from random_data import Samples, Wrapped
from torch import nn
from torch.utils.data import Subset, TensorDataset
from user_modules import NoisySamples, labelled

from trainer.callbacks.events import collect_callbacks
from trainer.loading.in_place_changes import MOST_BYTES, mark_of
from trainer.loading.loaders import make_loader
from trainer.settings import read_settings
from trainer.training_position import TrainingBatches


def in_place(samples: TensorDataset) -> None:
    """Change a number in a tensor."""
    samples.tensors[0][3, 2] += 1


def behind_pytorch(samples: TensorDataset) -> None:
    """Change a number in a tensor, in a way of which PyTorch keeps no count."""
    samples.tensors[0].numpy()[3, 2] += 1


class Holder:
    """Hold whatever there is."""

    kind = "class"
    __slots__ = ("__dict__", "slot")

    def __init__(self) -> None:
        self.slot, self.easy, self.hard = [1], [1, 2, 1], [3]
        self.current = self.easy
        self.array, self.names = np.arange(3), ["a", "b"]
        self.model = nn.Linear(2, 2)

    def __getitem__(self, index: int) -> Any:
        """Use a global of the module."""
        return random_data.STRENGTH * index


def alias(holder: Holder) -> None:
    """Let a name mean something else that is there already."""
    holder.current = holder.hard


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "a tensor": (lambda: labelled(0), in_place),
    "a tensor, by NumPy": (lambda: labelled(0), behind_pytorch),
    "an attribute": (lambda: Shifted(labelled(0)), lambda it: setattr(it, "extra", 1)),
    "a dictionary": (lambda: Shifted(labelled(0)), lambda it: it.settings.update(shift=1.0)),
    "inside": (lambda: Wrapped(Shifted(labelled(0))), lambda it: it.inner[0].settings.clear()),
    "indices": (lambda: Subset(labelled(0), [1, 2, 1]), lambda it: it.indices.__setitem__(2, 2)),
    "an item": (Holder, lambda it: it.easy.__setitem__(2, 2)),
    "an alias": (Holder, alias),
    "a slot": (Holder, lambda it: it.slot.append(2)),
    "an array": (Holder, lambda it: it.array.__setitem__(0, 9)),
    "a text": (Holder, lambda it: it.names.__setitem__(0, "c")),
    "a weight": (Holder, lambda it: nn.init.zeros_(it.model.weight)),
    "the class": (Holder, lambda _: setattr(Holder, "kind", Holder.kind + "!")),
    "a global": (Holder, lambda _: setattr(random_data, "STRENGTH", random_data.STRENGTH + 1)),
    "a closure": (
        lambda: Samples(labelled(0), random_data.adding([1.0])),
        lambda it: it.noise.__closure__[0].cell_contents.append(2.0),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_is_noticed(name: str) -> None:
    """And without one, the mark stays the same."""
    make, change = CHANGES[name]
    samples = make()
    before = mark_of(samples)
    assert before is not None
    assert mark_of(samples) == before
    change(samples)
    assert mark_of(samples) != before


@pytest.mark.parametrize(
    "samples",
    [
        TensorDataset(torch.zeros(MOST_BYTES // 4 + 1)),
        Subset(labelled(0), [0] * 30_000),
        Wrapped(threading.local()),
        Wrapped(iter([1])),
        Wrapped(torch.zeros(2, device="meta")),
    ],
)
def test_mark_is_none_where_a_change_could_not_be_seen(samples: Any) -> None:
    """Or only at some length: workers are started again then, as if something had changed."""
    assert mark_of(samples) is None


def pids_of(samples: Any, callbacks: object, **options: Any) -> list[set[float]]:
    """Return the workers that made the samples of each iteration of two steps."""
    config = {"seed": 1, "iterations": 1, "batch_size": 8}
    settings = read_settings(config | {"dataloader": {"num_workers": 1, **options}})
    is_watched = collect_callbacks({"data": callbacks}).may_change_data
    batches = TrainingBatches(make_loader(samples, "train", settings, is_watched=is_watched))
    found = []
    for _ in range(5):
        if is_watched:
            batches.renew()
        taken = []
        for _ in range(2):
            taken += batches.take()[0][0][:, 5].tolist()
            batches.end_pass()
        found.append({*taken})
    return found


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_live_on_where_callbacks_change_no_data(persistent: bool) -> None:  # noqa: FBT001
    """A callback that only looks costs no worker its life."""
    options = {"persistent_workers": persistent}
    watched = pids_of(Marked(labelled(0)), Logging(), **options)
    assert len({*map(frozenset, watched[:3])}) == 1  # a pass is three iterations of two steps
    assert (watched[3] == watched[0]) is persistent


def test_loaders_of_unchanged_noise_keep_their_mark() -> None:
    """Drawing random numbers is not a change."""
    samples = NoisySamples(labelled(0))
    before = mark_of(samples)
    assert samples[0] is not None
    assert mark_of(samples) == before

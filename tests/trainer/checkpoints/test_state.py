"""What was saved is given back as it was: types, and places."""

from __future__ import annotations

from collections import Counter, OrderedDict
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from trainer.checkpoints.reading import Saved
from trainer.checkpoints.state import restore
from trainer.held_optimizers import HeldOptimizers
from trainer.run_config import Watch
from trainer.trainer import ModularTaskTrainer

# Stands in for a GPU: a device that every machine has, and that is not the CPU.
AWAY = torch.device("meta")


class Keeper:
    """Keep what it is given back."""

    def __init__(self) -> None:
        self.given: Any = None

    def state_dict(self) -> Any:
        return {}

    def load_state_dict(self, given: Any) -> None:
        self.given = given


def given_back(device: torch.device, *, was_away: bool, **modules: Any) -> None:
    """Restore the states of modules, each a module and its state."""
    states = {role: state for role, (_, state) in modules.items()}
    far = frozenset(
        tensor.untyped_storage().data_ptr()
        for tensor in tensors(states)
        if was_away and tensor.dtype.is_floating_point
    )
    trainer = SimpleNamespace(
        device=device,
        stateful={role: module for role, (module, _) in modules.items()},
        held=HeldOptimizers({}),
        batches=Keeper(),
        history=Keeper(),
        stopping=Keeper(),
        watch=Watch(),
        generators=Keeper(),
    )
    state = {
        "iteration": 3,
        "modules": states,
        "batches": {},
        "history": {},
        "environment_changes": [],
    }
    restore(cast("ModularTaskTrainer", trainer), Saved(state, far))


def tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if not isinstance(value, dict | list | tuple):
        return []
    inside = value.values() if isinstance(value, dict) else value
    return [each for item in inside for each in tensors(item)]


@pytest.mark.parametrize(("was_away", "place"), [(True, "meta"), (False, "cpu")])
def test_module_gets_its_tensors_where_they_were(*, was_away: bool, place: str) -> None:
    """In the containers that it had put them into."""
    keeper = Keeper()
    state = {
        "list": [torch.ones(2), (torch.ones(3),)],
        "ordered": OrderedDict(a=torch.ones(1)),
        "counted": Counter(),
        "number": torch.tensor(1),
    }
    given_back(AWAY, was_away=was_away, keeper=(keeper, state))
    given = keeper.given
    found = [given["list"][0], given["list"][1][0], given["ordered"]["a"]]
    assert {each.device.type for each in found} == {place}
    assert given["number"].device.type == "cpu"
    assert [type(each) for each in given.values()] == [list, OrderedDict, Counter, Tensor]


def test_counts_are_not_added_up() -> None:
    """Whatever else is on a GPU."""
    keeper = Keeper()
    state = {"counted": Counter(a=2), "far": torch.ones(1)}
    given_back(AWAY, was_away=True, keeper=(keeper, state))
    assert keeper.given["counted"] == Counter(a=2)


def test_strings_that_an_optimizer_keeps_are_restored() -> None:
    """PyTorch makes descriptions of generators of them."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    kept = {
        "mode": "slow",
        "past": ["fast", ("slow", {"slow"})],
        "inside": OrderedDict(mode="fast"),
        "either": frozenset({"slow", "fast"}),
        "bytes": b"slow",
    }
    state = optimizer.state_dict() | {"state": {0: kept}}
    given_back(torch.device("cpu"), was_away=False, optimizer=(optimizer, state))
    assert [*optimizer.state.values()] == [kept]
    assert type(optimizer.state.popitem()[1]["inside"]) is OrderedDict


@pytest.mark.parametrize(
    ("was_away", "is_away", "place"),
    [(True, True, "cpu"), (False, True, "meta"), (True, False, "cpu"), (False, False, "cpu")],
)
def test_what_an_optimizer_keeps_on_the_cpu_stays_there(
    *, was_away: bool, is_away: bool, place: str
) -> None:
    """Unless the training itself moved: then all of it is where the parameters are."""
    device = AWAY if is_away else torch.device("cpu")
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2, device=device))], lr=0.1)
    state = optimizer.state_dict()
    counts = torch.tensor([1, 2])
    state["state"] = {0: {"momentum_buffer": torch.ones(2, dtype=torch.float64), "counts": counts}}
    given_back(device, was_away=was_away, optimizer=(optimizer, state))
    (kept,) = optimizer.state.values()
    assert kept["momentum_buffer"].device.type == device.type
    assert kept["momentum_buffer"].dtype is torch.float64
    assert kept["counts"].device.type == place
    assert kept["counts"].dtype is torch.int64

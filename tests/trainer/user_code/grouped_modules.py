"""Modules whose parameters are trained in ways of their own, and targets that ask for modules."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR


class ScaleNorm(nn.Module):
    """Scale what it is given to one length."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, width) to the same."""
        return self.gain * nn.functional.normalize(values, dim=-1)


class Net(nn.Module):
    """Have parameters of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(4, 6)
        self.body = nn.Linear(6, 6)
        self.norm = nn.LayerNorm(6)
        self.scale = ScaleNorm()
        self.head = nn.Linear(6, 2)

    def forward(self, samples: Tensor) -> Tensor:
        """Map samples (batch, 6) to logits (batch, 2)."""
        return self.head(self.scale(self.norm(self.body(samples + self.words.weight[0]))))


class WeightedLoss(nn.Module):
    """Weigh the loss by a parameter, with an optimizer of its own from some time on, or without."""

    def __init__(self, when: str = "never", *, frozen: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()), requires_grad=not frozen)
        self.when = when
        self.own: Optimizer | None = SGD([self.weight], lr=0.1) if when == "init" else None

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the weighted mean loss."""
        loss = nn.functional.cross_entropy(logits, targets)
        return loss * torch.exp(-self.weight) + self.weight

    def cb_on_train_begin(self, trainer: object) -> None:
        """Make the optimizer, if it is time."""
        if self.when == "begin":
            self.own = SGD([self.weight], lr=0.1)

    def cb_on_iteration_end(self, trainer: object, iteration: int, metrics: dict[str, Any]) -> None:
        """Report the weight."""
        metrics["weight"] = self.weight.detach()


class Remembering:
    """Remember a number."""

    def __init__(self, value: int) -> None:
        self.value = value

    def state_dict(self) -> dict[str, int]:
        """Return the number."""
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on with a number."""
        self.value = state["value"]


def of_the_model(model: nn.Module, lr: float = 0.1) -> Optimizer:
    """Make an optimizer of a model's last two parameters."""
    return SGD([*model.parameters()][-2:], lr=lr)


def halved(iteration: int) -> float:
    """Halve the learning rate in each iteration."""
    return 0.5**iteration


def named(name: str, optimizer: Optimizer, model: nn.Module | None = None) -> LambdaLR:
    """Make a schedule by its name, as `transformers.get_scheduler` does."""
    assert isinstance(model, nn.Module)
    factor = {"constant": 1.0, "off": 0.0}[name]
    return LambdaLR(optimizer, lambda _iteration: factor)


class Asking:
    """Ask for every module, and for some that have values of their own."""

    def __init__(
        self,
        data: object,
        model: object,
        criterion: object,
        optimizer: object,
        scheduler: object = None,
        name: str = "nobody",
        dataset: object = None,
    ) -> None:
        self.given = [data, model, criterion, optimizer, scheduler]
        self.label = name
        self.dataset = dataset


class Choosing(nn.Linear):
    """Be one of a zoo, by name."""

    def __init__(self, name: str = "small", data: str = "text") -> None:
        super().__init__(6, {"small": 2, "large": 3}[name])
        self.text = data


class Sized(nn.Linear):
    """Know how many training samples there are."""

    def __init__(self, data: Any) -> None:
        super().__init__(6, 2)
        self.count = len(data.train)


class Shifting:
    """A criterion that is not a module: nothing trains its tensors, unless it does."""

    def __init__(self, how: str) -> None:
        self.held: Any = torch.zeros(2, requires_grad=True)
        if how == "network":
            self.held = [nn.Linear(2, 2)]
        if how in ("frozen", "trained"):
            self.held = nn.Linear(2, 2).requires_grad_(how == "trained")
        if how == "trained":
            self.optimizer = torch.optim.SGD(self.held.parameters(), lr=0.1)

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Shift the logits."""
        if isinstance(self.held, Tensor):
            return nn.functional.cross_entropy(logits + self.held, targets)
        network = self.held[0] if isinstance(self.held, list) else self.held
        return nn.functional.cross_entropy(network(logits), targets)


class Around(torch.optim.SGD):
    """An optimizer around another one, which has the parameters."""

    def __init__(self, inner: Optimizer, slow: float = 0.5) -> None:
        super().__init__(inner.param_groups, lr=slow)
        self.inner = inner


class Pair:
    """A curriculum of two parts that require modules."""

    def __init__(self, parts: list[object], more: dict[str, object]) -> None:
        self.parts, self.more = parts, more


class Needing:
    """A part that requires the model."""

    def __init__(self, model: nn.Module, optimizer: Optimizer, number: int) -> None:
        self.given = (model, optimizer, number)


class Hiding(nn.Module):
    """A model with parts where PyTorch does not find them."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.layer, self.inner = how, nn.Linear(6, 6), nn.Module()
        part, scale = nn.Linear(6, 2), torch.ones(2, requires_grad=True)
        if how == "frozen":
            part.requires_grad_(False)
        if how == "trained":
            self.own = torch.optim.SGD(part.parameters(), lr=0.1)
        self.part: Any = part.__call__  # the layer itself would be found
        parts: dict[str, Any] = {
            "dictionary": {"a": part},
            "tensor": scale,
            "inner list": None,
            "without gradient": (part,),
        }
        self.parts = parts.get(how, [part])
        if how == "tensor":
            self.part = lambda samples: samples[:, :2] * scale
        if how == "inner list":
            self.inner.parts = [None, scale]  # type: ignore[assignment]  # hidden on purpose
            self.part = lambda samples: samples[:, :2] * scale

    def forward(self, samples: Tensor) -> Tensor:
        """Classify."""
        hidden = self.layer(samples)
        if self.how == "without gradient":
            with torch.no_grad():
                noise = self.part(samples)
            return hidden[:, :2] + noise  # type: ignore[no-any-return]  # a tensor
        return self.part(hidden)  # type: ignore[no-any-return]  # a tensor

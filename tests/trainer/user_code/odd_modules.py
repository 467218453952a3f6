"""Modules as users write them who know PyTorch well, and do some things in ways of their own."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, TensorDataset
from user_modules import NoisySamples, Tiny, labelled


class AugmentedTensors(TensorDataset):
    """Keep samples in tensors, and add noise to each that is taken."""

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """Make a sample."""
        sample, label = super().__getitem__(index)
        return sample + 0.3 * torch.randn_like(sample), label


class Augmented(Tiny):
    """Augment the training set."""

    def __init__(self) -> None:
        super().__init__()
        self.train = AugmentedTensors(*self.train.tensors)


class Merging(nn.Module):
    """Add a low-rank update to frozen weights, which have it in evaluation mode, as loralib does."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(6, 2).requires_grad_(False)
        self.down, self.up = nn.Parameter(torch.randn(2, 6)), nn.Parameter(torch.zeros(2, 2))

    def train(self, mode: bool = True) -> "Merging":  # noqa: FBT001, FBT002 - as above
        """Take the update out of the weights, or add it."""
        if mode is not self.training:
            with torch.no_grad():
                self.frozen.weight += self.up @ self.down * (-1 if mode else 1)
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        outputs: Tensor = self.frozen(x)
        return outputs + x @ (self.up @ self.down).T if self.training else outputs


class Generating:
    """Be in training mode at the end of an iteration, as after a callback that generates something."""

    def cb_on_iteration_end(self, *_: object) -> None:
        """Generate something."""
        self.eval()
        self.train()


class Sampling(Generating, Merging):
    """Merge, too."""


class Counting(Generating, nn.Sequential):
    """Count what it is called on, as batch norm does in training mode."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))

    def cb_on_iteration_begin(self, *_: object) -> None:
        """Call it."""
        self(torch.ones(2, 6))


class Registering(Generating, nn.Module):
    """Have another layer in evaluations."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.fused: nn.Linear | None = None

    def train(self, mode: bool = True) -> "Registering":  # noqa: FBT001, FBT002 - as above
        """Make the layer, or remove it."""
        if mode is not self.training:
            self.fused = None if mode else copy.deepcopy(self.layer).requires_grad_(False)
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        outputs: Tensor = (self.fused or self.layer)(x)
        return outputs


class Passing(nn.Sequential):
    """Have a part whose `train()` has no default, drop out, and be called between the iterations."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(6, 4), Inner(), nn.BatchNorm1d(4), nn.Linear(4, 2))

    def cb_on_iteration_begin(self, *_: object) -> None:
        """Call it."""
        self(torch.ones(2, 6))


class Inner(nn.Dropout):
    """Pass the mode on."""

    def train(self, mode: bool) -> "Inner":  # type: ignore[override]  # noqa: FBT001 - what is tested
        """Switch it."""
        return super().train(mode)


class Drawing(nn.Module):
    """Draw the inputs of an evaluation when it is switched to it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.mask = torch.ones(6)

    def train(self, mode: bool = True) -> "Drawing":  # noqa: FBT001, FBT002 - as above
        """Draw the inputs."""
        if mode is not self.training:
            self.mask = torch.ones(6) if mode else (torch.rand(6) < 0.7).float()
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        outputs: Tensor = self.layer(x * self.mask)
        return outputs


class DrawingItself(Drawing):
    """Draw them with a generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(1)

    def train(self, mode: bool = True) -> "DrawingItself":  # noqa: FBT001, FBT002 - as above
        """Draw the inputs."""
        is_switched = mode is not self.training
        super().train(mode)
        if is_switched:
            mask = torch.rand(6, generator=self.generator) < 0.7
            self.mask = torch.ones(6) if mode else mask.float()
        return self


class KeptBackbone(nn.Sequential):
    """Keep the first part, which merges an update, in evaluation mode, whatever the mode."""

    def __init__(self) -> None:
        super().__init__(Merging(), nn.Linear(2, 2))
        nn.init.ones_(self[0].up)

    def train(self, mode: bool = True) -> "KeptBackbone":  # noqa: FBT001, FBT002 - as above
        """Keep it."""
        super().train(mode)
        self[0].eval()
        return self


class DrawingAlways(nn.Sequential):
    """Draw the inputs whenever it is told to be in training, and keep a norm in evaluation mode."""

    def __init__(self) -> None:
        super().__init__(nn.BatchNorm1d(6), nn.Linear(6, 2))
        self.mask = torch.ones(6)

    def train(self, mode: bool = True) -> "DrawingAlways":  # noqa: FBT001, FBT002 - as above
        """Draw the inputs."""
        self.mask = (torch.rand(6) < 0.7).float() if mode else torch.ones(6)
        super().train(mode)
        self[0].eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        outputs: Tensor = super().forward(x * self.mask)
        return outputs


class Anchored(nn.Module):
    """Stay near the weights with which an iteration begins, and on some of the inputs, drawn for it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.anchor, self.mask = torch.zeros(2, 6), torch.ones(6)

    def train(self, mode: bool = True) -> "Anchored":  # noqa: FBT001, FBT002 - as above
        """Keep the weights, and draw the inputs."""
        if mode and not self.training:
            self.anchor = self.layer.weight.detach().clone()
            self.mask = (torch.rand(6) < 0.7).float()
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        if not self.training:
            outputs: Tensor = self.layer(x)
            return outputs
        weight = 0.9 * self.layer.weight + 0.1 * self.anchor
        return nn.functional.linear(x * self.mask, weight, self.layer.bias)


class HeadOnly(nn.Module):
    """Switch only the head, which folds its weights for evaluations; another part is in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Folding()
        self.norm = nn.BatchNorm1d(6)
        self.frozen = nn.Sequential(self.norm).eval()

    def train(self, mode: bool = True) -> "HeadOnly":  # noqa: FBT001, FBT002 - as above
        """Switch the head, and the norm that is in two places."""
        self.head.train(mode)
        self.norm.train(mode)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        outputs: Tensor = self.head(self.norm(x))
        return outputs


class FoldingLoss(nn.Module):
    """A criterion with weights, which its callbacks switch."""

    classifies = True

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.folded: Tensor | None = None

    def train(self, mode: bool = True) -> "FoldingLoss":  # noqa: FBT001, FBT002 - as above
        """Fold the weights, or drop what was folded."""
        self.folded = None if mode else 2 * self.scale.detach()
        return super().train(mode)

    def cb_on_evaluation_begin(self, *_: object) -> None:
        """Switch it."""
        self.eval()

    def cb_on_iteration_begin(self, *_: object) -> None:
        """Switch it back."""
        self.train()

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        scale = 2 * self.scale if self.folded is None else self.folded
        return nn.functional.cross_entropy(outputs * scale, targets)


class Dora(nn.Module):
    """Merge an update and scale the weights, by norms that it keeps until it takes both out again."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.update, self.scale = nn.Parameter(torch.randn(2, 6)), nn.Parameter(torch.ones(2, 1))
        self.norm = torch.ones(2, 1)

    def train(self, mode: bool = True) -> "Dora":  # noqa: FBT001, FBT002 - as above
        """Take the update and the scale out of the weights, or add them."""
        weight = self.layer.weight
        with torch.no_grad():
            if mode and not self.training:
                weight.copy_(weight * self.norm / self.scale - self.update)
            elif not mode and self.training:
                self.norm = (weight + self.update).norm(dim=1, keepdim=True)
                weight.copy_(self.scale * (weight + self.update) / self.norm)
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        if not self.training:
            outputs: Tensor = self.layer(x)
            return outputs
        weight = self.layer.weight + self.update
        weight = self.scale * weight / weight.norm(dim=1, keepdim=True)
        return nn.functional.linear(x, weight, self.layer.bias)


class Replacing(nn.Module):
    """Merge an update as `Merging` does, into new memory for the weights, all of which are trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.update = nn.Parameter(torch.randn(2, 6))

    def train(self, mode: bool = True) -> "Replacing":  # noqa: FBT001, FBT002 - as above
        """Take the update out of the weights, or add it."""
        if mode is not self.training:
            change = self.update.detach() * (-1 if mode else 1)
            self.layer.weight.data = self.layer.weight.data + change
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        outputs: Tensor = self.layer(x)
        return outputs + x @ self.update.T if self.training else outputs


class FoldingInEval(nn.Module):
    """Fold its weights in `eval()` itself, and drop what was folded when it is called in training."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.folded: Tensor | None = None

    def eval(self) -> "FoldingInEval":
        """Fold the weights."""
        super().eval()
        self.folded = 2 * self.layer.weight.detach()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        self.folded = None if self.training else self.folded
        weight = 2 * self.layer.weight if self.folded is None else self.folded
        return nn.functional.linear(x, weight, self.layer.bias)


class NothingReturned(nn.Module):
    """Forget to return itself."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def train(self, mode: bool = True) -> None:  # type: ignore[override]  # noqa: FBT001, FBT002 - what is tested
        """Keep the layer in evaluation mode."""
        super().train(mode)
        self.layer.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        outputs: Tensor = self.layer(x)
        return outputs


class Folding(nn.Module):
    """Fold its weights for evaluations, as layers for inference do; what is folded is not a state."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.folded: Tensor | None = None

    def train(self, mode: bool = True) -> "Folding":  # noqa: FBT001, FBT002 - as above
        """Fold the weights, once, or drop what was folded."""
        if mode is not self.training:
            self.folded = None if mode else 2 * self.layer.weight.detach()
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        weight = 2 * self.layer.weight if self.folded is None else self.folded
        return nn.functional.linear(x, weight, self.layer.bias)


def picture_set(seed: int) -> TensorDataset:
    """Make images (samples, 3, 8, 8) that lie in memory with the channels last."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(44) % 2
    images = torch.randn(44, 8, 8, 3, generator=generator) + labels[:, None, None, None]
    return TensorDataset(images.permute(0, 3, 1, 2), labels)


class Pictures:
    """Offer images as cameras give them, permuted for PyTorch."""

    def __init__(self) -> None:
        self.train, self.validation, self.test = map(picture_set, range(3))


class Convolved(nn.Sequential):
    """Look at images."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2))


class Ramp(Augmented):
    """Augment more strongly from iteration to iteration."""

    def __init__(self) -> None:
        super().__init__()
        self.train = Ramped(*self.train.tensors)

    def cb_on_iteration_begin(self, trainer: object, iteration: int) -> None:
        """Turn it up."""
        del trainer
        self.train.strength = 0.2 * iteration


class Ramped(TensorDataset):
    """Shift samples by as much as somebody says."""

    strength = 0.0

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """Make a sample."""
        sample, label = super().__getitem__(index)
        return sample + self.strength, label


def mean_of(samples: Tensor) -> Tensor:
    """Sum up so much that several threads share it."""
    return (samples - samples.mean()) / samples.std()


class Normalized(Tiny):
    """Normalize large samples one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.train = LargeSamples(labelled(0))
        self.validation, self.test = LargeSamples(labelled(1)), LargeSamples(labelled(2))


class LargeSamples(NoisySamples):
    """Blow samples up, and normalize them."""

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample (6,) of sums over many numbers."""
        sample, label = self.samples[index]
        large = sample[:, None] * torch.linspace(0.1, 1.7, 60_000)
        return mean_of(large).std() * large.mean(dim=1), label


class WideMomentum(torch.optim.Optimizer):
    """Sum up gradients in float64, and count steps in an integer tensor."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Step."""
        del closure
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter, dtype=torch.float64)
                    state["step"] = torch.zeros((), dtype=torch.int64)
                    state["both"] = [torch.ones(1, dtype=torch.float64) / 3]
                state["step"] += 1
                state["both"][0] /= 3
                state["momentum"].mul_(0.9).add_(parameter.grad.double() / 3)
                parameter.sub_(group["lr"] * state["momentum"].float() / state["step"].sqrt())


class Signed(torch.optim.SGD):
    """Work on the gradients before the step, as in a loop by hand."""

    def step(self, closure: Any = None) -> Any:
        """Keep the signs of the gradients only."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad.sign_()
        return super().step(closure)


class Scaled(torch.optim.SGD):
    """Take something optional that is not a closure."""

    def step(self, scale: float = 1.0) -> None:  # type: ignore[override]
        """Scale gradients."""
        for parameter in self.param_groups[0]["params"]:
            parameter.grad *= scale
        super().step()


class Named(torch.optim.SGD):
    """Demand a closure by name."""

    def step(self, *, closure: Any) -> Tensor:  # type: ignore[override]
        """Evaluate, then step."""
        with torch.enable_grad():
            loss: Tensor = closure()
        super().step()
        return loss


class Deaf(torch.optim.SGD):
    """Demand a closure, and never call it."""

    def step(self, closure: Any) -> None:  # type: ignore[override]
        """Do nothing."""


class Halving(LRScheduler):
    """Halve the learning rate when a metric has risen; the metric is demanded."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.lowest = float("inf")
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Leave them."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _initial_step(self) -> None:
        """Wait for the first metric."""

    def step(self, metric: float) -> None:  # type: ignore[override]
        """Take in the metric of an iteration."""
        if metric > self.lowest:
            for group in self.optimizer.param_groups:
                group["lr"] /= 2
        self.lowest = min(self.lowest, metric)


def double_up(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Collate samples, each twice."""
    batch = torch.utils.data.default_collate(samples)
    return torch.cat([batch[0], batch[0]]), torch.cat([batch[1], batch[1]])


class CountingLoader(DataLoader[Any]):
    """Load, and know in how many passes."""

    passes = 0

    def __iter__(self) -> Any:
        """Count a pass."""
        type(self).passes += 1
        return super().__iter__()


class Forgetful:
    """Save a state, and never take it back."""

    def state_dict(self) -> dict[str, int]:
        """Return something."""
        return {"n": 1}


class Numbers:
    """Report numbers of many kinds, and one that is beyond all bounds."""

    def cb_on_iteration_end(self, trainer: object, iteration: int, metrics: dict[str, Any]) -> None:
        """Add some."""
        del trainer
        metrics["mine"] = (
            torch.tensor(float("inf")) if iteration < 3 else torch.tensor(1.5).double()
        )

    def cb_on_train_end(self, trainer: object, test_results: dict[str, Any]) -> None:
        """Add some more."""
        del trainer
        test_results["a"], test_results["b"] = torch.tensor(0.25), torch.tensor(3).numpy()[()]


class Restricting:
    """Leave two batches of the training set, at the first step of an iteration."""

    def __init__(self) -> None:
        self.steps = 0

    def cb_on_step_begin(self, trainer: Any, iteration: int, batch_idx: int) -> None:
        """Restrict, once."""
        if (iteration, batch_idx) == (1, 0):
            trainer.batches.restrict(torch.arange(16))
        self.steps += 1

    def cb_on_iteration_end(self, trainer: object, iteration: int, metrics: dict[str, Any]) -> None:
        """Tell how many steps there were."""
        del trainer, iteration
        metrics["mine/steps"], self.steps = self.steps, 0


class NamedSamples(NoisySamples):
    """Offer samples as dictionaries."""

    def __getitem__(self, index: int) -> Any:
        """Make a sample."""
        sample, label = self.samples[index]
        return {"all": sample, "first": [sample[0], float(sample[1])]}, label


class NamedData:
    """Offer three data sets of dictionaries."""

    def __init__(self) -> None:
        self.train, self.validation, self.test = (NamedSamples(labelled(n)) for n in range(3))


class TwoHeaded(nn.Module):
    """Map a dictionary to two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, samples: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Map samples to logits (batch, 2) and something else."""
        return self.layer(samples["all"]), samples["first"][0]


class TwoHeadedLoss(nn.CrossEntropyLoss):
    """Look at the first of two outputs."""

    def forward(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean loss."""
        return super().forward(outputs[0], targets)

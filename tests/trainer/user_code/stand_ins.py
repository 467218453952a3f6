"""Small stand-ins for what people train: each keeps state in a place of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.checkpoint import checkpoint


class PackedLstm(nn.Module):
    """A recurrent net on sequences of different lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 5, num_layers=2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, samples: Tensor) -> Tensor:
        lengths = 2 + (samples[:, 0] > 0).long() * 4
        packed = pack_padded_sequence(
            samples.unsqueeze(-1), lengths, batch_first=True, enforce_sorted=False
        )
        _outputs, (hidden, _cells) = self.lstm(packed)
        return self.head(hidden[-1])


class TiedGpt(nn.Module):
    """A transformer whose embedding is its head as well."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(4, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, 4, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, samples: Tensor) -> Tensor:
        tokens = samples.clamp(-1, 1).add(1).mul(1.5).long()
        outputs = checkpoint(self.layer, self.embed(tokens), use_reentrant=False)
        return self.head(outputs).mean(1)[:, :2]


class Normed(nn.Module):
    """Spectral norm, new and old, and weight norm: their buffers change in each forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            parametrizations.spectral_norm(nn.Linear(6, 6)),
            nn.utils.spectral_norm(nn.Linear(6, 6)),
            nn.BatchNorm1d(6),
            parametrizations.weight_norm(nn.Linear(6, 2)),
        )

    def forward(self, samples: Tensor) -> Tensor:
        outputs: Tensor = self.layers(samples)
        return outputs


class Lora(nn.Module):
    """Frozen weights with a trained product of two thin ones."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(6, 2).requires_grad_(requires_grad=False)
        self.down, self.up = nn.Linear(6, 1, bias=False), nn.Linear(1, 2, bias=False)

    def forward(self, samples: Tensor) -> Tensor:
        outputs: Tensor = self.base(samples) + self.up(self.down(samples))
        return outputs


class Averaged(nn.Module):
    """An average of the weights, kept in the model, that is tested in place of them."""

    def __init__(self) -> None:
        super().__init__()
        self.trained, self.average = nn.Linear(6, 2), nn.Linear(6, 2)
        self.average.requires_grad_(requires_grad=False)

    def forward(self, samples: Tensor) -> Tensor:
        outputs: Tensor = (self.trained if self.training else self.average)(samples)
        return outputs

    @torch.no_grad()
    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:  # noqa: ARG002
        for mean, value in zip(self.average.parameters(), self.trained.parameters(), strict=True):
            mean.lerp_(value, 0.1)


class Embedded(nn.Module):
    """Nothing but rows of which a step changes a few: sparse gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.EmbeddingBag(8, 2, sparse=True)

    def forward(self, samples: Tensor) -> Tensor:
        outputs: Tensor = self.embed((samples > 0).long() + torch.arange(0, 6) % 4 * 2)
        return outputs


class Buffered(nn.Module):
    """Buffers of odd kinds, which count what the model saw."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.register_buffer("seen", torch.zeros(6).to_sparse())
        self.register_buffer("turned", torch.tensor([1 + 1j]).conj())
        self.register_buffer("count", torch.zeros((), dtype=torch.uint8))

    def forward(self, samples: Tensor) -> Tensor:
        if self.training:
            self.seen = (self.seen + samples.detach().sum(0).to_sparse()).coalesce()
            self.count += 1
        outputs: Tensor = self.layer(samples) + 0.01 * self.count
        return outputs


class Distilled(nn.CrossEntropyLoss):
    """A criterion that has a teacher, and a temperature that falls."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.tensor(2.0))

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        if logits.requires_grad:
            self.temperature *= 0.99
        return super().forward(logits / self.temperature, targets)


class Adversary:
    """A second model with an optimizer of its own, trained in a callback against the first."""

    def __init__(self) -> None:
        self.model = nn.Linear(2, 1)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:  # noqa: ARG002
        self.optimizer.zero_grad()
        outputs = trainer.model(torch.randn(4, 6)).detach()
        nn.functional.softplus(self.model(outputs)).mean().backward()
        self.optimizer.step()
        with torch.no_grad():
            weights = next(trainer.model.parameters())
            weights.add_(0.001 * self.model.weight.sum())

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


class PerStep(torch.optim.lr_scheduler.OneCycleLR):
    """A schedule that goes on with each step, not with each iteration."""

    def step(self, epoch: int | None = None) -> None:
        """Be stepped once when it is made, and by the callback."""
        if getattr(self, "_step_count", 0) < 1:
            super().step(epoch)

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:  # noqa: ARG002
        super().step()


def by_dimension(params: Any, **options: Any) -> torch.optim.Optimizer:
    """Make an optimizer that lets only matrices decay."""
    every = [*params]
    groups = [
        {"params": [each for each in every if each.ndim > 1], "weight_decay": 0.1},
        {"params": [each for each in every if each.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, **options)

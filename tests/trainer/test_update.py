"""A step's gradients are those of the mean loss over its samples, however they are computed."""

from contextlib import nullcontext
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Optimizer

from trainer.build import Modules
from trainer.update import Update

CPU = torch.device("cpu")


class Stepping(SGD):
    """Step without asking for a closure."""

    def step(self) -> None:  # type: ignore[override]
        super().step()


class Ascending(SGD):
    """Evaluate twice before a step."""

    def step(self, closure: Any) -> Tensor:  # type: ignore[override]
        with torch.enable_grad():
            closure()
            loss: Tensor = closure()
        super().step()
        return loss


def make(optimizer: Any = SGD, clip_norm: float | None = None, **options: Any) -> Update:
    """Make the update of a small model, always the same."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    modules = Modules(
        data=cast("Any", None),
        model=model,
        optimizer=optimizer(model.parameters(), **({"lr": 0.1} | options)),
        scheduler=None,
        criterion=nn.CrossEntropyLoss(),
        curriculum=None,
    )
    return Update(modules, CPU, nullcontext(), clip_norm)


def batch(size: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Make samples and targets."""
    generator = torch.Generator().manual_seed(seed)
    samples = torch.randn(size, 3, generator=generator, dtype=torch.float64)
    return samples, torch.arange(size) % 2


def weights_of(update: Update) -> Tensor:
    """Return all weights in one tensor."""
    return torch.cat([each.detach().flatten() for each in update.model.parameters()])


def test_step_is_the_one_that_a_plain_loop_takes() -> None:
    """The same bits, and the loss before the step."""
    update, plain = make(), make()
    samples, targets = batch(8)
    loss, count = update.take([(samples, targets)])
    expected = nn.functional.cross_entropy(plain.model(samples), targets)
    expected.backward()  # type: ignore[no-untyped-call]
    plain.optimizer.step()
    assert (loss.item(), count) == (expected.item(), 8)
    assert not loss.requires_grad
    assert torch.equal(weights_of(update), weights_of(plain))


def test_accumulated_batches_are_one_large_batch() -> None:
    """Batches of unequal size count by their samples."""
    update, whole = make(), make()
    samples, targets = batch(10)
    parts = [*zip(samples.split(4), targets.split(4), strict=True)]
    loss, count = update.take(parts)
    expected, _ = whole.take([(samples, targets)])
    assert count == 10
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(weights_of(update), weights_of(whole))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_gradients_are_scaled_down_to_their_greatest_norm(accumulate: int) -> None:
    """The step of SGD is as long as the clipped gradient."""
    update = make(clip_norm=1e-3, lr=1.0)
    before = weights_of(update)
    update.take([batch(8, seed) for seed in range(accumulate)])
    assert (weights_of(update) - before).norm().item() == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("limit", [1e3, float("inf")])
def test_smaller_gradients_are_left_as_they_are(limit: float) -> None:
    """A limit that is not reached changes no bit."""
    update, plain = make(clip_norm=limit), make()
    for each in (update, plain):
        each.take([batch(8)])
    assert torch.equal(weights_of(update), weights_of(plain))


@pytest.mark.parametrize("optimizer", [Stepping, Ascending])
def test_optimizer_has_the_closure_that_it_asks_for(optimizer: type[Optimizer]) -> None:
    """Without one it still gets gradients; with one it may evaluate more than once."""
    update, plain = make(optimizer), make()
    for each in (update, plain):
        each.take([batch(8)])
    assert torch.equal(weights_of(update), weights_of(plain))


def test_own_way_to_forget_gradients_is_taken() -> None:
    """Whether a class or somebody in between has it, at any time."""
    calls: list[str] = []

    class Forgetting(SGD):
        def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002 - PyTorch's
            calls.append("class")
            super().zero_grad(set_to_none)

    make(Forgetting).take([batch(4)])
    update = make()
    update.take([batch(4)])
    update.optimizer.zero_grad = lambda: calls.append("object")  # type: ignore[method-assign, misc, assignment]
    update.take([batch(4)])
    assert calls == ["class", "object"]


def test_optimizer_that_searches_along_a_line_finds_a_lower_loss() -> None:
    """L-BFGS evaluates many times in one step; the loss is that of the first."""
    update = make(LBFGS, lr=1, line_search_fn="strong_wolfe")
    first, _ = update.take([batch(8)])
    second, _ = update.take([batch(8)])
    assert second.item() < 0.1 * first.item()


def test_computing_in_bfloat16_keeps_the_weights_in_float32() -> None:
    """What is cast is the computation, not what is learned."""
    update = make()
    update.model.float()
    update.autocast = cast("Any", torch.autocast("cpu", torch.bfloat16))
    seen: list[torch.dtype] = []
    update.model.register_forward_hook(lambda _module, _inputs, logits: seen.append(logits.dtype))
    samples, targets = batch(8)
    loss, _ = update.take([(samples.float(), targets)])
    assert seen == [torch.bfloat16]
    assert loss.dtype == torch.float32
    assert {each.dtype for each in update.model.parameters()} == {torch.float32}


def head_only(parameters: Any, **options: Any) -> Optimizer:
    """Make an optimizer of the last two parameters."""
    return SGD([*parameters][-2:], **options)


def test_gradients_of_what_is_not_optimized_are_neither_clipped_nor_summed_up() -> None:
    """The first step and the hundredth begin alike, so that a resumed run does, too."""
    update, samples = make(head_only, clip_norm=0.1), batch(8)
    first, *_ = update.model.parameters()
    for _ in range(3):
        loss = update.criterion(update.model(samples[0]), samples[1])
        (gradient,) = torch.autograd.grad(loss, [first])
        before = weights_of(update)
        update.take([samples])
        # As long as its own gradient, clipped: the others do not count.
        moved = (weights_of(update) - before).norm().item()
        assert moved == pytest.approx(0.1 * 0.1, rel=1e-3)
        assert torch.equal(cast("Tensor", first.grad), gradient)


def test_parameters_that_are_added_later_are_clipped_and_forgotten_from_then_on() -> None:
    """As `add_param_group` does in a callback."""
    update = make(head_only, clip_norm=0.1)
    update.take([batch(8)])
    first, *_ = update.model.parameters()
    update.optimizer.add_param_group({"params": [first]})
    before = weights_of(update)
    update.take([batch(8)])
    assert (weights_of(update) - before).norm().item() == pytest.approx(0.1 * 0.1, rel=1e-3)

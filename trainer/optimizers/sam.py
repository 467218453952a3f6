"""Owns sharpness-aware minimization, an example of an optimizer with a step of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor
    from torch.nn import Parameter

# Keeps a gradient of zero from being divided by zero.
NO_GRADIENT = 1e-12


class Sam(Optimizer):
    """Step by the gradient at the worst point nearby, so that flat minima are found.

    The worst point within `rho` is, to first order, `rho` up the gradient; there the gradient is
    taken again, and the optimizer `base` steps with it from the original place. A step takes two
    evaluations: dropout draws anew for the second, and batch normalisation takes both into account.
    All state is the base's. Foret, Kleiner, Mobahi and Neyshabur 2021, "Sharpness-Aware
    Minimization for Efficiently Improving Generalization", ICLR.

    Args:
        params: What to optimize.
        base: Makes the optimizer that steps, of the parameters and `options`.
        rho: The radius of the neighbourhood, in the norm of all parameters; the paper's is 0.05.
        **options: The base's own, such as `lr`.

    Raises:
        ValueError: If `rho` is negative, or the base does not take the options.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        base: Callable[..., Optimizer],
        rho: float = 0.05,
        **options: Any,  # noqa: ANN401 - they are the base's to know
    ) -> None:
        if rho < 0:
            raise ValueError(f"Invalid rho: {rho}")
        self.rho = rho
        try:
            self.base = base(params, **options)
        except TypeError as error:
            raise ValueError(f"base: {error}") from error
        super().__init__(self.base.param_groups, self.base.defaults)
        self._share()

    def _share(self) -> None:
        """Let a scheduler that changes our groups, and a checkpoint of our state, mean the base's."""
        self.param_groups = self.base.param_groups
        self.state = self.base.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]  # it needs one
        """Step once, and return the loss before it.

        Args:
            closure: Computes loss and gradients at the present parameters.
        """
        with torch.enable_grad():
            loss = closure()
        originals = self._climb()
        with torch.enable_grad():
            closure()
        # Copied back, not subtracted: rounding would leave a trace.
        for parameter, original in originals:
            parameter.copy_(original)
        self.base.step()
        return loss

    def _climb(self) -> list[tuple[Tensor, Tensor]]:
        """Move every parameter to the worst point nearby; return it with its original value."""
        moved: list[tuple[Tensor, Tensor]] = [
            (parameter, parameter.grad)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        originals = [(parameter, parameter.clone()) for parameter, _ in moved]
        norm = get_total_norm([gradient for _, gradient in moved])
        scale = self.rho / (norm + NO_GRADIENT)
        for parameter, gradient in moved:
            parameter.add_(gradient * scale)
        return originals

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the base's state."""
        self.base.load_state_dict(state_dict)
        self._share()

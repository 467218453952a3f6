"""SAM, sharpness-aware minimization: an example of an optimizer whose step takes a closure."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor
    from torch.nn import Parameter

# Avoids a division by zero for a gradient of zero.
NO_GRADIENT = 1e-12


class Sam(Optimizer):
    """An optimizer that steps by the gradient at the worst point nearby, to find flat minima.

    The worst point within `rho` is, to first order, `rho` up the gradient; the gradient is computed
    there, and the optimizer `base` steps with it from the original parameters. A step takes two
    evaluations: dropout draws new numbers for the second, and batch normalisation includes both. All
    state is the base's. Foret, Kleiner, Mobahi and Neyshabur 2021, "Sharpness-Aware Minimization for
    Efficiently Improving Generalization", ICLR.

    Args:
        params: The parameters.
        base: Makes the base optimizer of the parameters and `options`.
        rho: The radius of the neighbourhood, in the norm of all parameters; the paper's is 0.05.
        **options: The options of the base, such as `lr`.

    Raises:
        ValueError: If `rho` is negative or not finite, or the base does not take the options.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        base: Callable[..., Optimizer],
        rho: float = 0.05,
        **options: Any,  # noqa: ANN401 - the base has the types
    ) -> None:
        if not 0 <= rho < inf:
            raise ValueError(f"Invalid rho: {rho}")
        self.rho = rho
        try:
            self.base = base(params, **options)
        except TypeError as error:
            raise ValueError(f"base: {error}") from error
        super().__init__(self.base.param_groups, self.base.defaults)
        self._share()

    def _share(self) -> None:
        """Share groups and state with the base, so that schedulers and checkpoints affect it."""
        self.param_groups = self.base.param_groups
        self.state = self.base.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]  # it is required
        """Step once, and return the loss before it.

        Args:
            closure: Computes loss and gradients at the present parameters.
        """
        with torch.enable_grad():
            loss = closure()
        originals = self._climb()
        with torch.enable_grad():
            closure()
        # Copied back, not subtracted, which would change them by rounding.
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

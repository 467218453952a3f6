"""The methods of `nn.Module` that the trainer calls: whether a module of the user's has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import Tensor

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

# Methods of `nn.Module` whose names are also those of attributes in careless code.
CALLED = (
    *(
        "train",
        "eval",
        "forward",
        "to",
        "parameters",
        "named_parameters",
        "modules",
        "named_modules",
    ),
    *("state_dict", "load_state_dict", "compile"),
)


def check_methods(module: nn.Module, role: str) -> None:
    """Check that a module has the methods of `nn.Module` that the trainer calls.

    An attribute of the same name hides one, and its own may do something else.

    Raises:
        ConfigError: If one does.
    """
    own = type(module).__name__
    hidden = [name for name in CALLED if not callable(vars(module).get(name, callable))]
    if hidden:
        raise ConfigError(
            f"{role}: {own} has an attribute {hidden[0]!r}, which hides the method {hidden[0]}() of"
            " nn.Module. Rename it."
        )
    try:
        inspect.signature(module.train).bind(True)
    except TypeError as error:
        raise ConfigError(
            f"{role}: {own}.train has other parameters than that of nn.Module: {error}. Let it take `mode`,"
            " or give it another name."
        ) from None
    parameters: object = module.parameters()
    if not isinstance(parameters, Iterable) or any(
        not isinstance(each, Tensor) for each in parameters
    ):
        raise ConfigError(
            f"{role}: {own}.parameters() does not yield parameters alone. Let it do what that of"
            " nn.Module does."
        )

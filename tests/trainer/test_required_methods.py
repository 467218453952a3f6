"""A model whose methods do something else than those of `nn.Module` is refused in one line."""

from typing import Any

import pytest
from careless_modules import Net
from torch import nn

from trainer.errors import ConfigError
from trainer.required_methods import CALLED, check_methods


@pytest.mark.parametrize("name", CALLED)
def test_attribute_in_place_of_a_method_is_refused(name: str) -> None:
    """Unless it can be called, as what a library puts there."""
    check_methods(Net(), "model")
    with pytest.raises(ConfigError, match=f"^model: Net has an attribute '{name}', which hides"):
        check_methods(Net(f"hides {name}"), "model")
    wrapped: Any = Net()
    vars(wrapped)[name] = getattr(wrapped, name)
    check_methods(wrapped, "model")


def test_module_of_the_name_of_a_method_hides_nothing() -> None:
    """PyTorch finds the method first."""
    check_methods(nn.ModuleDict({"a": nn.Linear(2, 2)}), "model")
    model = Net()
    model.add_module("other", nn.Linear(2, 2))
    model._modules["train"] = nn.Linear(2, 2)
    check_methods(model, "model")

"""A target gets what its group sets, its label, and the modules it has parameters for."""

from typing import Any

from good_config import CPU, GOOD
from omegaconf import ListConfig

from trainer.build import build_modules
from trainer.hydra_targets import build


def test_arguments_are_plain_unless_the_config_says_otherwise() -> None:
    """A class that wants the lists and dictionaries of OmegaConf asks for them."""
    settings = {"_target_": "builtins.dict", "shape": [1, 8]}
    kinds = [
        type(build({"data": settings | words}, "data")["shape"])  # type: ignore[index]
        for words in ({}, {"_convert_": "all"}, {"_convert_": "none"})
    ]
    assert kinds == [list, list, ListConfig]


def test_name_reaches_a_target_that_has_a_parameter_for_it() -> None:
    """And is a label for every other."""
    for name, width in (("large", 3), ("small", 2)):
        config = GOOD | {"model": {"_target_": "grouped_modules.Choosing", "name": name}}
        modules = build_modules(config, CPU)
        assert modules.model.out_features == width
        assert modules.model.text == "text"
    scheduler = {"_target_": "grouped_modules.named", "name": "off"}
    modules = build_modules(GOOD | {"scheduler": scheduler}, CPU)
    assert modules.optimizer.param_groups[0]["lr"] == 0.0


def test_target_that_asks_for_modules_gets_them() -> None:
    """Those that are built before it; a value of its own goes before, and a default that is one."""
    asking = {"_target_": "grouped_modules.Asking", "dataset": 3}
    modules = build_modules(GOOD | {"curriculum": asking}, CPU)
    curriculum: Any = modules.curriculum
    built = [modules.data, modules.model, modules.criterion, modules.optimizer, None]
    assert all(given is each for given, each in zip(curriculum.given, built, strict=True))
    assert (curriculum.label, curriculum.dataset) == ("nobody", 3)
    own = build_modules(GOOD | {"curriculum": asking | {"model": "mine"}}, CPU).curriculum
    assert own.given[1] == "mine"  # type: ignore[attr-defined, union-attr]


def test_optimizer_may_ask_for_the_model_instead_of_parameters() -> None:
    """It can tell them by their names then."""
    modules = build_modules(GOOD | {"optimizer": {"_target_": "grouped_modules.of_the_model"}}, CPU)
    assert len(modules.optimizer.param_groups[0]["params"]) == 2


def test_nested_target_gets_the_modules_that_it_requires() -> None:
    """In lists and dictionaries, and beside those that require none."""
    needing = {"_target_": "grouped_modules.Needing", "number": 3}
    plain = {"_target_": "builtins.dict", "a": [1]}
    curriculum = {
        "_target_": "grouped_modules.Pair",
        "parts": [needing, plain],
        "more": {"inner": needing, "other": plain},
    }
    modules = build_modules(GOOD | {"curriculum": curriculum}, CPU)
    pair: Any = modules.curriculum
    given = (modules.model, modules.optimizer, 3)
    assert pair.parts[0].given == pair.more["inner"].given == given
    assert pair.parts[1] == pair.more["other"] == {"a": [1]}


def test_optimizer_around_another_one_leaves_it_the_parameters() -> None:
    """It is not required to take them itself."""
    inner = {"_target_": "torch.optim.SGD", "lr": 0.1}
    around = {"_target_": "grouped_modules.Around", "inner": inner}
    modules = build_modules(GOOD | {"optimizer": around}, CPU)
    optimizer: Any = modules.optimizer
    parameters = [*modules.model.parameters()]
    assert [id(each) for each in optimizer.inner.param_groups[0]["params"]] == [
        *map(id, parameters)
    ]


def test_value_of_a_nested_target_goes_before_a_module() -> None:
    """As that of a group does."""
    needing = {"_target_": "grouped_modules.Needing", "number": 3, "model": "m", "optimizer": "o"}
    curriculum = {"_target_": "grouped_modules.Pair", "parts": [needing], "more": {}}
    modules = build_modules(GOOD | {"curriculum": curriculum}, CPU)
    assert modules.curriculum.parts[0].given == ("m", "o", 3)  # type: ignore[union-attr]

"""Groups become modules, and what is wrong with a group is said in one line."""

from math import inf, nan
from typing import Any

import pytest
from good_config import CPU, GOOD

from trainer.build import build_modules, fingerprinted
from trainer.errors import ConfigError
from trainer.hydra_targets import build
from trainer.settings import read_settings


def test_modules_are_built_and_handed_each_other() -> None:
    """The optimizer updates the model's parameters; absent modules are none."""
    modules = build_modules(GOOD, CPU)
    assert modules.optimizer.param_groups[0]["params"][0] is next(modules.model.parameters())
    assert [*modules.by_role()] == ["data", "model", "optimizer", "criterion"]


def test_scheduler_gets_the_optimizer() -> None:
    """The schedule drives the optimizer that trains the model."""
    scheduler = {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 1}
    modules = build_modules(GOOD | {"scheduler": scheduler}, CPU)
    assert modules.scheduler is not None
    assert modules.scheduler.optimizer is modules.optimizer


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"model": {"_target_": "unlikely_modules.Placeless"}},
            "^model: Placeless cannot be moved",
        ),
        ({"model": {"_target_": "unlikely_modules.Endless"}}, "^model: Endless cannot be moved"),
        (
            {"criterion": {"_target_": "torch.nn.KLDivLoss", "_partial_": True}},
            "^criterion._partial_: KLDivLoss is a class",
        ),
        (
            {"optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "_recursive_": "x"}},
            "^optimizer._recursive_: 'x' is neither true nor false",
        ),
    ],
)
def test_what_a_library_refuses_is_one_line(changes: dict[str, Any], said: str) -> None:
    """The user has no line of code in the traceback."""
    with pytest.raises(ConfigError, match=said) as caught:
        build_modules(GOOD | changes, CPU)
    assert "\n" not in str(caught.value)


def test_lists_reach_a_module_as_lists() -> None:
    """No module sees the configuration library's own kinds of values."""
    built = build({"data": {"_target_": "builtins.dict", "shape": [1, 8]}}, "data")
    assert built == {"shape": [1, 8]}
    assert type(built["shape"]) is list  # type: ignore[index]


@pytest.mark.parametrize(
    ("group", "changes", "message"),
    [
        *(
            (
                group,
                {"_target_": "builtins.print"},
                rf"^{group}\._target_: .* (returns None|No param)",
            )
            for group in ("data", "curriculum")
        ),
        (
            "optimizer",
            {"_target_": "unscheduled.WithoutGroups", "lr": 0.1},
            "^optimizer: WithoutGroups has no parameter groups. Call super",
        ),
        (
            "scheduler",
            {"_target_": "unscheduled.of_another"},
            "^scheduler: StepLR changes the rate of another optimizer, a SGD",
        ),
        (
            "model",
            {"_target_": "unscheduled.Training"},
            "^model: Training.train has other parameters than that of nn.Module",
        ),
        ("model", {"name": "none"}, r"^model\._target_: missing"),
        (
            "model",
            {"name": "M", "_taget_": "x"},
            "^model._target_: missing, but _taget_ is set. ",
        ),
        ("curriculum", {"initial": 1}, "^curriculum._target_: missing, but initial is set. "),
        ("model", "mlp", "^model: expected keys with values, not 'mlp'"),
        (
            "model",
            {"_target_": "torch.nn.Linaer"},
            "'torch.nn.Linaer': torch.nn does not have 'Linaer'; the nearest is torch.nn.Linear. Correct",
        ),
        ("model", {"_target_": "no.such.Model"}, r"^model\._target_: cannot use 'no.such.Model'"),
        ("model", {"_target_": "no.such.Model"}, "there is no module 'no', neither installed nor"),
        (
            "model",
            {"_target_": "broken_module.Model"},
            r"NameError: .* \(broken_module.py, line 3\)",
        ),
        ("curriculum", {"_target_": "builtins.dict", "a": {"_target_": "x.y"}}, "^curriculum.a._t"),
        (
            "curriculum",
            {"_target_": "builtins.dict", "a": {"_target_": "torch.nn.Linear"}},
            r"^curriculum\.a\._target_: .* missing 2 required positional arguments",
        ),
        (
            "curriculum",
            {
                "_target_": "builtins.dict",
                "a": {"_target_": "trainer.data.digits.Digits", "held_out": 0},
            },
            "^data: held_out 0",
        ),
        ("model", {"_target_": "torch.nn.Linear", "in_features": 1}, "argument: 'out_features'"),
        ("model", {"_target_": "user_modules.Tiny"}, "^model._target_: it returns a Tiny, not a"),
        ("model", {"_target_": "math.pi"}, r"^model\._target_: cannot use 'math.pi'"),
        (
            "optimizer",
            {"_target_": "torch.optim.SGD", "rl": 1},
            "'rl'. Its parameters are: params, lr",
        ),
        ("optimizer", {"_target_": "torch.optim.SGD", "lr": -1}, "Invalid learning rate: -1"),
        *(
            (
                "optimizer",
                {"_target_": "torch.optim.SGD", "lr": 0.1} | wrong,
                r"^optimizer\.\w+: (nan|inf) is not a finite number",
            )
            for wrong in (
                {"lr": nan},
                {"lr": inf},
                {"momentum": nan},
                {"groups": [{"kinds": ["bias"], "lr": nan}]},
            )
        ),
        (
            "scheduler",
            {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max": 3, "eta_min": inf},
            "^scheduler: CosineAnnealingLR sets the learning rate to nan, which is not finite",
        ),
        ("data", {"_target_": "builtins.dict"}, "^data: dict has no 'train' data set"),
        ("scheduler", {"_target_": "builtins.dict"}, "^scheduler._target_: it returns a dict"),
    ],
)
def test_wrong_group_is_an_error_in_one_line(group: str, changes: Any, message: str) -> None:
    """The line names the group, the key and what is wrong with it."""
    with pytest.raises(ConfigError, match=message) as caught:
        build_modules(GOOD | {group: changes}, CPU)
    assert "\n" not in str(caught.value)


def test_name_that_reaches_its_target_tells_checkpoints_apart() -> None:
    """It decides the bits then, and is a label otherwise."""
    settings = read_settings({"seed": 0, "iterations": 1})
    chosen, labelled = [], []
    for name in ("large", "small"):
        zoo = GOOD | {"model": {"_target_": "grouped_modules.Choosing", "name": name}}
        chosen.append(fingerprinted(zoo, settings, "iteration"))
        labelled.append(
            fingerprinted(GOOD | {"model": GOOD["model"] | {"name": name}}, settings, "iteration")
        )
    assert chosen[0] != chosen[1]
    assert labelled[0] == labelled[1]

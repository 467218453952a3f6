"""An error names the folder of a group only if the project has it, and otherwise what to write."""

from pathlib import Path

import pytest
from good_config import CPU, GOOD

from trainer.build import build_modules
from trainer.errors import ConfigError
from trainer.group_folders import CLASSES, KEYS, advise_choice, advise_keys, advise_values
from trainer.hydra_targets import find_function
from trainer.known_keys import GROUPS
from trainer.settings import read_group


@pytest.fixture(params=[False, True], ids=["no folder", "folder"])
def has_folders(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Return whether the current folder has a folder for each group."""
    monkeypatch.chdir(tmp_path)
    has_folders = bool(request.param)
    for group in GROUPS if has_folders else ():
        (tmp_path / "conf" / group).mkdir(parents=True)
    return has_folders


@pytest.mark.parametrize("group", GROUPS)
def test_folder_is_named_if_it_exists(group: str, *, has_folders: bool) -> None:
    """And in any case, it says what to do."""
    advice = [advise_choice(group), advise_values(group), advise_values(f"{group}.a[0].b")]
    if group not in KEYS:
        advice.append(advise_keys(group))
    assert [f"conf/{group}/" in each for each in advice] == [has_folders] * len(advice)
    assert all(each.endswith(".") for each in advice)


@pytest.mark.parametrize("name", CLASSES.values())
def test_class_that_is_named_exists(name: str) -> None:
    """It can be typed as it stands there."""
    assert callable(find_function(name, "model._target_"))


@pytest.mark.parametrize(
    ("group", "value", "what", "without", "with_folder"),
    [
        (
            "optimizer",
            "adam",
            "optimizer: expected keys with values, not 'adam'.",
            "Set optimizer._target_, for example, to torch.optim.Adam.",
            "See conf/optimizer/.",
        ),
        (
            "optimizer",
            {"_target_": "torch.optim.Adam", "betas": [0.9]},
            "optimizer: torch.optim.Adam: list index out of range.",
            "Correct the values of optimizer.",
            "Correct conf/optimizer/.",
        ),
        (
            "model",
            None,
            "model._target_: missing.",
            "Name a class, such as trainer.models.mlp.Mlp.",
            "Choose one of conf/model/, or name a class.",
        ),
        (
            "criterion",
            {"weight": None},
            "criterion._target_: missing, but weight is set.",
            "Name a class, such as torch.nn.CrossEntropyLoss.",
            "Choose one of conf/criterion/, or name a class.",
        ),
    ],
)
def test_error_of_a_group_is_true_of_the_project(
    group: str, value: object, what: str, without: str, with_folder: str, *, has_folders: bool
) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(ConfigError) as caught:
        build_modules(GOOD | {group: value}, CPU)
    assert str(caught.value) == f"{what} {with_folder if has_folders else without}"


@pytest.mark.parametrize("group", KEYS)
def test_keys_of_the_trainer_are_shown(group: str) -> None:
    """Their groups need no folder."""
    with pytest.raises(ConfigError, match=r"Write, for example, \{\w+: "):
        read_group({group: 3}, group)

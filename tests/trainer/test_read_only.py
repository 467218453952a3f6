"""Callbacks read all of the trainer, and assign nothing of it: the error is at their own line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from trainer.config_file import read_config
from trainer.errors import ConfigError
from trainer.read_only import FOR_ALL
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from run_files import MakeRun, Train


def assigning(deed: str, name: str) -> dict[str, Any]:
    """Return the configuration of a curriculum that assigns or removes an attribute."""
    return {"_target_": "meddling.Assigning", "deed": deed, "name": name}


@pytest.mark.parametrize("deed", ["assign", "remove"])
def test_no_attribute_of_the_trainer_is_assigned_by_a_callback(
    make_run: MakeRun, deed: str
) -> None:
    from meddling import Assigning  # noqa: PLC0415 - of the user's code

    run_dir = make_run()
    trainer = ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)
    names = [name for name in vars(trainer) if name not in FOR_ALL]
    assert len(names) > 20
    for name in [*names, "train", "settings", "config", "model"]:
        with pytest.raises(AttributeError, match=f"^'{name}' of ModularTaskTrainer can be read"):
            Assigning(deed, name).cb_on_iteration_begin(trainer, 1)


@pytest.mark.parametrize("name", ["history", "callbacks", "iteration", "batches"])
def test_traceback_leads_to_the_callback(make_run: MakeRun, train: Train, name: str) -> None:
    run_dir = make_run(curriculum=assigning("assign", name))
    with pytest.raises(AttributeError) as caught:
        train(run_dir)
    assert "meddling.py" in [entry.path.name for entry in caught.traceback]
    assert not (run_dir / "results.json").exists()


@pytest.mark.parametrize("which", ["modules", "loaders"])
def test_what_the_trainer_holds_by_name_is_not_exchanged(
    make_run: MakeRun, train: Train, which: str
) -> None:
    with pytest.raises(TypeError, match="does not support item assignment") as caught:
        train(make_run(curriculum=assigning("item", which)))
    assert Path(caught.traceback[-1].path).name == "meddling.py"


def test_setting_is_not_assigned(make_run: MakeRun, train: Train) -> None:
    """It would have no effect."""
    with pytest.raises(AttributeError, match="the setting 'clip_norm' can be read"):
        train(make_run(curriculum=assigning("setting", "clip_norm")))


def test_attribute_of_the_callbacks_own_is_allowed(make_run: MakeRun, train: Train) -> None:
    train(make_run(curriculum=assigning("own", "mine")))
    assert "meddling" in sys.modules


def test_change_of_the_configuration_is_refused(make_run: MakeRun, train: Train) -> None:
    """The modules are built already."""
    with pytest.raises(ConfigError, match=r"^trainer\.config: a callback has changed 'x' in it"):
        train(make_run(curriculum=assigning("item", "config")))

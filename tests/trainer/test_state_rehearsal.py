"""A state that would not come back is told after the first iteration, not after the first kill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trainer.errors import CheckpointError

if TYPE_CHECKING:
    from run_files import MakeRun, Train


def curriculum(how: str) -> dict[str, Any]:
    """Return the configuration of a curriculum."""
    return {"curriculum": {"_target_": "forgetful_modules.Counting", "how": how}}


def model(how: str) -> dict[str, Any]:
    """Return the configuration of a model."""
    return {"model": {"_target_": "forgetful_modules.Model", "how": how}}


OPTIMIZER = {"optimizer": {"_target_": "forgetful_modules.Doubling"}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (curriculum("ignores"), "note: curriculum.steps, curriculum.total changed"),
        (curriculum("forgets steps"), "note: curriculum.steps changed"),
        (curriculum("leaves out"), "note: curriculum.total changed"),
        (curriculum("shows"), "note: curriculum.shown changed"),
        (curriculum("right"), ""),
        (curriculum("tells the time"), ""),
        (model("ignores"), "note: model.0._extra_state, model.0.calls changed"),
        (model("right"), ""),
        (OPTIMIZER, "note: optimizer.state changed"),
    ],
)
def test_what_a_state_loses_is_told_once(
    make_run: MakeRun,
    train: Train,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    told: str,
) -> None:
    train(make_run(iterations=3, **changes))
    said = capsys.readouterr().out
    assert said.count("note: ") == bool(told)
    assert told in said


@pytest.mark.parametrize("changes", [curriculum("other key"), model("other key")])
def test_state_that_cannot_be_loaded_is_refused(
    make_run: MakeRun, train: Train, changes: dict[str, Any]
) -> None:
    """Nothing is saved, so no retry begins with it."""
    run_dir = make_run(**changes)
    with pytest.raises(
        CheckpointError, match=r"load_state_dict\(\) fails .*KeyError.*forgetful_modules.py, line"
    ) as caught:
        train(run_dir)
    assert "\n" not in str(caught.value)
    assert not [*(run_dir / "checkpoints").glob("*.pt")]


@pytest.mark.parametrize(
    ("how", "role"),
    [
        ("grows a buffer", "model"),
        ("adds a layer", "model"),
        ("adds a group", "optimizer"),
        ("adds a group, and again", ""),
        ("nothing", ""),
        ("replaces a layer", ""),
    ],
)
def test_module_that_could_not_be_restored_as_it_is_built_is_told_once(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str], how: str, role: str
) -> None:
    changing = {"_target_": f"forgetful_modules.{'Re' if 'again' in how else ''}Changing"}
    train(
        make_run(
            iterations=3,
            test_with="last",
            model={"_target_": "forgetful_modules.Growing", "how": how},
            curriculum=changing | {"how": how},
        )
    )
    said = capsys.readouterr().out
    assert said.count("could not be resumed") == bool(role)
    assert f"note: the {role} has other tensors" in said or not role


@pytest.mark.parametrize("how", ["forgets later", "forgets much"])
def test_what_is_lost_later_is_not_noticed(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    """The guide says so; nothing that changes later, or is large, is kept to compare it."""
    train(make_run(iterations=3, **curriculum(how)))
    assert "note: " not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("how", "lost"), [("nothing", "model.weight, model.bias"), ("bias only", "model.weight")]
)
def test_model_whose_state_lacks_weights_is_told(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str], how: str, lost: str
) -> None:
    """The best weights could not be tested, nor the last ones resumed."""
    train(make_run(model={"_target_": "forgetful_modules.Weightless", "how": how}, iterations=1))
    assert f"note: {lost} changed in the first iteration" in capsys.readouterr().out

"""A program that is not told of an override runs with another config than the one that is recorded."""

from pathlib import Path

import pytest

from orchestrator.config.unseen_overrides import UnseenOverrides
from orchestrator.planning.load import ConfigSource, load_plan

CONFIG = """
defaults: [_self_, model: mlp, optional preset: null]
results_dir: results
experiment_id: x
lr: 0.1
half: ${divide:${lr}}
twice: ${lr}
name: net
steps: ???
nested: {a: 1, b: {c: 2}}
flags: [x, y]
orch:
  identity: {exclude: [half]}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {
        "config": CONFIG.replace("half: ${divide:${lr}}\n", ""),
        "model/mlp": "kind: mlp\nwidth: 8\n",
        "model/cnn": "kind: cnn\ndepth: 3\n",
        "preset/fast": "# @package _global_\nlr: 9\n",
    }
    for name, text in files.items():
        (tmp_path / "conf" / f"{name}.yaml").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / f"{name}.yaml").write_text(text)


def _warnings(arguments: str, *overrides: str, setting: str = "command") -> list[str]:
    source = ConfigSource(
        Path("conf"), "config", ["steps=1", *overrides, f"orch.{setting}={arguments}"]
    )
    return list(load_plan(source).plan.selection.warnings)


def _unseen(command: str, *overrides: str) -> str:
    """Return the keys that a warning names; with {steps}, which every command here has."""
    warnings = _warnings(f'[env,"{{steps}}",{command}]', *overrides)
    assert len(warnings) <= 1
    return warnings[0].partition(":")[0].removeprefix("the program cannot see ") if warnings else ""


@pytest.mark.parametrize(
    ("command", "overrides", "unseen"),
    [
        ('"x"', ["lr=0.5"], "lr"),
        ('"x"', ["lr=0.5,0.6"], "lr"),
        ('"x"', ["lr=0.1"], ""),
        ('"--lr={lr}"', ["lr=0.5"], ""),
        ('"--lr={twice}"', ["lr=0.5,0.6"], ""),
        ('"--lr={twice}"', ["lr=0.5"], ""),
        ('"{lr}"', ["twice=3"], "twice"),
        ('"{lr}"', ["lr=1,2", "nested.a=3", "name=x,y"], "nested.a, name"),
        ('"{nested}"', ["nested.b.c=3"], ""),
        ('"{nested.b.c}"', ["nested.b={c: 3}"], ""),
        ('"{flags*}"', ["flags=[z]"], ""),
        ('"{--on?flags}"', ["flags=[z]"], "flags"),
        ('"{lr}"', ["+new=1"], "new"),
        ('"{new}"', ["+new=1"], ""),
        ('"{lr}"', ["~name"], "name"),
        ('"{lr}"', ["model=cnn"], "model"),
        ('"{lr}"', ["model=mlp,cnn"], "model"),
        ('"{lr}"', ["model=mlp"], ""),
        ('"{model.kind}"', ["model=mlp,cnn"], ""),
        ('"{model.kind}"', ["model=cnn"], ""),
        ('"{lr}"', ["preset=fast"], ""),
        ('"{name}"', ["preset=fast"], "preset"),
        ('"{run_id}"', ["lr=1"], "lr"),
        ('"{overrides}"', ["lr=1"], ""),
        ('"{config}"', ["lr=1"], ""),
        ('"--out={run_dir}"', ["lr=1"], ""),
        ('"hydra.run.dir={run_dir}"', ["lr=1"], "lr"),
        ('"x $ORCH_RUN_DIR"', ["lr=1"], ""),
        ('"{lr}"', ["orch.workers=2", "results_dir=r", "experiment_id=e", "_filters=[]"], ""),
    ],
)  # fmt: skip
def test_override_that_changes_nothing_of_a_command_is_named(
    command: str, overrides: list[str], unseen: str
) -> None:
    """Whether it has one value or several, and whatever carries it."""
    assert _unseen(command, *overrides) == unseen


@pytest.mark.parametrize(
    ("command", "grids", "unseen"),
    [
        ('"{lr}"', '[{lr: "1,2"},{name: "x,y"}]', "name"),
        ('"x"', '[{lr: "1,2"},{name: "x,y", lr: "1,2"},{lr: 3, +new: 1}]', "lr, name, new"),
        ('"{lr}"', '[{lr: "1,2", model: mlp},{lr: "1,2", model: cnn}]', "model"),
        ('"{overrides}"', '[{lr: "1,2"},{name: "x,y"}]', ""),
    ],
)
def test_overrides_of_every_grid_are_looked_at(command: str, grids: str, unseen: str) -> None:
    """Each of several grids has axes of its own."""
    assert _unseen(command, f"orch.grids={grids}") == unseen


def test_warning_says_what_to_add() -> None:
    """On one line, with the first key as an example."""
    (warning,) = _warnings('[env,"{steps}"]', "lr=1,2", "name=x", "nested.a=2,3")
    assert warning == (
        "the program cannot see lr, name, nested.a: orch.command is the same for all values."
        " Add {lr} or {overrides} to it, or {config} if the program reads config.yaml"
    )
    many = [f"+k{number}=1" for number in range(9)]
    (warning,) = _warnings('[env,"{steps}"]', *many)
    assert warning.startswith("the program cannot see k0, k1, k2, k3, k4 and 4 more: ")
    (warning,) = _warnings('[env,"{steps}"]', "model=cnn", "~name")
    assert "cannot see model, name: " in warning


def test_key_without_a_default_is_tried_with_another_value() -> None:
    """It cannot be left out."""
    (warning,) = _warnings("[env]")
    assert warning.startswith("the program cannot see steps: ")
    assert _warnings('[env,"{steps}"]') == []


def test_function_is_warned_about_by_its_arguments() -> None:
    """By default it gets its run directory, where its config is."""
    assert _warnings("os:getcwd", "lr=1", setting="entry_point") == []
    source = ["lr=1", "orch.entry_point=os:getcwd"]
    (warning,) = _warnings('["{steps}"]', *source, setting="arguments")
    assert warning.startswith("the program cannot see lr: orch.arguments is the same")


def test_trainer_reads_its_config() -> None:
    """There is nothing to warn about."""
    planned = load_plan(ConfigSource(Path("conf"), "config", ["steps=1", "lr=1"]))
    assert list(planned.plan.selection.warnings) == []


def test_settings_of_hydra_have_an_effect_if_they_are_passed_on() -> None:
    """But for those that are for grids."""
    overrides = ["hydra.verbose=true", "hydra.sweep.dir=x"]
    (warning,) = _warnings('["env","{overrides}"]', *overrides)
    assert warning.startswith("hydra.sweep.dir has no effect")
    assert (
        "hydra.verbose, hydra.sweep.dir have no" in _warnings('["env","{config}"]', *overrides)[0]
    )


@pytest.mark.parametrize(
    "chain",
    [
        [f"+q{number}='${{q{number // 3}}}${{q{number // 3}}}'" for number in range(1, 12)],
        [f"+q{n}='${{oc.select:q{n - 1}}}${{q{n - 1}}}'" for n in range(1, 7)],
    ],
)
def test_chains_of_interpolations_are_not_composed_again_and_again(chain: list[str]) -> None:
    """Such configs may take a second to resolve: no warning is worth a minute."""
    composed: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UnseenOverrides, "_tell", lambda *_: composed.append(1))
        _warnings('[env,"{steps}"]', "+q0=a", *chain)
    assert composed == []


def test_override_whose_key_the_command_names_is_seen_without_composing() -> None:
    """The usual command takes no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UnseenOverrides, "_tell", None)
        assert _warnings('[env,"{steps}","--lr={lr}","{flags*}"]', "lr=1,2", "flags=[z]") == []

"""What a plan says of the program that would execute its runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.planning.load import ConfigSource, load_plan

CONFIG = """\
results_dir: results
experiment_id: small
lr: 0.1
steps: 3
orch: {{{program}}}
"""


def warnings_of(folder: Path, program: str, *overrides: str) -> tuple[str, ...]:
    """Return the warnings of a plan whose config names this program."""
    (folder / "config.yaml").write_text(CONFIG.format(program=program))
    return load_plan(ConfigSource(folder, "config", overrides)).plan.selection.warnings


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("[pyton, train.py]", "orch.command: pyton is not a program on the PATH of this machine"),
        ("[./train, x]", "orch.command: ./train is not an executable file of this machine"),
        ("[./there.py]", "orch.command: ./there.py is not an executable file of this machine"),
        ("[python, trian.py]", "orch.command: there is no file trian.py in "),
        ("[python3, -u, sub/train.py]", "orch.command: there is no file sub/train.py in "),
        ("[bash, train.sh]", "orch.command: there is no file train.sh in "),
    ],
)
def test_missing_program_or_script_is_told(
    tmp_path: Path, command: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first run fails of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.py").write_text("")
    (found,) = warnings_of(tmp_path, f"command: {command}")
    assert found.startswith(told)


@pytest.mark.parametrize(
    "command",
    [
        "[python, there.py]",
        "[python, -m, json.tool]",
        "[python, -c, x]",
        "[python, -W, error, x.py]",
        "[sh, -c, 'echo {lr}']",
        "[python, '{run_dir}/x.py']",
        "[python]",
        "[env, A=1, whatever]",
        "[bash, on_the_path.sh]",
        "[bash, -O, globstar, there.py]",
        "[bash, -s, word]",
        "[bash, +x, absent.sh]",  # options of other forms
        "[perl, -I, lib, job.pl]",
        "[perl, -E, 'say 1']",
        f"[python, -u, {'x' * 300}]",
        "['{lr}']",
    ],
)
def test_program_that_is_there_or_cannot_be_checked_is_not_told(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.py").write_text("")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/on_the_path.sh").write_text("")  # for a shell it need not be executable
    (tmp_path / "bin/perl").touch(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert warnings_of(tmp_path, f"command: {command}") == ()


@pytest.mark.parametrize("name", ["trian", "trian.sub", "json", "sys", "own.sub", "own"])
def test_missing_module_of_a_function_is_told(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is imported for that, so a module inside a package is not looked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text("raise SystemExit\n")
    told = warnings_of(tmp_path, f"entry_point: '{name}:main'")
    start = f"orch.entry_point: there is no module trian, neither in {tmp_path} nor installed"
    assert [each.startswith(start) for each in told] == [True] * name.startswith("trian")


def test_program_that_sees_all_overrides_needs_no_warning(tmp_path: Path) -> None:
    assert warnings_of(tmp_path, 'command: ["true", "{lr}"]', "lr=1,2") == ()


@pytest.mark.parametrize("program", ['command: ["true"]', "entry_point: json:main, arguments: [x]"])
def test_override_that_the_program_cannot_see_is_named(tmp_path: Path, program: str) -> None:
    (told,) = warnings_of(tmp_path, program, "lr=1,2")
    assert told.startswith("the program cannot see lr: orch.")


def test_trainer_reads_the_config_and_sees_everything(tmp_path: Path) -> None:
    assert warnings_of(tmp_path, "retries: 1", "lr=1,2") == ()


def test_setting_of_hydra_without_effect_is_named_for_the_trainer_as_well(tmp_path: Path) -> None:
    told = warnings_of(tmp_path, "retries: 1", "hydra.sweep.dir=elsewhere")
    assert told == (
        "hydra.sweep.dir has no effect: orch itself starts runs and names their folders",
    )


@pytest.mark.parametrize(
    ("typed", "warned"),
    [
        ([], ()),
        (["hydra.sweep.subdir=x"], ("hydra.sweep.subdir",)),
        (["hydra/sweeper=basic", "hydra/launcher=basic"], ("hydra/sweeper", "hydra/launcher")),
    ],
)
def test_where_an_app_would_sweep_is_worth_a_warning_only_if_typed(
    tmp_path: Path, typed: list[str], warned: tuple[str, ...]
) -> None:
    """Most apps have hydra.sweep.dir in their config: no line for it with each command."""
    config = CONFIG.format(program='command: ["true", "{overrides}"]')
    config += "hydra: {mode: MULTIRUN, sweep: {dir: multirun, subdir: '${hydra.job.num}'}}\n"
    (tmp_path / "config.yaml").write_text(config)
    planned = load_plan(ConfigSource(tmp_path, "config", typed))
    told = "".join(planned.plan.selection.warnings)
    assert bool(told) == bool(typed)
    assert all(key in told for key in warned)
    assert "hydra.sweep.dir" not in told


def test_misspelled_placeholder_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"orch\.command: the config has no key 'lrate'"):
        warnings_of(tmp_path, 'command: ["true", "{lrate}"]')


@pytest.mark.parametrize(
    "program", ["command: [echo, a]", "entry_point: json:main, arguments: [a]"]
)
@pytest.mark.parametrize("grid", ["job=a,b", "+orch.grids=[{job: a},{job: b}]"])
def test_points_of_one_run_with_other_arguments_are_told(
    tmp_path: Path, program: str, grid: str
) -> None:
    """Only the first is executed, for the settings are not in the run ID."""
    (tmp_path / "job").mkdir()
    for name in ("a", "b"):
        text = program.replace("a]", f"{name}]")
        (tmp_path / f"job/{name}.yaml").write_text(f"# @package _global_\norch: {{{text}}}\n")
    defaults = "retries: 0}\ndefaults: [_self_, {job: a}]\nmore: {x: 1"
    (told,) = warnings_of(tmp_path, defaults, grid)
    setting = "orch.arguments" if "arguments" in program else "orch.command"
    assert told.startswith(
        f"points that differ in job are the same run, but differ in {setting} too,"
    )


def test_points_of_one_run_that_differ_as_the_user_allowed_are_not_told(tmp_path: Path) -> None:
    """What is excluded from the run ID may be in the command."""
    program = "command: [echo, '{lr}', '${device}'], identity: {exclude: [device]}"
    assert warnings_of(tmp_path, program, "+device=cpu,cuda", "lr=1,1") == ()


def test_arguments_that_vary_are_a_key_of_the_config(tmp_path: Path) -> None:
    """As the refusal of an axis of arguments says."""
    program = "command: [echo, '{lr}']"
    typed = ("+given=[echo,'{lr}'],[echo,'{lr}',more]", "orch.command=${given}")
    assert warnings_of(tmp_path, program, *typed) == ()


def test_pipe_that_hides_how_the_program_ends_is_told(tmp_path: Path) -> None:
    """Such a run is done, whatever happened."""
    (found,) = warnings_of(tmp_path, "command: [bash, -c, 'python train.py {overrides} | tee log']")
    assert found.startswith("orch.command: its exit code is that of tee, so a run whose program")
    assert not warnings_of(
        tmp_path, "command: [bash, -o, pipefail, -c, 'python train.py {overrides} | tee log']"
    )

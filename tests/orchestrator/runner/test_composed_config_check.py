"""The config that a Hydra program composed for itself is that of its run, or the run has failed."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from attempts import carry_out, failure_of, recorded

from orchestrator.grid.config_values import Value
from orchestrator.grid.identity import identify
from orchestrator.grid.interpolation_escapes import escape
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Record
from orchestrator.runner.composed_config_check import find_mismatch
from orchestrator.runner.runner import Verdict

CONFIG: dict[str, Value] = {
    "lr": 0.1,
    "steps": 3,
    "name": "it's",
    "model": {"width": 8, "layers": [1, {"a": None}], "empty": {}},
    "twice": 0.2,
    "text": "0.1",
    "literal": "${lr}",
    "results_dir": "results",
    "experiment_id": "x",
    "orch": {"workers": 2},
}
SAME = r"""
lr: 0.1
steps: 3.0
name: it's
model: {width: 8, layers: [1, {a: null}], empty: {}}
twice: 0.2
text: '0.1'
literal: \${lr}
"""


def _run(folder: Path, exclude: Sequence[str] = ()) -> RunDirectory:
    """Return a run directory in which an attempt has begun."""
    experiment = ExperimentDirectory(folder / "results", "x", exclude)
    experiment.prepare()
    written = {key: escape(value) for key, value in CONFIG.items()}
    directory = experiment.create(replace(identify(CONFIG, {}, exclude), written=written))
    (directory.path / "status.json").write_text("{}")
    return directory


def _leave(folder: Path, text: str) -> Path:
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra/config.yaml").write_text(text, encoding="utf-8")
    return folder / ".hydra/config.yaml"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("", "", ""),
        ("0.2", "${two:${lr}}", ""),
        ("0.2", "${lr}", "twice is 0.1 there, 0.2 in the run's config"),
        ("3.0", "${model.layers.0}", "steps is 1 there, 3 in the run's config"),
        ("width: 8", "width: '${..steps}'", "model.width is 3.0 there, 8 in the run's config"),
        ("lr: 0.1", "lr: 0.2", "lr is 0.2 there, 0.1 in the run's config"),
        ("text: '0.1'", "text: 0.1", 'text is 0.1 there, "0.1" in the run\'s config'),
        ("text: '0.1'", "text: 1e-1", 'text is 0.1 there, "0.1" in the run\'s config'),
        ("a: null", "a: '???'", 'model.layers is [1, {"a": "???"}] there, [1, {"a": null}] in'),
        ("lr: 0.1", "lr: ???", 'lr is "???" there, 0.1 in the run\'s config'),
        ("steps: 3.0\n", "", "steps is only in the run's config, 3"),
        ("steps: 3.0", "steps: 3\nmore: {key: secret}", "more.key is only there"),
        ("model: {", "model: {depth: 2, ", "model.depth is only there"),
        ("lr: 0.1", "lr: 0.1\nresults_dir: other\norch: {workers: 3}\nhydra: {a: 1}", ""),
        ("model: {width: 8, layers: [1, {a: null}], empty: {}}", "model: ${oracle_unknown:}", ""),
        ("model: {width: 8, layers: [1, {a: null}], empty: {}}", "model: ${nothing}", ""),
        ("empty: {}", "empty: {}, place: !!python/object/apply:pathlib.PosixPath [a, b]",
         "model.place is only there"),
        ("name: it's", "name: ${oc.env:HOME_OF_TEST}", ""),
        ("literal: \\${lr}", "literal: ${lr}", 'literal is 0.1 there, "${lr}" in the run\'s config'),
    ],
)  # fmt: skip
def test_difference_is_told_with_both_values(
    tmp_path: Path, before: str, after: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interpolations are resolved, and what cannot be resolved here is not compared."""
    monkeypatch.setenv("HOME_OF_TEST", "it's")
    assert before in SAME
    directory = _run(tmp_path)
    _leave(directory.path, SAME.replace(before, after, 1) if before else SAME)
    found = find_mismatch(directory, ())
    start = "the program composed another config (.hydra/config.yaml): "
    assert found.startswith(f"{start}{told}") if told else not found


def test_keys_that_are_not_part_of_the_identity_may_differ(tmp_path: Path) -> None:
    """Also everything below them."""
    directory = _run(tmp_path, ["lr", "model"])
    _leave(directory.path, SAME.replace("lr: 0.1", "lr: 7").replace("width: 8", "depth: 8"))
    assert find_mismatch(directory, ()) == ""


@pytest.mark.parametrize(
    ("folder", "argument", "is_found"),
    [
        ("output", "", True),
        ("other", "", False),
        ("other", "hydra.run.dir={}", True),
        ("né 'a'", "hydra.run.dir='{}'", True),
        ("other", '++hydra.run.dir="{}"', True),
        ("other", "hydra.sweep.dir={}", False),
    ],
)
def test_output_folder_is_the_one_that_the_program_was_told(
    tmp_path: Path, folder: str, argument: str, *, is_found: bool
) -> None:
    """What a program writes into other folders is its own."""
    directory = _run(tmp_path)
    _leave(directory.path / folder, "lr: 7\n")
    path = str(directory.path / folder).replace("'", "\\'")
    found = find_mismatch(directory, ["train.py", argument.format(path)])
    assert bool(found) == is_found
    assert (f"({folder}/.hydra/config.yaml)" in found) == is_found


def test_what_an_earlier_attempt_left_does_not_count(tmp_path: Path) -> None:
    """Nor does what is not a config, or too large to be one."""
    directory = _run(tmp_path)
    path = _leave(directory.path, "lr: 7\n")
    assert find_mismatch(directory, ())
    os.utime(path, (1, 1))
    assert find_mismatch(directory, ()) == ""
    for text in ("[", "a: *b", f"a: {'x' * 1_000_000}", "{" * 2_000):
        _leave(directory.path, text)
        assert find_mismatch(directory, ()) == ""


def test_many_differences_are_counted(tmp_path: Path) -> None:
    """The line stays short."""
    directory = _run(tmp_path)
    _leave(directory.path, "".join(f"key{number}: {number}\n" for number in range(20)))
    assert find_mismatch(directory, ()).endswith("key4 is only there; and 24 more")


@pytest.mark.parametrize("lr", ["0.1", "0.2"])
def test_run_with_another_config_has_failed(tmp_path: Path, lr: str) -> None:
    """Its exit code is 0, but what is recorded is not what ran."""
    run_dir = _run(tmp_path)
    (run_dir.path / "status.json").unlink()
    composed = _leave(tmp_path, SAME.replace("lr: 0.1", f"lr: {lr}"))
    script = shlex.join(["cp", "-r", str(composed.parent), str(run_dir.path)])
    verdict = carry_out(run_dir, "sh", "-c", script)
    if lr == "0.1":
        assert verdict is Verdict.DONE
        assert recorded(run_dir).record is Record.DONE
    else:
        assert verdict is Verdict.FAILED
        assert failure_of(run_dir)[0] == "config-mismatch"


@pytest.mark.parametrize("output", ["", "hydra.run.dir={folder}/out"])
@pytest.mark.parametrize("named", ["hydra.output_subdir=conf", "++hydra.output_subdir='conf'"])
def test_config_is_found_in_the_subfolder_that_the_command_names(
    tmp_path: Path, output: str, named: str
) -> None:
    """Not only where Hydra leaves it by default."""
    directory = _run(tmp_path)
    folder = (tmp_path / "out" if output else directory.path) / "conf"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(SAME.replace("0.1", "0.7", 1))
    arguments = ["python", "train.py", named, *filter(None, [output.format(folder=tmp_path)])]
    assert "lr is 0.7 there, 0.1 in" in find_mismatch(directory, arguments)
    assert find_mismatch(directory, arguments[:2]) == ""


@pytest.mark.parametrize(
    ("place", "output", "is_found"),
    [
        ("output/conf", "output", True),
        ("conf", ".", True),
        ("output/conf", "elsewhere", False),  # copied from another output folder
        ("output/conf/deep", "output", False),
    ],
)
def test_config_is_found_in_the_subfolder_that_a_config_names(
    tmp_path: Path, place: str, output: str, *, is_found: bool
) -> None:
    """Hydra's settings beside it say of which output folder it is."""
    directory = _run(tmp_path)
    folder = directory.path / place
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(SAME.replace("0.1", "0.7", 1))
    assert find_mismatch(directory, ()) == ""
    written = f"hydra:\n  runtime:\n    output_dir: {directory.path / output}\n    choices: {{}}\n"
    (folder / "hydra.yaml").write_text(written)
    assert ("lr is 0.7 there" in find_mismatch(directory, ())) == is_found

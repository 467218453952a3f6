"""A run keeps the values of its excluded keys, and its program is told them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from orchestrator.config.kept_excluded_values import spell_kept_values, with_kept_values
from orchestrator.grid.identity import identify
from orchestrator.rundir.build import build
from orchestrator.rundir.directory import RunDirectory

if TYPE_CHECKING:
    from pathlib import Path

EXCLUDE = ["device", "loader.workers", "trainer", "stages[1].gpu"]


def made(tmp_path: Path, config: dict[str, Any], exclude: list[str] = EXCLUDE) -> RunDirectory:
    """Return the directory of a run that was created with a config, without interpolations in it."""
    build(identify(config, {}, exclude), tmp_path / "run", exclude)
    return RunDirectory(tmp_path / "run")


def kept(tmp_path: Path, then: dict[str, Any], now: dict[str, Any]) -> Any:
    """Return the config with which a program is started that was created with another one."""
    run = identify(now, {}, EXCLUDE)
    return with_kept_values(run, made(tmp_path, then))


@pytest.mark.parametrize(
    ("then", "now", "found"),
    [
        ({"device": "cpu", "x": 1}, {"device": "cuda", "x": 1}, {"device": "cpu", "x": 1}),
        ({"x": 1}, {"device": "cuda", "x": 1}, {"x": 1}),
        ({"device": None, "x": 1}, {"x": 1}, {"x": 1, "device": None}),
        ({"loader": {"workers": 2, "b": 1}}, {"loader": {"workers": 8, "b": 1}}, None),
        ({"loader": {"b": 1}}, {"loader": {"workers": 8, "b": 1}}, None),
        ({"trainer": {"a": {"b": 1}}}, {"trainer": {"a": {"c": [2]}, "d": 1}}, None),
        ({"trainer": {"a": 1}}, {"trainer": "none"}, None),
        (
            {"stages": [{"n": 1}, {"n": 2, "gpu": 0}]},
            {"stages": [{"n": 1}, {"n": 2, "gpu": 5}]},
            None,
        ),
        ({"device": "a\\b: 'c' é"}, {"device": "d"}, None),
    ],
)
def test_excluded_key_has_the_value_of_the_directory(
    tmp_path: Path, then: dict[str, Any], now: dict[str, Any], found: dict[str, Any] | None
) -> None:
    """Set, changed, added or missing; all other keys are equal, or it were another run."""
    assert kept(tmp_path, then, now) == (then if found is None else found)


def test_text_that_looks_like_an_interpolation_stays_text(tmp_path: Path) -> None:
    """In config.yaml it is escaped."""
    directory = made(tmp_path, {"device": r"\${x} \\\${y}", "trainer": {"a": [r"\${z}"]}})
    now = identify({"device": "cpu", "trainer": {"a": ["q"]}}, {}, EXCLUDE)
    assert with_kept_values(now, directory) == {
        "device": r"${x} \${y}",
        "trainer": {"a": ["${z}"]},
    }


def test_reference_to_a_variable_has_the_value_of_now(tmp_path: Path) -> None:
    """Credentials are written nowhere."""
    directory = made(tmp_path, {"device": "${oc.env:KEY}", "trainer": {"k": "${oc.env:K}", "n": 1}})
    now = identify({"device": "a", "trainer": {"k": "b", "n": 2}}, {}, EXCLUDE)
    assert with_kept_values(now, directory) == {"device": "a", "trainer": {"k": "b", "n": 1}}


@pytest.mark.parametrize("name", ["config.yaml", "run.json"])
def test_directory_that_cannot_be_read_changes_nothing(tmp_path: Path, name: str) -> None:
    """Nor one that does not exist: what is wrong with it is told elsewhere."""
    run = identify({"device": "cuda"}, {}, EXCLUDE)
    assert with_kept_values(run, RunDirectory(tmp_path / "none")) == run.config
    directory = made(tmp_path, {"device": "cpu"})
    (tmp_path / "run" / name).write_text("[")
    assert with_kept_values(run, directory) == run.config


def test_run_without_excluded_keys_reads_no_config(tmp_path: Path) -> None:
    """The config of a run is its own."""
    run = identify({"device": "cpu"}, {})
    directory = made(tmp_path, {"device": "cpu"}, [])
    directory.config.unlink()
    assert with_kept_values(run, directory) is run.config


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ({"device": "cpu"}, {"device": "cuda:1"}),
        ({"device": "a,b ${x} \\'"}, {"device": 1}),
        ({"trainer": {"a": {"b": 1.5}}}, {"trainer": {"a": {"c": [2]}, "d": None}}),
        ({"trainer": {}}, {"trainer": {"a": 1}}),
        ({"trainer": {"a": 1}}, {"trainer": {}}),
        ({"trainer": {"a": {}}}, {"trainer": {"a": {"b": 1}}}),
        ({"trainer": {"a": {"b": 1}}}, {"trainer": {"a": 3}}),
        ({"trainer": {"a": 3}}, {"trainer": {"a": {"b": 1}}}),
        ({"trainer": None}, {"device": 1}),
        ({"trainer": [1, "${x}", {"a": None}]}, {"trainer": [1]}),
        ({"x": 1}, {"x": 1}),
    ],
)
def test_overrides_make_hydra_compose_the_values_of_the_directory(
    tmp_path: Path, then: dict[str, Any], now: dict[str, Any]
) -> None:
    """A program that composes its config for itself gets what stands in config.yaml."""
    overrides = list(spell_kept_values(now, then))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(now))
    with initialize_config_dir(str(tmp_path), version_base=None):
        cfg = compose("config", overrides)
    assert OmegaConf.to_container(cfg, resolve=True) == then


def test_key_that_hydra_cannot_name_is_left_out() -> None:
    """An override that Hydra does not accept would end the program."""
    then, now = {"trainer": {"a b": 1, "é": 2, "c-d": 3}}, {"trainer": {"a b": 2}}
    assert list(spell_kept_values(now, then)) == ["++trainer.c-d=3"]

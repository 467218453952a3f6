"""Each extra is one that pyproject.toml declares, and says how to install it."""

import tomllib
from pathlib import Path

import pytest

from orchestrator.extras import MLFLOW, TRAINER, Extra

DECLARED = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("extra", [MLFLOW, TRAINER])
def test_extra_is_declared_with_its_package(extra: Extra) -> None:
    needed = DECLARED["optional-dependencies"][extra.name]
    assert any(each.startswith(extra.package) for each in needed)


def test_missing_package_is_named_with_the_command_that_installs_it() -> None:
    extra = Extra("plots", "no_such_package")
    assert not extra.is_installed
    assert extra.request("Plotting") == (
        "Plotting needs no_such_package, which is not installed."
        " Install it with: pip install 'orch[plots]'"
    )


def test_installed_package_is_found() -> None:
    assert Extra("any", "json").is_installed

"""The extras of the package: whether each is installed, and how to install it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra as in ``pip install 'orch[name]'``, and the package that it installs."""

    name: str
    package: str

    @property
    def is_installed(self) -> bool:
        """Whether its package is installed; the package is not imported."""
        return find_spec(self.package) is not None

    def request(self, purpose: str) -> str:
        """Return a message that says what needs the package, and how to install it."""
        return (
            f"{purpose} needs {self.package}, which is not installed."
            f" Install it with: pip install 'orch[{self.name}]'"
        )


MLFLOW: Final = Extra("mlflow", "mlflow")
TRAINER: Final = Extra("trainer", "torch")
STATISTICS: Final = Extra("stats", "scipy")
PLOTS: Final = Extra("plots", "matplotlib")
SEARCH: Final = Extra("search", "optuna")
TEMPLATES: Final = Extra("plots", "jinja2")

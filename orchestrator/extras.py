"""The optional parts of an installation: whether they are there, and how to get them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional part: the package it needs, and the name under which pip installs it."""

    name: str
    package: str

    @property
    def is_installed(self) -> bool:
        """Whether its package can be imported; nothing is imported to find out."""
        return find_spec(self.package) is not None

    def request(self, purpose: str) -> str:
        """Say what needs it, and how to install it."""
        return (
            f"{purpose} needs {self.package}, which is not installed."
            f" Install it with: pip install 'orch[{self.name}]'"
        )


MLFLOW: Final = Extra("mlflow", "mlflow")
TRAINER: Final = Extra("trainer", "torch")

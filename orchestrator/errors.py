"""User errors: ``orch`` prints each as one message and exits with code 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class OrchestratorError(Exception):
    """An error that the user can fix: the message says what is wrong, where, and what to do."""


class UsageError(OrchestratorError):
    """The command line is wrong, or asks for something that ``orch`` cannot do."""


class ConfigError(OrchestratorError):
    """The config cannot be read, composed or resolved."""


class GridError(OrchestratorError):
    """An axis of the grid cannot be expanded."""


class FilterError(OrchestratorError):
    """A filter cannot be parsed, or orders values that have no order.

    ``quoted`` are the values of the config that the message quotes, by their keys.
    """

    def __init__(self, message: str, quoted: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.quoted = quoted or {}


class IdentityError(OrchestratorError):
    """A config has a value without a stable form, so the run would have no stable ID."""


class RunDirectoryError(OrchestratorError):
    """A run directory, or a folder above it, is damaged or cannot be used."""


class PreloadError(OrchestratorError):
    """A module that every run needs cannot be imported; the message ends with the traceback."""

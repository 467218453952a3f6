"""Conceals credentials in what programs printed, for a page that is passed on.

Logs are kept as programs write them. In a page, credentials of the experiment's config, of the
environment, and what looks like one by its form or by the name beside it, are replaced by ``***``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from orchestrator.config.credential_check import is_credential
from orchestrator.config.message_redaction import typed_secrets, without_these
from orchestrator.errors import OrchestratorError
from orchestrator.grid.config_diff import leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestrator.config.load import ExperimentConfig

_WORKING_FOLDER: Final = "PWD"  # of every shell, and no password
_SHORTEST: Final = 6  # characters; shorter values of variables occur in any text


def make_concealer(
    described: ExperimentConfig, environment: Mapping[str, str]
) -> Callable[[str], str]:
    """Return a function that replaces credentials in a text of any number of lines.

    Args:
        described: The config of the experiment.
        environment: The environment variables; those that are named like credentials are secret.
    """
    named = ((name, value) for name, value in environment.items() if name != _WORKING_FOLDER)
    known = {value for name, value in named if is_credential(name)}
    known |= {value for value in _secrets_of(described) if isinstance(value, str)}
    known = {value for value in known if len(value) >= _SHORTEST}

    def conceal(text: str) -> str:
        return "\n".join(
            without_these(line, known | typed_secrets([line])) for line in text.split("\n")
        )

    return conceal


def _secrets_of(described: ExperimentConfig) -> Iterator[object]:
    """Yield the values of the first point's config that are written to disk as references."""
    with contextlib.suppress(OrchestratorError, StopIteration):
        concealed = described.composer.conceal(described.first_point())
        written = leaves(concealed.written)
        for key, value in leaves(concealed.resolved).items():
            if written.get(key) != value:
                yield value

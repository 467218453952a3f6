"""The settings ``orch.stop``: how programs are asked to stop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrator.config.quantities import parse_duration
from orchestrator.errors import ConfigError
from orchestrator.runner.stop_request_rules import ASKING, DEFAULT_RULES, StopRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value

STOP_KEYS: Final = ("signal", "grace", "exit_zero")
_STOPPED, _DONE = "stopped", "done"


def parse_stop_rules(stop: Mapping[str, Value], *, is_of_trainer: bool) -> StopRules:
    """Return the stop rules; the trainer has its own signal and results.

    Raises:
        ConfigError: A value is wrong, or has no effect.
    """
    name, grace, zero = (stop.get(key) for key in STOP_KEYS)
    number = DEFAULT_RULES.signal if name is None else ASKING.get(f"{name}".upper())
    number = number or ASKING.get(f"SIG{name}".upper())
    if number is None:
        raise ConfigError(f"orch.stop.signal is {name!r}. Set it to one of {', '.join(ASKING)}.")
    if zero not in (None, _STOPPED, _DONE):
        raise ConfigError(f"orch.stop.exit_zero is {zero!r}. Set it to {_STOPPED} or {_DONE}.")
    seconds = DEFAULT_RULES.grace if grace is None else parse_duration(grace, "orch.stop.grace")
    rules = StopRules(number, seconds, zero_is_done=zero == _DONE)
    if is_of_trainer and rules != replace(DEFAULT_RULES, grace=seconds):
        raise ConfigError(
            "orch.stop.signal and orch.stop.exit_zero have no effect on the trainer, which has its own"
            " rules. Remove them, or set orch.command or orch.entry_point."
        )
    return rules

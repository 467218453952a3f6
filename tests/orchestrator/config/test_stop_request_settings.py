"""How programs are asked to stop is read from ``orch.stop``."""

import signal
from typing import Any

import pytest

from orchestrator.config.stop_request_settings import parse_stop_rules
from orchestrator.errors import ConfigError
from orchestrator.runner.stop_request_rules import DEFAULT_RULES, StopRules


def test_nothing_set_gives_the_defaults() -> None:
    assert parse_stop_rules({}, is_of_trainer=True) == DEFAULT_RULES


@pytest.mark.parametrize("name", ["SIGINT", "INT", "sigint", "int"])
def test_signal_is_named_as_in_a_shell(name: str) -> None:
    assert parse_stop_rules({"signal": name}, is_of_trainer=False).signal is signal.SIGINT


def test_all_rules_are_read() -> None:
    found = parse_stop_rules(
        {"signal": "USR1", "grace": "1m", "exit_zero": "done"}, is_of_trainer=False
    )
    assert found == StopRules(signal.SIGUSR1, 60.0, zero_is_done=True)


@pytest.mark.parametrize(
    ("stop", "message"),
    [
        ({"signal": "KILL"}, r"orch\.stop\.signal is 'KILL'\. Set it to one of SIGTERM, SIGINT"),
        ({"signal": 9}, r"orch\.stop\.signal is 9"),
        ({"grace": "soon"}, r"orch\.stop\.grace is 'soon'"),
        ({"exit_zero": True}, r"orch\.stop\.exit_zero is True\. Set it to stopped or done"),
    ],
)
def test_wrong_rule_is_refused_with_its_name(stop: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_stop_rules(stop, is_of_trainer=False)


@pytest.mark.parametrize("stop", [{"signal": "INT"}, {"exit_zero": "done"}])
def test_rule_without_an_effect_on_the_trainer_is_refused(stop: Any) -> None:
    with pytest.raises(ConfigError, match="have no effect on the trainer"):
        parse_stop_rules(stop, is_of_trainer=True)


def test_trainer_may_be_given_a_grace() -> None:
    assert parse_stop_rules({"grace": 5}, is_of_trainer=True).grace == 5.0

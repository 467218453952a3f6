"""Tests of orchestrator.config.orch_settings."""

import signal
from typing import Any

import pytest

from orchestrator.config.orch_settings import (
    Policy,
    ProgramSettings,
    Settings,
    Tracking,
    parse_settings,
)
from orchestrator.config.quantities import parse_count
from orchestrator.config.resource_settings import Share
from orchestrator.config.run_order import RunOrder
from orchestrator.errors import ConfigError
from orchestrator.runner.stop_request_rules import StopRules
from orchestrator.runner.time_limits import Limits


@pytest.mark.parametrize("node", [None, {}, {"workers": None, "identity": None, "tracking": None}])
def test_nothing_said_gives_the_defaults(node: Any) -> None:
    """A config folder need not have any setting."""
    assert parse_settings(node) == Settings()


def test_everything_said_is_kept() -> None:
    """Every setting arrives with its type."""
    node = {
        "workers": 2,
        "command": ["python", "train.py", "{run_dir}"],
        "identity": {"exclude": ["device"]},
        "tracking": {"enabled": False, "uri": "sqlite:///x.db"},
        "gpus": [0, 1],
        "gpu_memory": "8 GiB",
        "retries": 3,
        "max_failures": 2,
        "order": "cheap:iterations",
    }
    assert parse_settings(node) == Settings(
        program=ProgramSettings(command=("python", "train.py", "{run_dir}")),
        share=Share(workers=2, gpus="0,1", gpu_memory=8 << 30),
        policy=Policy(retries=3, most_failures=2),
        order=RunOrder("cheap", "iterations"),
        identity_exclude=("device",),
        tracking=Tracking(enabled=False, uri="sqlite:///x.db"),
    )


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (3, "orch is not a mapping"),
        ({"worker": 2}, "orch has no setting 'worker'. Did you mean 'workers'?"),
        ({"zzz": 2}, "orch has no setting 'zzz'. Use one of app"),
        ({7: 2}, "orch has no setting '7'"),
        ({"identity": []}, "orch.identity is not a mapping"),
        ({"identity": {"exclud": []}}, "Did you mean 'exclude'?"),
        ({"identity": {"exclude": "device"}}, "orch.identity.exclude is not a list of strings"),
        ({"command": "python train.py"}, "orch.command is not a list of strings"),
        ({"command": ["python", None]}, "orch.command is not a list of strings"),
        (
            {"tracking": {"enabled": "yes"}},
            "orch.tracking.enabled is 'yes'. Set it to true or false",
        ),
        ({"tracking": {"uri": 5}}, "orch.tracking.uri is not a string"),
        ({"workers": 0}, "orch.workers is 0. Set it to an integer, 1 or more"),
        ({"workers": True}, "orch.workers is True"),
        ({"workers": "2"}, "orch.workers is '2'"),
        ({"workers": 1.5}, "orch.workers is 1.5"),
        ({"retries": -1}, "orch.retries is -1. Set it to an integer, 0 or more"),
        ({"retries": False}, "orch.retries is False. Set it to an integer, 0 or more"),
        ({"max_failures": 0}, "orch.max_failures is 0"),
        (
            {"gpu_memory": "8"},
            "orch.gpu_memory is '8'. Set it to bytes, or to a size such as 8 GiB",
        ),
        ({"order": "fast"}, "orch.order is 'fast'. Set it to declared"),
        ({"command": []}, "orch.command is empty"),
        ({"stop": []}, "orch.stop is not a mapping"),
        ({"stop": {"signl": "SIGINT"}}, "Did you mean 'signal'?"),
        (
            {"command": ["x"], "stop": {"signal": "SIGKILL"}},
            "orch.stop.signal is 'SIGKILL'. Set it to one of SIGTERM, SIGINT",
        ),
        ({"command": ["x"], "stop": {"signal": 15}}, "orch.stop.signal is 15"),
        ({"command": ["x"], "stop": {"signal": ""}}, "orch.stop.signal is ''"),
        ({"command": ["x"], "stop": {"grace": 0}}, "orch.stop.grace is 0. Set it to seconds"),
        (
            {"command": ["x"], "stop": {"exit_zero": True}},
            "orch.stop.exit_zero is True. Set it to stopped or done",
        ),
        ({"stop": {"signal": "SIGINT"}}, "have no effect on the trainer"),
        ({"stop": {"exit_zero": "done"}}, "have no effect on the trainer"),
        ({"entry_point": "train.py"}, "Set it to a function, as package.module:function"),
        ({"entry_point": "a:b", "command": ["a"]}, "exclude each other. Choose one"),
        ({"timeout": 0}, "orch.timeout is 0. Set it to seconds, or to a duration such as 90s"),
        ({"timeout": "soon"}, "orch.timeout is 'soon'"),
        ({"timeout": "10"}, "orch.timeout is '10'"),
        ({"no_progress": "0m"}, "orch.no_progress is '0m'"),
        ({"no_progress": True}, "orch.no_progress is True"),
    ],
)
def test_wrong_setting_is_refused_with_its_name_and_the_remedy(node: Any, message: str) -> None:
    """The message says which setting, what it is, and what it should be."""
    with pytest.raises(ConfigError) as refusal:
        parse_settings(node)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_workers_may_be_left_open() -> None:
    """Nothing means: one a processor, which is decided where runs start."""
    assert parse_count(None, "--workers") is None
    assert parse_count(4, "--workers") == 4


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(90, 90), (0.5, 0.5), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1d 2 h", 93_600)],
)
def test_limits_are_seconds_or_read_like_them(value: Any, seconds: float) -> None:
    """What is not limited may take for ever."""
    limits = parse_settings({"timeout": value}).limits
    assert limits == Limits(timeout=seconds)
    assert limits.no_progress == float("inf")


@pytest.mark.parametrize("name", ["SIGUSR1", "USR1", "usr1", "sigusr1"])
def test_signal_is_named_as_kill_takes_it(name: str) -> None:
    stop = {"signal": name, "grace": "5m", "exit_zero": "done"}
    rules = parse_settings({"command": ["x"], "stop": stop}).limits.stop
    assert rules == StopRules(signal.SIGUSR1, 300.0, zero_is_done=True)


def test_trainer_may_have_a_limited_time_to_stop() -> None:
    assert parse_settings({"stop": {"grace": 30}}).limits.stop == StopRules(grace=30.0)

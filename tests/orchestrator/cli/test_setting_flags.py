"""The command line wins over the config, flag by flag."""

import argparse
from typing import Any

import pytest

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.setting_flags import parse_flags, with_flags
from orchestrator.config.orch_settings import parse_settings
from orchestrator.errors import ConfigError


def options(*flags: str) -> argparse.Namespace:
    return parse_arguments(["run", *flags])


DECLARED: dict[str, Any] = {"workers": 8, "timeout": "1h", "grace": 3, "retries": 2, "gpus": "all"}


def test_what_is_not_given_stays_as_declared() -> None:
    """Each flag is one setting."""
    declared = parse_settings(DECLARED)
    assert with_flags(declared, parse_flags(options())) == declared
    merged = with_flags(declared, parse_flags(options("--workers", "2", "--timeout", "90")))
    assert (merged.share.workers, merged.share.gpus) == (2, "all")
    assert (merged.limits.timeout, merged.limits.grace) == (90, 3)
    assert merged.policy.retries == 2


def test_every_flag_arrives() -> None:
    """Times may be seconds or read like times."""
    given = "--gpus 0,1 --threads 2 --no-progress 5m --retries 0 --max-failures 3 --order cheap:a"
    merged = with_flags(parse_settings(DECLARED), parse_flags(options(*given.split())))
    assert (merged.share.gpus, merged.share.threads) == ("0,1", 2)
    assert merged.limits.no_progress == 300
    assert (merged.policy.retries, merged.policy.most_failures) == (0, 3)
    assert merged.order.key == "a"
    assert with_flags(merged, parse_flags(options("--fail-fast"))).policy.most_failures == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--workers 0", "--workers is 0. Set it to an integer, 1 or more."),
        ("--retries -1", "--retries is -1. Set it to"),
        ("--timeout soon", "--timeout is 'soon'. Set it to seconds"),
        ("--no-progress 0", "--no-progress is 0.0"),
        ("--max-failures 0", "--max-failures is 0"),
        ("--order fast", "--order is 'fast'. Set it to declared"),
    ],
)
def test_wrong_flag_is_named_as_it_was_typed(flags: str, message: str) -> None:
    """Not as the setting it stands for."""
    with pytest.raises(ConfigError) as refusal:
        parse_flags(options(*flags.split()))
    assert str(refusal.value).startswith(message)

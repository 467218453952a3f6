"""Texts that users and programs write are read in a time that grows with their length, not its square.

A text of this length would take minutes otherwise, and the limit of time for a test ends it.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.config.concealed_arguments import without_secret
from orchestrator.config.credential_check import without_passwords
from orchestrator.config.message_redaction import compared_secrets, typed_secrets
from orchestrator.config.quantities import parse_duration, parse_memory
from orchestrator.errors import ConfigError
from orchestrator.grid.interpolation_escapes import escape, unescape
from orchestrator.runner.failure_classes import Traces, classify
from orchestrator.runner.output_metrics import OutputMetrics
from orchestrator.runner.project_files import digests_of

LENGTH = 300_000
PARTS = [*"x0 _-./:=\\[{'\"@<é", "a.", "a-", "x:", "x@", "a=", "--", "${", "\\$"]
OF_OUTPUT = [": 3%|", "  at x(", ": Assertion ", "\n", "E   Traceback (most recent call last)\n"]


def read_output(text: str) -> None:
    metrics = OutputMetrics((r"loss (?P<loss>\S+)",), Path("/nowhere/metrics.jsonl"))
    metrics.feed(text.encode()[:60_000])
    metrics.close()


OUTPUTS: dict[str, Callable[[str], object]] = {
    "output": lambda text: classify(1, Traces(text[:60_000])),
    "output before an abort": lambda text: classify(-6, Traces(text[:60_000])),
}
READERS: dict[str, Callable[[str], object]] = {
    "argument": lambda text: typed_secrets([text]),
    "condition": compared_secrets,
    "override": lambda text: without_secret(f"a={{{text}"),
    "arguments": lambda text: without_secret(f"a=[--password,{text}"),
    "options": lambda text: without_secret(f"a='--token {text}"),
    "address": without_passwords,
    "value of a config": lambda text: escape(f"{text}${{x}}"),
    "escaped value": unescape,
    "duration": lambda text: parse_duration(text, "orch.timeout"),
    "size": lambda text: parse_memory(text, "orch.gpu_memory"),
    "command": lambda text: digests_of([text], "/nowhere", "/nowhere/run"),
    "metrics of an output": read_output,
}


@pytest.mark.parametrize("reader", READERS)
def test_long_text_is_read_at_once(reader: str) -> None:
    for part in PARTS:
        with suppress(ConfigError):
            READERS[reader](part * (LENGTH // len(part)))


@pytest.mark.parametrize("reader", OUTPUTS)
def test_error_in_a_long_output_is_found_at_once(reader: str) -> None:
    for part in [*PARTS, *OF_OUTPUT]:
        OUTPUTS[reader](part * (LENGTH // len(part)))

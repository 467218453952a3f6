"""The notes on live runs in the table of ``orch status``."""

import pytest

from orchestrator.cli.status_table import describe_bytes, describe_live
from orchestrator.execution.live_usage import UNKNOWN, LiveResources


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536 << 20, "1.5 GiB"),
        (999 << 40, "999 TiB"),
    ],
)
def test_size_is_told_in_the_unit_that_reads_best(size: int, text: str) -> None:
    assert describe_bytes(size) == text


def test_live_run_tells_what_is_known() -> None:
    """On a GPU the memory is that of the GPU."""
    assert describe_live(UNKNOWN) == ""
    assert describe_live(LiveResources(0, None, 1 << 30, None, 90.0)) == "slot 0, 1 GiB, 90 s left"
    assert describe_live(LiveResources(3, 1, 5 << 30, 2 << 30)) == "slot 3, GPU 1, 2 GiB"

"""Tests of orchestrator.cli.option_types."""

from __future__ import annotations

import pytest

from orchestrator.cli.option_types import count, port, positive


@pytest.mark.parametrize("text", ["0", "-1", "65536", "99999", "abc", ""])
def test_what_is_not_a_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        port(text)


def test_ports_and_counts_are_numbers() -> None:
    assert (port("1"), port("5000"), port("65535"), count("0")) == (1, 5000, 65535, 0)
    with pytest.raises(ValueError, match="-1"):
        count("-1")
    assert positive("1") == 1
    with pytest.raises(ValueError, match="0"):
        positive("0")

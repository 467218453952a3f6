"""Requests to stop are counted, and wake up whoever waits."""

import os
import select
import signal

import pytest

from orchestrator.execution.stop import StopRequests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_is_counted_and_wakes_up(number: signal.Signals) -> None:
    """Ctrl-C, a termination and a closed terminal ask for the same."""
    with StopRequests() as stop:
        os.kill(os.getpid(), number)
        assert select.select([stop], [], [], 10)[0] == [stop]
        stop.drain()
        assert select.select([stop], [], [], 0)[0] == []
        assert stop.asked == 1


def test_signals_are_given_back() -> None:
    """Afterwards they mean what they meant before."""
    before = signal.getsignal(signal.SIGTERM)
    with StopRequests():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before

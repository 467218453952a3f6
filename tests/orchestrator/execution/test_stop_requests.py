"""Requests to stop are counted, and wake up a waiting process."""

import os
import select
import signal

import pytest

from orchestrator.execution.stop_requests import StopLevel, StopRequests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_is_counted_and_wakes_up(number: signal.Signals) -> None:
    """Ctrl-C, a termination and a closed terminal ask for the same."""
    with StopRequests() as stop:
        os.kill(os.getpid(), number)
        assert select.select([stop], [], [], 10)[0] == [stop]
        stop.look()
        assert select.select([stop], [], [], 0)[0] == []
        assert stop.level is StopLevel.AT_CHECKPOINT
        assert stop.interrupts


def test_signals_are_given_back() -> None:
    """Afterwards they mean what they meant before."""
    before = signal.getsignal(signal.SIGTERM)
    with StopRequests():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("first", "levels"),
    [
        (StopLevel.AT_CHECKPOINT, [StopLevel.AT_CHECKPOINT, StopLevel.AT_ONCE, StopLevel.AT_ONCE]),
        (StopLevel.DRAIN, [StopLevel.DRAIN, StopLevel.AT_CHECKPOINT, StopLevel.AT_ONCE]),
    ],
)
def test_each_signal_asks_more_urgently(first: StopLevel, levels: list[StopLevel]) -> None:
    with StopRequests(first) as stop:
        for level in levels:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.level is level
            assert stop.interrupts is (level is not StopLevel.DRAIN)


def test_closed_terminal_never_asks_to_end_runs_at_once() -> None:
    """Its shell and the kernel may both send the signal."""
    with StopRequests() as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.level is StopLevel.AT_CHECKPOINT
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.level is StopLevel.AT_ONCE
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.level is StopLevel.AT_ONCE


@pytest.mark.parametrize("level", [StopLevel.DRAIN, StopLevel.AT_CHECKPOINT, StopLevel.AT_ONCE])
def test_another_process_asks_by_a_word(level: StopLevel) -> None:
    words = ["", level.word, ""]
    with StopRequests(news=lambda: words.pop(0)) as stop:
        stop.look()
        assert not stop.asked
        for _ in range(2):
            stop.look()
            assert stop.level is level


def test_signal_after_a_drain_asks_the_runs_to_stop() -> None:
    """A less urgent word takes nothing back."""
    words = ["drain", "drain", "nonsense"]
    with StopRequests(news=lambda: words.pop(0)) as stop:
        stop.look()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.level is StopLevel.AT_CHECKPOINT
        stop.look()
        stop.look()
        assert stop.level is StopLevel.AT_CHECKPOINT


def test_signals_that_the_parent_process_blocked_are_heard() -> None:
    """The mask is inherited; Ctrl-C has to work nevertheless."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        with StopRequests() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.asked
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

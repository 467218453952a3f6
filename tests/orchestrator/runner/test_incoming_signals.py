"""Signals are taken one by one, each with its sender."""

import multiprocessing
import os
import select
import signal
import subprocess
from collections.abc import Callable

from orchestrator.runner.attempt_program import SIGNALS
from orchestrator.runner.incoming_signals import IncomingSignals, SentSignal, request_of


def holds(check: Callable[[IncomingSignals], bool]) -> bool:
    """Check in a process of its own that blocks the signals in all of its threads."""

    def block_and_check() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        os._exit(0 if check(IncomingSignals()) else 1)

    process = multiprocessing.get_context("fork").Process(target=block_and_check)
    process.start()
    process.join()
    return process.exitcode == 0


def is_readable(signals: IncomingSignals) -> bool:
    return bool(select.select([signals], [], [], 0)[0])


def test_each_is_taken_once_with_its_sender() -> None:
    """The descriptor tells that there are any."""

    def check(signals: IncomingSignals) -> bool:
        with subprocess.Popen(["sh", "-c", f"kill -HUP {os.getpid()}"]) as sender:
            sender.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        was_readable, taken = is_readable(signals), signals.take()
        expected = [SentSignal(signal.SIGHUP, sender.pid), SentSignal(signal.SIGTERM, os.getpid())]
        return was_readable and taken == expected and not (is_readable(signals) or signals.take())

    assert holds(lambda signals: not (is_readable(signals) or signals.take()))
    assert holds(check)


def test_those_of_some_senders_outlive_the_others() -> None:
    """They are taken next, and no others."""

    def check(signals: IncomingSignals) -> bool:
        subprocess.run(["kill", "-HUP", str(os.getpid())], check=True)
        os.kill(os.getpid(), signal.SIGTERM)
        signals.drop(besides=(os.getpid(),))
        kept = signals.take()
        return kept == [SentSignal(signal.SIGTERM, os.getpid())] and not signals.take()

    assert holds(check)


def test_quit_asks_for_a_kill_and_the_others_for_a_stop() -> None:
    """A terminal sends it when Ctrl-C does not help."""
    assert request_of(signal.SIGQUIT) == signal.SIGKILL
    assert request_of(signal.SIGINT) == request_of(signal.SIGHUP) == signal.SIGTERM

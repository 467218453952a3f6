"""Loaded by the shared fork server, to be like orch's own.

A client that was killed is not an error, and forks begin with the signals blocked.
"""

import signal
import sys

from orchestrator.runner import forkserver_preload
from orchestrator.runner.attempt_program import SIGNALS

sys.excepthook = forkserver_preload._say_what_is_wrong
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

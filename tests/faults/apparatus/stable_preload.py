"""Loaded by the shared fork server: as for orch's own, a client that was killed is not an error."""

import sys

from orchestrator.runner import forkserver_preload

sys.excepthook = forkserver_preload._say_what_is_wrong

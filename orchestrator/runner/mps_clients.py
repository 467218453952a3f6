"""The clients of NVIDIA's MPS: has their work on a GPU ended before they are killed.

Under MPS (Multi-Process Service), processes share one context of a GPU. A client that is killed while it
computes there leaves the others undefined, so its server is told to end its work first.
Source: NVIDIA, Multi-Process Service, "Client Termination".
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTROL: Final = "nvidia-cuda-mps-control"
PIPES: Final = "CUDA_MPS_PIPE_DIRECTORY"  # where clients and the control program find the daemon
_LONGEST: Final = 5.0  # seconds for an answer


def ask_daemon(command: str, pipes: str) -> str | None:
    """Return what the MPS daemon answers to a command; None if none is running."""
    try:
        ended = subprocess.run(
            [CONTROL],
            input=f"{command}\n",
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            env={**os.environ, PIPES: pipes},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None


def list_servers(pipes: str) -> list[str]:
    """Return the process IDs of the servers of a daemon."""
    return (ask_daemon("get_server_list", pipes) or "").split()


class MpsClients:
    """The processes of an attempt, each of which is ended as a client once."""

    def __init__(self) -> None:
        self._pipes = os.environ.get(PIPES)
        self._ended: set[str] = set()

    @property
    def are_possible(self) -> bool:
        """Whether there may be any: the attempt knows of a daemon."""
        return bool(self._pipes)

    def end(self, pids: Iterable[int]) -> None:
        """End the work of processes on GPUs, where they are clients of MPS."""
        wanted = set(map(str, pids)) - self._ended if self._pipes else set()
        if not (wanted and self._pipes):
            return
        self._ended |= wanted
        for server in list_servers(self._pipes):
            clients = (ask_daemon(f"get_client_list {server}", self._pipes) or "").split()
            for client in wanted.intersection(clients):
                ask_daemon(f"terminate_client {server} {client}", self._pipes)

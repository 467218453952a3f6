"""Runs that another host may execute: the message on them, and the user's word that a host is off."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.next_command import next_command
from orchestrator.cli.tables import pronoun_of
from orchestrator.errors import UsageError
from orchestrator.rundir.sharing_hosts import Host, KnownHosts, host_of
from orchestrator.rundir.state import Status

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from orchestrator.planning.executable_plan import Work


def declare_gone(planned: Work, name: str) -> None:
    """Take a host to be off, so that what it executed can be continued.

    Raises:
        UsageError: No run may be live on such a host.
    """
    hosts: dict[str, list[Host]] = {}
    for decision in planned.plan.unproven():
        if isinstance(decision.seen.status, Status):
            hosts.setdefault(decision.seen.unreachable, []).append(host_of(decision.seen.status))
    if name not in hosts:
        known = (
            f"Such hosts are {', '.join(sorted(hosts))}." if hosts else "There are no such runs."
        )
        raise UsageError(f"--host-is-gone {name}: it may be executing no run of this plan. {known}")
    for host in hosts[name]:
        KnownHosts(planned.experiment.path).declare_gone(host)


def tell_unproven(planned: Work, options: argparse.Namespace, console: Console) -> int:
    """Print one line for each host that may execute runs of a plan; return the number of runs."""
    counts = Counter(decision.seen.unreachable for decision in planned.plan.unproven())
    path = shlex.quote(str(planned.experiment.path))
    command = f"orch work {path}" if options.command == "work" else next_command(options, "run")
    for host, count in counts.items():
        runs = "1 run is" if count == 1 else f"{count} runs are"
        text = (
            f"{runs} left alone: host {host} may be executing {pronoun_of(count)}, which"
            f" cannot be seen from here. Continue there, or, if it is off:"
            f" {command} --host-is-gone {host}"
        )
        console.print(Text(text, style="yellow"), soft_wrap=True)
    return counts.total()

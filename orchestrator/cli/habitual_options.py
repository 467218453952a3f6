"""Options by the names that other programs give them, and what ``orch`` calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What is meant by options of other programs: the first of these that a command has.
MEANT: Final[Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(("--format", "-f"), ("--out", "--csv", "--json")),
    **dict.fromkeys(("--metric", "--metrics", "--y"), ("--columns", "METRIC", "--sort")),
    **dict.fromkeys(("--filter", "--query", "--where", "--only"), ("--where", "--only")),
    "--by": ("--x", "--sort"),
    **dict.fromkeys(("--order-by", "--rank-by"), ("--sort",)),
    **dict.fromkeys(("--group-by", "--average", "--mean"), ("--over",)),
    **dict.fromkeys(("--step", "--steps", "--iteration", "--epoch"), ("--at",)),
    **dict.fromkeys(("--jobs", "--n-jobs", "--parallel", "-j"), ("--workers",)),
    **dict.fromkeys(("--max-parallel", "--concurrency", "--processes"), ("--workers",)),
    **dict.fromkeys(("--follow", "--watch"), ("--follow", "--watch")),
    "--devices": ("--gpus",),
    **dict.fromkeys(("--output", "--save", "-o"), ("--out",)),
    **dict.fromkeys(("--limit", "--head", "--best", "--lines", "-n"), ("--top", "--tail")),
    **dict.fromkeys(("--force", "-y"), ("--yes",)),
}
# Words for a state; a run that has paused is stale to --state and --json.
MEANT_CHOICE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("paused", "interrupted", "killed"), "stale"),
    **dict.fromkeys(("error", "crashed"), "failed"),
    **dict.fromkeys(("finished", "completed", "complete"), "done"),
    **dict.fromkeys(("live", "active"), "running"),
    **dict.fromkeys(("waiting", "queued"), "pending"),
}

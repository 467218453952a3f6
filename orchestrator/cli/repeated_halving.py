"""How a command that repeats runs says whether they are compared while they are trained."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.cli.command_for_run import is_halving, settings_in
from orchestrator.config.halving_settings import NO_HALVING
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orchestrator.cli.report_contents import RunFacts


def halving_words(
    facts: Collection[RunFacts], overrides: Iterable[str], *, is_configured: bool
) -> list[str]:
    """Return the overrides that halve runs again as they were halved; empty if none is needed.

    Runs that are all done have been trained to their ends, whatever was typed before that. Of others, those that
    are paused tell how they were halved, or else most of them.

    Args:
        facts: The runs.
        overrides: Those of the command, which may say it already.
        is_configured: Whether the config halves them without being told.
    """
    if any(map(is_halving, overrides)):
        return []
    paused = [each for each in facts if each.report.seen.is_paused]
    if not paused and all(each.report.seen.state is State.DONE for each in facts):
        return [f"orch.halving={NO_HALVING}"] if is_configured else []
    begun = [each for each in facts if each.code]
    typed = Counter(map(_typed, paused or begun))
    return [word for words, _ in typed.most_common(1) for word in words]


def _typed(run: RunFacts) -> tuple[str, ...]:
    return tuple(filter(is_halving, settings_in(run.code.get("typed"))))

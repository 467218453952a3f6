"""Late beginnings: keys by which something begins with an iteration that the run never comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.settings import TrainingSettings


def describe_late(settings: TrainingSettings) -> str:
    """Return a note on what never begins; an empty string if all does."""
    begins = {"ema": settings.ema.from_iteration, "stopping": settings.stopping.from_iteration}
    late = [f"{group}.from_iteration" for group, at in begins.items() if at > settings.iterations]
    if not late:
        return ""
    return (
        f"{' and '.join(late)}: the run ends before that, after iteration {settings.iterations}. What counts are"
        " iterations, not updates."
    )

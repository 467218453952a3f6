"""The setting ``orch.gpus_per_run``: how many GPUs each run takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.config.quantities import parse_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value


def parse_gpus_per_run(orch: Mapping[str, Value]) -> int:
    """Parse the setting of the node ``orch:``; the default is one.

    Raises:
        ConfigError: It is not a count.
    """
    return parse_count(orch.get("gpus_per_run"), "orch.gpus_per_run") or 1

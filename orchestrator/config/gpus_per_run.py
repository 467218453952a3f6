"""The setting ``orch.gpus_per_run``: how many GPUs each run takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.config.quantities import parse_count
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value


def parse_gpus_per_run(orch: Mapping[str, Value]) -> int:
    """Parse the setting of the node ``orch:``; the default is one.

    Raises:
        ConfigError: It is not a count, or the program is the trainer, which trains on one GPU.
    """
    count = parse_count(orch.get("gpus_per_run"), "orch.gpus_per_run") or 1
    if count > 1 and orch.get("command") is None and orch.get("entry_point") is None:
        raise ConfigError(
            f"orch.gpus_per_run is {count}, but the trainer trains on one GPU. Set it to 1, or name a"
            " program that uses several in orch.command."
        )
    return count

"""The settings of the resources that runs use: how many at once, on which GPUs, and how many share one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.config.gpus_per_run import parse_gpus_per_run
from orchestrator.config.quantities import parse_count, parse_memory, parse_switch
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value

SHARE_KEYS: Final = ("workers", "gpus", "threads", "gpu_memory", "gpus_per_run", "pack", "mps")
# YAML reads on and off as true and false.
_PACK: Final = {"None": None, "auto": None, "True": None, "off": 1, "False": 1}


@dataclass(frozen=True, slots=True)
class Share:
    """The resources that runs use.

    ``workers`` runs are executed at once (None: as many as fit, or one per CPU), on ``gpus`` (None: all),
    each with ``threads`` CPU threads (None: an equal share) and ``gpus_per_run`` GPUs. ``gpu_memory`` are
    the bytes that one needs on a shared GPU (None: a tenth). ``pack`` runs share a GPU (None: as many as
    their measured memory allows). ``mps``: they compute on it at the same time, by NVIDIA's MPS.
    """

    workers: int | None = None
    gpus: str | None = None
    threads: int | None = None
    gpu_memory: int | None = None
    gpus_per_run: int = 1
    pack: int | None = None
    mps: bool = False

    @property
    def is_measured(self) -> bool:
        """Whether as many runs share a GPU as their measured memory allows."""
        return self.pack is None and self.workers is None and self.gpus_per_run == 1

    @property
    def is_packed(self) -> bool:
        """Whether this tool decided that runs share a GPU, so that limits on time are stretched."""
        return self.is_measured or (self.workers is None and (self.pack or 1) > 1)


DEFAULT_SHARE: Final = Share()


def parse_share(orch: Mapping[str, Value]) -> Share:
    """Parse the settings of the node ``orch:``.

    Raises:
        ConfigError: One of them is wrong.
    """
    gpus, memory = orch.get("gpus"), orch.get("gpu_memory")
    gpus = ",".join(map(str, gpus)) if isinstance(gpus, list) else gpus
    return Share(
        workers=parse_count(orch.get("workers"), "orch.workers"),
        gpus=None if gpus is None else str(gpus),
        threads=parse_count(orch.get("threads"), "orch.threads"),
        gpu_memory=None if memory is None else parse_memory(memory, "orch.gpu_memory"),
        gpus_per_run=parse_gpus_per_run(orch),
        pack=_parse_pack(orch.get("pack")),
        mps=parse_switch(orch.get("mps"), "orch.mps", default=False),
    )


def _parse_pack(value: Value) -> int | None:
    """Return how many runs share a GPU; None: as many as fit."""
    if str(value) in _PACK:
        return _PACK[str(value)]
    if isinstance(value, int) and value > 0:
        return value
    raise ConfigError(
        f"orch.pack is {value!r}. Set it to auto, off, or the number of runs per GPU."
    )

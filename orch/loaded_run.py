"""One run, for notebooks and scripts: its config, state, metrics, curves, checkpoints and model."""

from __future__ import annotations

import re
import sys
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orch.run_dir_reader import (
    as_point,
    is_locked,
    label_of,
    metrics_in,
    numbers_of,
    parse_config,
    read_file,
    read_last_step,
    read_last_values,
    read_lines,
    read_record,
    read_state,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

_OF_TRAINER = re.compile(r"\d+-[0-9a-f]+\.pt")


class LoadedRun:
    """One run, as its directory says; everything is read on first access.

    Args:
        path: The run directory.
    """

    def __init__(self, path: Path) -> None:
        #: The run directory, and the run ID.
        self.path = path
        self.id = path.name

    def __repr__(self) -> str:
        """Return the run ID, the state and the axes."""
        given = read_record(self.path / "run.json").get("given")
        named = {**self.overrides, **(given if isinstance(given, dict) else {})}
        axes = " ".join(
            key if key.startswith("~") else f"{key}={label_of(value)}"
            for key, value in named.items()
        )
        return f"<run {self.id} {self.state} {axes}>"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config that the run trains with.

        Raises:
            FileNotFoundError: The directory has no ``config.yaml``.
            OSError: It is not a regular file, or too large.
            ModuleNotFoundError: PyYAML is not installed.
            ValueError: The config is damaged.
        """
        path = self.path / "config.yaml"
        found = parse_config(read_file(path))
        if found is None:
            raise ValueError(
                f"{path}: it is not a config. Restore it, or remove the run directory."
            )
        return found

    def read_config_or_none(self) -> dict[str, Any] | None:
        """Return the config; None if it is missing or damaged."""
        try:
            return self.config
        except (OSError, ValueError):
            return None

    @cached_property
    def overrides(self) -> dict[str, Any]:
        """The values on the axes of the grid that the run was created for."""
        found = read_record(self.path / "run.json").get("overrides")
        return found if isinstance(found, dict) else {}

    @cached_property
    def choices(self) -> dict[str, Any]:
        """The configs that the run was composed of, by config group."""
        found = read_record(self.path / "run.json").get("choices")
        return found if isinstance(found, dict) else {}

    @cached_property
    def state(self) -> str:
        """``pending``, ``running``, ``stale``, ``failed`` or ``done``."""
        recorded = read_state(self.path / "status.json")
        if recorded == "done":
            return "done"
        if is_locked(self.path / "run.lock"):
            return "running"
        if recorded is None:
            return "pending"
        return "failed" if recorded == "failed" else "stale"

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric, ``best/...`` at the best iteration, and the test results.

        A test result with the name of a metric of the training has ``test/`` before it.
        """
        results = self._results
        progress = read_record(self.path / "progress.json")
        reported = metrics_in(progress)
        # The progress of this project's trainer, which has the version of its numbers, has all metrics.
        has_all = "numbers" in progress
        points = {} if has_all else read_last_values(self.path / "metrics.jsonl", reported)
        last = {**reported, **points}
        best = {
            f"best/{key}": value
            for key, value in metrics_in(results, "best").items()
            if key != "iteration"
        }
        tested = metrics_in(results, "test")
        clashing = [key for key in tested if key in last and not key.startswith("test/")]
        renamed = {f"test/{key}": tested.pop(key) for key in clashing}
        return numbers_of({**best, **renamed, **last, **tested})

    @cached_property
    def iteration(self) -> int | None:
        """How many iterations are done, or else the last step that was logged; None without one."""
        progress = read_record(self.path / "progress.json")
        if not progress:
            return read_last_step(self.path / "metrics.jsonl")
        found = progress.get("iteration")
        return found if isinstance(found, int) else None

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield the points of the curves: ``key``, ``step``, ``value`` and ``timestamp`` (ms).

        The last value of a metric at a step counts.
        """
        for key, step, value, timestamp in self.read_points():
            yield {"key": key, "step": step, "value": value, "timestamp": timestamp}

    def read_points(self) -> list[tuple[str, int, float, Any]]:
        """Return the same as tuples, which take a third of the memory."""
        last: dict[tuple[str, int], tuple[str, int, float, Any]] = {}
        for point in map(as_point, read_lines(self.path / "metrics.jsonl")):
            if point:
                last[point[:2]] = point
        return list(last.values())

    def checkpoint(self, which: str = "last") -> Path | None:
        """Return the checkpoint of the ``best`` or the ``last`` iteration of this project's trainer.

        For other programs, ``last`` is the newest file or folder in ``checkpoints/`` whose name does
        not end with ``.tmp``. None: there is no such checkpoint.

        Raises:
            ValueError: ``which`` is neither.
        """
        folder = self.path / "checkpoints"
        if which == "best":
            return folder / "best.pt" if (folder / "best.pt").exists() else None
        if which != "last":
            raise ValueError(f"which is {which!r}. Set it to 'best' or 'last'.")
        try:
            entries = [path for path in folder.iterdir() if path.suffix != ".tmp"]
        except OSError:
            return None
        numbered = [path for path in entries if _OF_TRAINER.fullmatch(path.name)]
        if numbered:
            return max(numbered, key=lambda path: path.name)
        return max(entries, key=lambda path: path.stat().st_mtime, default=None)

    def load_model(self, weights: str = "best", device: Any = "cpu") -> torch.nn.Module:  # noqa: ANN401 # torch's own
        """Return the model of a finished run of this project's trainer, in evaluation mode.

        Modules of your own are also looked for where the run was executed: that folder is added to the
        end of ``sys.path``.

        Args:
            weights: Those of the ``best`` or the ``last`` iteration.
            device: Where the model is put.

        Raises:
            ModuleNotFoundError: The trainer, or PyTorch, is not installed.
            ValueError: The run is not done, is not one of the trainer, or has no such weights.
            trainer.errors.TrainerError: The model cannot be built, or its weights do not fit it.
        """
        if weights not in ("best", "last"):
            raise ValueError(f"weights is {weights!r}. Set it to 'best' or 'last'.")
        if self.state != "done":
            raise ValueError(f"{self.path}: the run is {self.state}. Run it to its end.")
        if not self._has_checkpoint_of_trainer():
            raise ValueError(
                f"{self.path}: it has no checkpoint of the trainer, so there is no model to load. If"
                " another program made this run, load what that has saved, as run.checkpoint()."
            )
        if self._directory and self._directory not in sys.path:
            sys.path.append(self._directory)
        # orch and trainer share only the run directory; a model needs the trainer.
        model: torch.nn.Module = import_module("trainer").load(
            self.path, weights=weights, device=device
        )
        return model

    def predict(self, *inputs: Any, weights: str = "best", **named: Any) -> Any:  # noqa: ANN401 # whatever the model takes
        """Return what the model returns for a batch, on the CPU and without gradients.

        The model is called with the arguments of this method: those of its ``forward``. It is loaded
        once; the model of one run at a time is kept.

        Raises:
            ValueError: As for ``load_model``.
        """
        with import_module("torch").inference_mode():
            return _keep_model(self, weights)(*inputs, **named)

    def _has_checkpoint_of_trainer(self) -> bool:
        return self.checkpoint("best") is not None or bool(
            (last := self.checkpoint()) and _OF_TRAINER.fullmatch(last.name)
        )

    @cached_property
    def _directory(self) -> str:
        """Where the last attempt was executed; empty if that is not recorded, or is not there."""
        attempts = read_record(self.path / "code.json").get("attempts")
        last = attempts[-1] if isinstance(attempts, list) and attempts else {}
        found = last.get("directory") if isinstance(last, dict) else None
        return found if isinstance(found, str) and Path(found).is_dir() else ""

    @cached_property
    def _results(self) -> dict[str, Any]:
        return read_record(self.path / "results.json")


@lru_cache(maxsize=1)
def _keep_model(run: LoadedRun, weights: str) -> torch.nn.Module:
    return run.load_model(weights)

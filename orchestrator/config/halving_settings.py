"""Successive halving: the setting ``orch.halving``, and ``--halving``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from orchestrator.config.quantities import parse_switch
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.grid.config_values import Value

HALVING_KEYS: Final = (
    "metric",
    "mode",
    "factor",
    "minimum",
    "rungs",
    "asynchronous",
    "steps_from",
)
NO_HALVING: Final = "none"
_FORM: Final = "METRIC:MODE:N[:MINIMUM][:async]"
_TEXT: Final = re.compile(r"(.+?):(min|max):(\d{1,9})(?::(\d{1,9}))?(:async)?")
_LEAST_FACTOR: Final = 2
_MOST: Final = 10**9


@dataclass(frozen=True, slots=True)
class Halving:
    """How runs are compared at rungs, and how many go on.

    At each rung, an iteration, the runs are compared by ``metric``, and one of ``factor`` goes on. The
    first rung is at ``minimum``, and each next one at ``factor`` times as many iterations, unless
    ``rungs`` lists them. ``is_asynchronous``: a run goes on as soon as it is among the best of those
    that have reached its rung, without waiting for the others.
    """

    metric: str
    is_less_better: bool
    factor: int
    minimum: int = 1
    rungs: tuple[int, ...] = ()
    is_asynchronous: bool = False
    steps_from: int | None = None

    def rung(self, number: int) -> int | None:
        """Return the iteration of a rung, counted from 0; None if there are not that many."""
        if self.rungs:
            return self.rungs[number] if number < len(self.rungs) else None
        iteration: int = self.minimum * self.factor**number
        return iteration if iteration <= _MOST else None

    def rungs_up_to(self, iteration: int) -> Iterator[int]:
        """Yield the rungs up to an iteration, in order."""
        for number in count():
            rung = self.rung(number)
            if rung is None or rung > iteration:
                return
            yield rung

    @property
    def mode(self) -> str:
        """Which values of the metric are better: ``min`` or ``max``."""
        return "min" if self.is_less_better else "max"


def parse_halving(value: Value, where: str) -> Halving | None:
    """Return the halving for ``metric:min:3``, or for a mapping; None for null and ``none``.

    ``where`` names the setting in errors.

    Raises:
        ConfigError: It has another form.
    """
    if value is None or value == NO_HALVING:
        return None
    if isinstance(value, str):
        found = _TEXT.fullmatch(value)
        if found is None or int(found[3]) < _LEAST_FACTOR or int(found[4] or 1) < 1:
            raise ConfigError(
                f"{where} is {value!r}. Write it as {_FORM}, such as validation/loss:min:3: MODE is min or"
                f" max, N is {_LEAST_FACTOR} or more, and MINIMUM, the first rung, 1 or more."
            )
        metric, mode, factor, minimum, is_asynchronous = found.groups()
        value = {"metric": metric, "mode": mode, "factor": int(factor)}
        value |= {"minimum": int(minimum)} if minimum else {}
        value["asynchronous"] = bool(is_asynchronous)
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} is {value!r}. Write it as {_FORM}, or as a mapping.")
    for key in value:
        if key not in HALVING_KEYS:
            raise ConfigError(
                f"{where} has no setting '{key}'. Use one of {', '.join(HALVING_KEYS)}."
            )
    return _parse(value, where)


def _parse(node: Mapping[str, Value], where: str) -> Halving:
    metric, mode = node.get("metric"), node.get("mode")
    if not (isinstance(metric, str) and metric):
        raise ConfigError(
            f"{where}.metric is {metric!r}. Name the metric that runs are compared by."
        )
    if mode not in ("min", "max"):
        raise ConfigError(f"{where}.mode is {mode!r}. Set it to min or max.")
    steps_from = node.get("steps_from")
    if steps_from is not None and (type(steps_from) is not int or steps_from not in (0, 1)):
        raise ConfigError(
            f"{where}.steps_from is {steps_from!r}. Set it to 0 or 1, the step of the first iteration."
        )
    rungs = node.get("rungs")
    if rungs and node.get("minimum") is not None:
        raise ConfigError(f"{where}.minimum and {where}.rungs exclude each other. Choose one.")
    return Halving(
        metric=metric,
        is_less_better=mode == "min",
        factor=_count(node.get("factor", 3), f"{where}.factor", least=_LEAST_FACTOR),
        minimum=_count(1 if node.get("minimum") is None else node["minimum"], f"{where}.minimum"),
        rungs=_parse_rungs(rungs, f"{where}.rungs") if rungs else (),
        is_asynchronous=parse_switch(
            node.get("asynchronous"), f"{where}.asynchronous", default=False
        ),
        steps_from=steps_from,
    )


def _parse_rungs(value: Value, where: str) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{where} is {value!r}. List iterations, such as [2, 6, 18].")
    rungs = tuple(_count(each, where) for each in value)
    if list(rungs) != sorted(set(rungs)):
        raise ConfigError(f"{where} is {value!r}. List each iteration once, in increasing order.")
    return rungs


def _count(value: Value, where: str, *, least: int = 1) -> int:
    if type(value) is int and least <= value <= _MOST:
        return value
    raise ConfigError(f"{where} is {value!r}. Set it to an integer from {least}.")

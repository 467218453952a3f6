"""Events of the execution of a plan, as values: the engine emits them, the boards show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.execution.remaining_time import Pace
    from orchestrator.execution.slots import Slot
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.planning.plan import Action
    from orchestrator.rundir.records import Metric
    from orchestrator.rundir.state import Progress, State


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An attempt began in a slot."""

    run: Run
    action: Action
    attempt: int
    slot: Slot
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A run is over for this ``orch run``: in which state, why, after how many seconds of its attempts.

    ``executed`` is False where this process only saw that the run is over: then ``lasted`` is what its last
    attempt took, if that is known. ``is_paused``: it is stale, and has paused. ``metrics`` are the newest, results included; ``notices`` name files of the
    program that are ignored, and why.
    """

    run: Run
    state: State
    reason: str
    seconds: float
    executed: bool
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    lasted: float | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Advanced:
    """A run has come as far as it was to, and pauses; ``metrics`` are the newest."""

    run: Run
    iteration: int
    iterations: int
    seconds: float
    metrics: Mapping[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RungCompleted:
    """Runs were compared after an iteration by a metric: the ``best`` go on, and ``paused`` do not.

    ``failed`` runs come after all others. ``unevenness`` is how the others were compared, if some have
    logged later iterations than others.
    """

    iteration: int
    runs: int
    best: int
    paused: int
    metric: str
    failed: int = 0
    unevenness: str = ""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A run is already live, started by another orchestrator; the engine waits for it."""

    run: Run
    reason: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """The user asked to stop: runs end at their next checkpoint, ``at_once``, or by themselves.

    ``drain``: they end by themselves, and none starts. ``unsaved`` counts the runs that have saved
    nothing so far; the trainer, which saves when it is asked, does not count. ``reason``: why, if
    it was not the user.
    """

    live: int
    at_once: bool
    drain: bool = False
    unsaved: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retrying:
    """An attempt failed of a transient cause; the run is retried after ``delay`` seconds."""

    run: Run
    attempt: int
    reason: str
    delay: float
    alone: bool


@dataclass(frozen=True, slots=True)
class Blocked:
    """No run starts in a slot for now; ``reason`` says why."""

    slot: Slot
    reason: str


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing starts for some seconds, or (infinity) no more in this ``orch run``."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Controlled:
    """``orch control`` changed how runs are executed: this holds from now on.

    ``workers`` is the number of runs at once; with ``is_paused`` none starts, and none starts on the
    GPUs ``without_gpus``.
    """

    workers: int
    is_paused: bool
    without_gpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ControlFailed:
    """The file by which ``orch control`` asks cannot be read, so it changes nothing."""

    reason: str


Event = (
    AttemptStarted
    | Ended
    | Advanced
    | RungCompleted
    | Adopted
    | Stopping
    | Retrying
    | Blocked
    | Paused
    | Controlled
    | ControlFailed
)


@dataclass(frozen=True, slots=True)
class Live:
    """A live attempt, as it was last seen."""

    started: AttemptStarted
    seconds: float
    progress: Progress | None
    metrics: Mapping[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LiveElsewhere:
    """A live run that this process waits for, as it was last seen."""

    run: Run
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class ExecutionSnapshot:
    """What a board shows at one moment: the live attempts, how many runs wait, and the pace.

    ``note`` is what ``orch control`` has changed, on one line. ``elsewhere`` are the live runs of other
    processes.
    """

    live: Sequence[Live]
    waiting: int
    pace: Pace
    note: str = ""
    elsewhere: Sequence[LiveElsewhere] = ()


@dataclass(frozen=True, slots=True)
class Pauses:
    """How many pauses there were, and how many seconds one took; None: unknown."""

    count: int = 0
    seconds: float | None = None


NO_PAUSES: Final = Pauses()


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """How every run of the plan ended, and whether the user interrupted it.

    ``left`` counts the runs that this process neither finished nor saw finished; ``gave_up`` says
    why it did not continue with them, if the user did not ask it to stop. ``paused`` counts the runs
    that others were better than; they are not left. ``paused_failed`` of them had failed before, and were
    not retried. ``is_misused``: the settings do not fit the runs. ``pauses`` is what pauses took.
    ``elsewhere`` of those that are left are executed by other processes.
    """

    ended: Mapping[RunId, Ended]
    left: int
    stopped: bool
    gave_up: str = ""
    paused: int = 0
    paused_failed: int = 0
    is_misused: bool = False
    pauses: Pauses = NO_PAUSES
    elsewhere: int = 0

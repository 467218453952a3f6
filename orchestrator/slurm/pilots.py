"""The pilots of an experiment: submits them as the policy says, and knows what Slurm says of each."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable
from orchestrator.rundir.experiment_stop_file import AT_CHECKPOINT, StopFile
from orchestrator.sanitize import printable
from orchestrator.slurm.batch_script import options_of, write_options, write_script
from orchestrator.slurm.jobs import parse_queue
from orchestrator.slurm.policy import Bounds, Starts, count_to_submit, next_kind
from orchestrator.slurm.watched_submission import WatchedToken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.config.slurm_settings import SlurmSettings
    from orchestrator.slurm.batch_script import PilotCommand
    from orchestrator.slurm.commands import Call, Slurm, SlurmAnswer
    from orchestrator.slurm.jobs import Job
    from orchestrator.slurm.submission_records import PilotsFolder, PilotToken

_SHORTEST: Final = 10.0  # seconds from one look at the queue to the next
_LONGEST: Final = 60.0
_GROWTH: Final = 1.5
_SILENCE: Final = 120.0  # without an answer, before the user is told
_AFTER_REFUSAL: Final = 60.0
_LOG_END: Final = 4000  # bytes


@dataclass(slots=True)
class _Asked:
    """A command that was started, and for what."""

    call: Call
    what: str
    token: PilotToken | None = None


@dataclass(slots=True)
class Pilots:
    """Submits pilots, watches and replaces them; one command of Slurm at a time, never waited for.

    ``gave_up`` says why no more are submitted.
    """

    folder: PilotsFolder
    slurm: Slurm
    settings: SlurmSettings
    command: PilotCommand
    experiment_id: str
    gave_up: str = ""
    _refusal: str = ""
    _silence: str = ""
    _starts: Starts = field(default_factory=Starts)
    _watched: list[WatchedToken] = field(default_factory=list)
    _used: list[int] = field(default_factory=list)
    _asked: _Asked | None = None
    _pause: float = _SHORTEST
    _due: float = 0.0  # when to look at the queue
    _may_submit_at: float = 0.0
    _answered_at: float = -inf
    _is_ending: bool = False
    _has_asked: bool = False
    _is_needed: bool = False

    def resume(self) -> None:
        """Take over the pilots that an earlier ``orch run`` has submitted."""
        tokens = self.folder.tokens()
        self._used = [token.kind for token in tokens]
        self._watched = [WatchedToken(token) for token in tokens if not token.is_over]

    @property
    def trouble(self) -> str:
        """What the user may want to know meanwhile: Slurm refuses pilots, or does not answer."""
        return self._refusal or self._silence

    @property
    def jobs(self) -> list[Job]:
        """The pilots in the queue, as Slurm last showed them."""
        return [job for each in self._watched for job in each.jobs()]

    @property
    def waiting(self) -> int:
        """How many pilots have not started, or may have been submitted."""
        return sum(each.waiting for each in self._watched)

    @property
    def live(self) -> int:
        """How many pilots have started."""
        return sum(each.live for each in self._watched)

    @property
    def is_known(self) -> bool:
        """Whether Slurm has answered since the last submission of each."""
        return all(each.is_known for each in self._watched)

    @property
    def is_busy(self) -> bool:
        """Whether a command of Slurm is being executed."""
        return self._asked is not None

    def tend(self, startable: int, moment: float) -> None:
        """Take an answer of Slurm, and ask or submit what is due; called several times per second.

        ``startable`` is how many runs are open, and executed by nobody.

        Raises:
            OSError: A token cannot be written, or no process can be started.
        """
        if self._asked is not None:
            answer = self._asked.call.poll()
            if answer is None:
                return
            asked, self._asked = self._asked, None
            self._take(asked, answer, startable, moment)
        if self._watched and moment >= self._due:
            names = [each.token.name for each in self._watched]
            self._asked = _Asked(self.slurm.queue(names), "queue")
            self._due = moment + self._pause
        elif not (self._is_ending or self.gave_up or moment < self._may_submit_at):
            self._submit_what_is_needed(startable)

    @property
    def refusal(self) -> str:
        """Why pilots start nothing, if one says that this concerns the whole experiment."""
        return next(filter(None, (self.folder.refusal(each.token) for each in self._watched)), "")

    @property
    def is_content(self) -> bool:
        """Whether as many pilots are submitted as are needed, and Slurm has accepted them."""
        return self._has_asked and not (self.is_busy or self._is_needed)

    def submit_all(self) -> None:
        """Do not keep some pilots back while others wait: nobody will be here to submit them."""
        self.settings = replace(self.settings, queued=self.settings.pilots)

    def ask_to_stop(self) -> None:
        """Ask all of them to stop at the next checkpoints of their runs.

        Raises:
            OSError: The request cannot be written.
        """
        StopFile(self.folder.path.parent).ask(AT_CHECKPOINT)

    def withdraw(self, *, only_pending: bool = True) -> None:
        """Submit no more, and let those that have not started end at once; or all of them.

        Raises:
            OSError: A request cannot be written, or no process can be started.
        """
        self._is_ending = True
        self._pause, self._due = _SHORTEST, 0.0
        for each in self._watched:
            self.folder.withdraw(each.token)
        if self._watched:
            names = [each.token.name for each in self._watched]
            self._asked = _Asked(self.slurm.cancel(names, only_pending=only_pending), "cancel")

    def _submit_what_is_needed(self, startable: int) -> None:
        if not self.is_known:
            return  # what Slurm says of them is waited for
        bounds = Bounds(self.settings.pilots, self.settings.queued)
        count = count_to_submit(bounds, startable, self.waiting, self.live)
        self._has_asked, self._is_needed = True, bool(count)
        if not count:
            return
        kind = next_kind(self._used, len(self.settings.kinds))
        token, lock = self.folder.begin(self.experiment_id, kind, count)
        try:
            common = write_options(self.settings, self.settings.kinds[kind], os.environ)
            log = self.folder.log_pattern(token)
            options = options_of(token, log, common, self._starts.bad_nodes)
            script = write_script(self.command, self.settings, token.nonce)
            call = self.slurm.submit(options, script, lock)
        finally:
            os.close(lock)
        self._used.append(kind)
        self._watched.append(WatchedToken(token))
        self._asked = _Asked(call, "submit", token)

    def _take(self, asked: _Asked, answer: SlurmAnswer, startable: int, moment: float) -> None:
        if asked.token is not None:
            self._take_submission(asked.token, answer, moment)
        elif asked.what == "queue" and answer.is_given:
            self._take_queue(parse_queue(answer.output), startable, moment)
        if answer.is_given:
            self._answered_at, self._silence = moment, ""
        elif answer.is_none and self._answered_at == -inf:
            self._answered_at = moment
        elif answer.is_none and moment - self._answered_at > _SILENCE:
            self._silence = f"Slurm does not answer: {answer.refusal or 'its commands hang'}"

    def _take_submission(self, token: PilotToken, answer: SlurmAnswer, moment: float) -> None:
        at = next(at for at, each in enumerate(self._watched) if each.token.nonce == token.nonce)
        self._pause, self._due = _SHORTEST, moment + _SHORTEST
        if answer.is_given:
            self._starts.note_answer(is_refused=False)
            self._refusal = ""
            submitted = replace(token, job=answer.output.strip().partition(";")[0])
            self.folder.write(submitted)
            self._watched[at].submitted(submitted)
        elif not answer.is_none:
            del self._watched[at]
            self.folder.close(token)
            self._starts.note_answer(is_refused=True)
            self._may_submit_at = moment + _AFTER_REFUSAL
            self._refusal = f"Slurm refuses to start pilots: {answer.refusal}"
            if self._starts.is_hopeless or not (self.waiting or self.live):
                self.gave_up = self._refusal

    def _take_queue(self, jobs: Iterable[Job], startable: int, moment: float) -> None:
        shown = list(jobs)
        has_changed = False
        for each in list(self._watched):
            is_submitting = not each.token.job and self.folder.is_being_submitted(each.token)
            before = each.signs
            for ended in each.look(shown, moment, is_submitting=is_submitting):
                self._note_end(ended, each.token, startable)
            if each.token.job and not before[0]:
                self.folder.write(each.token)  # found by its name
            has_changed |= each.signs != before
            if each.is_over:
                self._watched.remove(each)
                self.folder.close(each.token)
        self._pause = _SHORTEST if has_changed else min(self._pause * _GROWTH, _LONGEST)
        self._due = moment + self._pause

    def _note_end(self, ended: Job, token: PilotToken, startable: int) -> None:
        is_needless = startable == 0 or self.folder.is_withdrawn(token.nonce)
        is_excused = is_needless or not ended.has_ended_by_itself
        failed = self._starts.note_end(
            ended.seconds,
            ended.node,
            has_begun=self.folder.has_begun(token, ended.place),
            is_excused=is_excused,
        )
        if failed and self._starts.is_hopeless:
            self.gave_up = (
                f"{self._starts.in_a_row} pilots in a row ended within a minute without starting a run."
                f" The last one says: {self._last_line(token) or 'nothing'}"
            )

    def _last_line(self, token: PilotToken) -> str:
        for path in self.folder.logs(token):
            end = b""
            with suppress(OSError):
                end = durable.read_tail(path, _LOG_END)
            lines = map(printable, end.decode(errors="replace").split("\n"))
            said = [line.strip() for line in lines if line.strip()]
            if said:
                return f"{said[-1]} ({path})"
        return ""

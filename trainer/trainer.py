"""The trainer: the training loop, and the order of everything that happens in a run."""

from __future__ import annotations

from functools import partial
from math import inf, isfinite
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from trainer import ranks
from trainer.beginning import begin_training, find_on_all_ranks, resume
from trainer.build import PARTS, build_modules, fingerprinted
from trainer.callbacks.events import collect_callbacks
from trainer.checkpoints.state import (
    check_states,
    module_states,
    restore_modules,
    state_of,
)
from trainer.checkpoints.store import Checkpoints
from trainer.compute_environment import (
    choose_autocast,
    choose_device,
    compiler_limit_explained,
    describe_environment,
    fix_arithmetic,
    fix_compiler,
)
from trainer.config_file import written_config
from trainer.configured_metrics import build_measures
from trainer.early_checks import (
    check_metric,
    check_numbers,
    check_restorable,
    check_savable,
    check_weights,
)
from trainer.early_stopping import EarlyStopping
from trainer.evaluation import evaluate_part
from trainer.held_optimizers import HeldOptimizers
from trainer.history import History
from trainer.iteration_end import end_iteration, stop_if_asked
from trainer.iteration_in_progress import IterationInProgress
from trainer.loading.data_set_checks import check_parts
from trainer.loading.loaders import make_loader
from trainer.loading.sample_checks import examine
from trainer.loss_scale import choose_scaler
from trainer.module_generators import ModuleGenerators
from trainer.null_run_files import claimed_once, outputs_of, recorder_of
from trainer.read_only import ReadOnly
from trainer.results import report
from trainer.roles import Roles
from trainer.run_config import Configured
from trainer.run_files import say
from trainer.schedule_interval import STEP, interval_of, length_of
from trainer.schedule_steps import RateSchedule, rate_of
from trainer.seeding import seed_everything
from trainer.starting_weights import begin_with_weights
from trainer.state_digest import digest_of
from trainer.state_rehearsal import Rehearsal
from trainer.still_weights import StillWeights
from trainer.training_position import passes_of
from trainer.training_steps import TrainingSteps
from trainer.unsaved_state import UnsavedState, code_beside
from trainer.update import Update
from trainer.weight_average import WeightAverage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from omegaconf import DictConfig

    from trainer.build import Modules
    from trainer.callbacks.events import Callbacks
    from trainer.checkpoints.background_writer import Recorder
    from trainer.history import MetricPoint
    from trainer.settings import Config


class ModularTaskTrainer(ReadOnly, Roles, Configured):
    """A trainer that builds the modules of a configuration, trains the model, and tests it.

    An interrupted run resumes from its newest checkpoint, and ends with the same bits as one that was
    never interrupted. Callbacks may read every attribute, and change the modules in place.

    Args:
        cfg: The run's configuration, of OmegaConf or plain. `data`, `model`, `optimizer`,
            `criterion`, `iterations` and `seed` are required; `trainer.settings` has the other keys
            and their defaults.
        run_dir: The run directory, where `trainer.run_files` writes.

    Raises:
        TrainerError: If the configuration or a callback of a module is invalid.
    """

    def __init__(self, cfg: DictConfig | Config, run_dir: Path) -> None:
        Configured.__init__(self, cfg)
        self.run_dir = Path(run_dir).absolute()  # modules may change the current folder
        self.device = choose_device(self._settings.device)
        fix_arithmetic(self.device, self._settings)
        self.autocast = choose_autocast(self.device, self._settings.precision)
        seed_everything(self._settings.seed, "modules")
        modules = build_modules(self._plain, self.device)
        Roles.__init__(self, modules)
        check_states(self.modules)
        self.callbacks: Callbacks[ModularTaskTrainer] = collect_callbacks(self.modules)
        if self._settings.compile:
            # For each shape: the compiled code must not depend on the batch with which a process starts.
            fix_compiler()
            self.model.compile(dynamic=False)
        self._load_and_measure()
        interval = self._plan_updates(modules)
        self.history = History(self._settings.metric, self._settings.mode)
        self.stopping = EarlyStopping(self._settings.stopping)
        self.stop = self.stopping.stop
        self.outputs = outputs_of(self.run_dir)
        self._still = StillWeights(modules, self.update, self.outputs)
        fingerprint = digest_of(fingerprinted(written_config(cfg), self._settings, interval))
        self.checkpoints = Checkpoints(
            self.outputs.checkpoints, self._settings.keep_last, fingerprint
        )
        within = self._settings.within_iteration
        self._in_progress = None if within is None else IterationInProgress(self, within)
        self.environment = describe_environment(self.device)
        self.environment_changes: list[str] = []
        self.numbers_before: list[int] = []  # of earlier iterations with another numbers version
        self.iteration = 0
        self.evaluating: str | None = None
        self.stop_requested = False
        self.stop_after = inf

    def _load_and_measure(self) -> None:
        """Make what loads the data and measures on them, and what modules hold besides their state."""
        settings, config = self._settings, self._plain
        self.measures = build_measures(config, self.device, self.criterion, settings.metric)
        if not self.callbacks.may_add_metrics:
            check_metric(settings.metric, self.measures.names)
            check_metric(settings.stopping.metric, self.measures.names, "stopping.metric")
        is_watched = self.callbacks.may_change_data
        load = partial(make_loader, settings=settings, device=self.device, is_watched=is_watched)
        self.loaders = MappingProxyType(
            {part: load(getattr(self.data, part), part) for part in PARTS}
        )
        self.batches = passes_of(self.loaders["train"])
        self.generators = ModuleGenerators(self.modules, self.loaders.values())
        self.unsaved = UnsavedState(
            self.modules,
            lambda: code_beside(self, self.loaders, self.measures),
            lambda: self.generators.find().values(),
        )
        self.rehearsal = Rehearsal(
            self.modules,
            is_rebuilt=bool(self.callbacks.cb_on_train_begin),
            may_change=self.callbacks.may_change_modules,
        )
        self.held = HeldOptimizers(self.modules)

    def _plan_updates(self, modules: Modules) -> str:
        """Make what updates the weights, and return the interval of the scheduler."""
        settings = self._settings
        scaler = choose_scaler(self.device, settings.precision)
        self.update = Update(modules, self.device, self.autocast, settings.clip_norm, scaler)
        self.average = WeightAverage(self.model, settings.ema)
        own = {"scaler": scaler, "ema": self.average if self.average.is_wanted else None}
        self.stateful = MappingProxyType(
            {**self.modules, **{name: each for name, each in own.items() if each is not None}}
        )
        is_known = not self.callbacks.may_change_data
        length = length_of(settings, self.batches.count(), is_known=is_known)
        interval = interval_of(self._plain, self.scheduler, length)
        self.schedule = RateSchedule(self.scheduler, is_per_update=interval == STEP)
        self._steps = TrainingSteps(self, modules, settings)
        return interval

    def train(self) -> dict[str, float]:
        """Train, test, and return the test results.

        The order of the callbacks::

            # an interrupted run: trainer.iteration is that of its newest checkpoint from here on
            cb_on_train_begin(trainer)
            # an interrupted run: every module's state is restored here
            for iteration in 1 .. iterations:
                cb_on_iteration_begin(trainer, iteration)
                for batch_idx in 0 .. the iteration's last batch:
                    cb_on_step_begin(trainer, iteration, batch_idx)
                    # forward, backward, update; or cb_on_update(trainer, batches), which does this
                    # the scheduler's step with `interval: step`
                    cb_on_step_end(trainer, iteration, batch_idx, loss)
                    if the training set is exhausted:
                        cb_on_loader_exhausted(trainer, iteration)
                cb_on_evaluation_begin(trainer, iteration)
                # validate: trainer.evaluating is "validation"
                cb_on_evaluation_end(trainer, iteration, metrics)
                # step the scheduler, unless it was
                cb_on_iteration_end(trainer, iteration, metrics)
                # end here after trainer.stop("why"), or as `stopping` says
                # stop here if requested; meanwhile, on a background thread:
                # checkpoint, then metrics.jsonl and progress.json
            # with all modules as they were after the best iteration
            cb_on_evaluation_begin(trainer, iterations)
            # test: trainer.evaluating is "test"
            cb_on_evaluation_end(trainer, iterations, test_results)
            cb_on_train_end(trainer, test_results)  # then results.json

        Callbacks may add numbers to `metrics` and `test_results`; they are reported, too.

        Raises:
            Stopped: If `stop_requested` was set, or `stop_after` iterations are done, but not all; the last
                complete iteration is on the disk.
            Diverged: If the training loss is no longer finite.
        """
        with claimed_once(self.outputs.checkpoints), compiler_limit_explained():
            self._begin()
            total = self._settings.iterations
            with recorder_of(self.checkpoints, self.outputs, self._settings.every) as recorder:
                for iteration in self._iterations(recorder):
                    end_iteration(self, recorder, iteration, total, self._run(iteration))
                stop_if_asked(self, recorder, total, is_over=True)
                final = digest_of(module_states(self)), self.history.points
                results = self._test(recorder)
            # The recorder has waited on exit: the last iteration is on the disk.
            self._end(results, *final)
        return results

    def _begin(self) -> None:
        """Look at the data, and begin with the first iteration, or with a checkpoint."""
        self.environment |= examine(self.loaders, is_strict=self._settings.deterministic)
        found = find_on_all_ranks(self, self._settings)
        begin_training(self, self._plain, self._settings.seed)
        ranks.check_lazy(self.stateful)
        if found is None:
            # After the callbacks, which thus see the same model when the run is resumed.
            begin_with_weights(self.model, self._settings.init_from)
            check_savable(lambda: state_of(self))
            check_restorable(self.stateful)
            self.rehearsal.begin()
        else:
            resume(self, *found, self._settings.iterations)
            self.update.is_checked = True  # its parameters may all have been frozen since

    def _iterations(self, recorder: Recorder) -> Iterator[int]:
        """Yield the iterations that are left until the run ends, or is asked to stop."""
        if self._in_progress is not None:
            self._in_progress.begin(recorder)
        for iteration in self.stopping.rest(self.iteration, self._settings.iterations):
            stop_if_asked(self, recorder, self._settings.iterations)
            yield iteration

    def _end(self, results: dict[str, float], state: str, points: Sequence[MetricPoint]) -> None:
        """End the run: write the results of the test, and the state and points of the last iteration."""
        for end in self.callbacks.cb_on_train_end:
            end(self, results)
        check_numbers(results)
        if self._in_progress is not None:
            self._in_progress.end()
        report(self, self._settings.iterations, results, points, state)

    def _run(self, iteration: int) -> dict[str, float]:
        """Train for one iteration, validate, step the scheduler, and return the metrics."""
        seed_everything(self._settings.seed, "iteration", iteration)
        for begin in self.callbacks.cb_on_iteration_begin:
            begin(self, iteration)
        if self.callbacks.may_change_data:
            check_parts(self.data, self.loaders)
            self.batches.renew()
        self._still.begin(iteration)
        with ranks.own_random_numbers(self._settings.seed, iteration, self.model):
            metrics = {"train/loss": self._steps.take(iteration, self._in_progress)}
        self._still.tell(iteration)
        metrics |= ranks.agree(evaluate_part(self, "validation", iteration))
        check_weights(self.model, iteration, metrics["validation/loss"])
        metrics["lr"] = rate_of(self.optimizer)
        self.schedule.end_iteration(metrics)
        for end in self.callbacks.cb_on_iteration_end:
            end(self, iteration, metrics)
        return metrics

    def _test(self, recorder: Recorder) -> dict[str, float]:
        """Test the best weights, or the last ones if the configuration says so."""
        seed_everything(self._settings.seed, "test")
        best = self.history.best_iteration
        if self._settings.test_with == "best" and best is not None and best != self.iteration:
            recorder.wait()
            ranks.wait_for_all()
            restore_modules(self, self.checkpoints.state_at(best))
        results = evaluate_part(self, "test", self.iteration)
        if not isfinite(results["test/loss"]):
            say(f"the test loss is {results['test/loss']}")
        return results

"""Seeded batches: makes and collates samples with random numbers that depend on their place."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from torch.utils.data import Dataset, TensorDataset, default_collate, get_worker_info

from trainer.errors import ConfigError, UnfinishedError, is_out_of_memory
from trainer.loading.hidden_generators import find_generators, lend
from trainer.loading.plain_samples import are_plain
from trainer.loading.sent_batches import as_sendable, check_sendable
from trainer.seeding import derive, forget_half_drawn, one_thread, seeded_for
from trainer.target_errors import first_line, is_in_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trainer.loading.hidden_generators import Generator

# Of a batch: its epoch, its number in it, and the indices of its samples.
Place: TypeAlias = "tuple[int, int, list[int]]"


class SeededBatches(Dataset[Any]):
    """Makes the batches of a data set with random numbers that are f(seed, epoch, batch).

    Whatever a data set and its collate function draw from the global generators of PyTorch, Python
    and NumPy, or from generators that they hold, is the same in every process, and does not change
    the generators of the training.

    Args:
        samples: The data set.
        seed: Decides the random numbers of a batch, together with its place.
        may_be_plain: Whether to leave out the seeding where the data set is seen to draw nothing: nobody
            else changes it, or chooses its indices.
    """

    def __init__(self, samples: Any, seed: int, *, may_be_plain: bool = False) -> None:  # noqa: ANN401 - what has an index
        self.samples = samples
        self.seed = seed
        self._may_be_plain = may_be_plain
        self._is_plain = False
        self.collate: Callable[[list[Any]], Any] = default_collate
        self._own: list[Generator] | None = None
        self._is_looked_through = False

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    def __getitems__(self, place: Place) -> Any:  # noqa: ANN401 - a batch is the user's
        """Make one batch, collated.

        Raises:
            UnfinishedError: If the run's own code would end a worker, which would hide the reason.
            RuntimeError: If it raises `StopIteration`.
        """
        try:
            with ends_told():
                batch = self._make_and_look(place)
                if get_worker_info() is not None:
                    check_sendable(batch)
                return batch
        except StopIteration as error:
            # It would end the pass as if there were no more batches.
            raise RuntimeError("StopIteration was raised where samples are made.") from error

    def _make_and_look(self, place: Place) -> Any:  # noqa: ANN401 - as above
        batch = self.make(place)
        if not self._is_looked_through:
            # Some data sets create their generators on first access.
            self._is_looked_through, before = True, self._own
            self.look_through()
            if [*map(id, before or ())] != [*map(id, self._own or ())]:
                return self.make(place)
        return batch

    def look_through(self) -> None:
        """Find the generators that the data set and its collate function hold now."""
        self._own = find_generators(self.samples, self.collate)
        self._is_plain = self._may_be_plain and are_plain(self.samples, self.collate, None)

    def make(self, place: Place) -> Any:  # noqa: ANN401 - as above
        """Make one batch, collated, with the generators that are known."""
        epoch, number, indices = place
        if self._is_plain:
            with one_thread():
                forget_half_drawn()  # as seeding does
                return self._collated(self._take(indices))
        with self.seeded(epoch, number):
            return self._collated(self._take(indices))

    @contextmanager
    def seeded(self, epoch: int, number: int) -> Iterator[None]:
        """Seed all generators for a batch, and restore them afterwards."""
        if self._own is None:
            self.look_through()
        own = self._own or []
        seed = derive(self.seed, epoch, number)
        if (worker := get_worker_info()) is not None:
            # Some data sets seed generators with it, and it would differ between workers.
            object.__setattr__(worker, "seed", seed)
        with seeded_for(seed), lend(own, seed):
            yield

    def _collated(self, samples: list[Any]) -> Any:  # noqa: ANN401 - as above
        """Collate samples.

        Raises:
            ConfigError: If PyTorch cannot do that.
        """
        try:
            return self.collate(samples)
        except (TypeError, ValueError, RuntimeError, LookupError) as error:
            if is_out_of_memory(error) or not is_in_libraries(error):
                raise
            raise ConfigError(
                f"data: samples cannot be collated to a batch: {first_line(error)}. Give them the same structure and"
                " shapes, or set dataloader.collate_fn."
            ) from error

    def _take(self, indices: list[int]) -> list[Any]:
        """Make samples.

        Raises:
            ConfigError: If a data set of a library cannot, as a subset with indices of no samples.
        """
        try:
            # As a DataLoader does: a data set may load many samples at once faster.
            if many := getattr(self.samples, "__getitems__", None):
                samples: list[Any] = many(indices)
                return samples
            return [self.samples[index] for index in indices]
        except (TypeError, ValueError, RuntimeError, LookupError) as error:
            if is_out_of_memory(error) or not is_in_libraries(error):
                raise
            raise ConfigError(
                f"data: {type(self.samples).__name__} cannot make samples: {first_line(error)}. Correct the"
                " data set."
            ) from error


@contextmanager
def ends_told() -> Iterator[None]:
    """Tell the trainer why the run's own code fails in a loader worker, or ends it: PyTorch may not.

    Raises:
        UnfinishedError: In a worker, if anything other than an ordinary exception is raised.
    """
    try:
        yield
    except Exception as error:
        if get_worker_info() is None or (sent := as_sendable(error)) is error:
            raise
        raise sent from error
    except BaseException as error:
        if get_worker_info() is None:
            raise
        raise UnfinishedError(f"{error!r} was raised in a loader worker.") from error


def are_plain_tensors(samples: object) -> bool:
    """Return whether samples are just rows of tensors, without random numbers.

    A subclass that makes its samples itself, for example to augment them, is not.
    """
    makers = ("__getitem__", "__getitems__")
    return isinstance(samples, TensorDataset) and all(
        getattr(type(samples), maker, None) is getattr(TensorDataset, maker, None)
        for maker in makers
    )

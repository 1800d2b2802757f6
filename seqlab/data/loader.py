"""A sized, resumable loader over batches that are a pure function of (seed, epoch, index)."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

from tqdm import tqdm

BatchT = TypeVar("BatchT", covariant=True)
LoadedT = TypeVar("LoadedT")
ItemT = TypeVar("ItemT")


WATCHED = ContextVar("WATCHED", default=False)
"""Whether loaders show a progress bar on a terminal."""


@contextmanager
def watched() -> Iterator[None]:
    """A context in which loaders show a progress bar with the time left, if stderr is a terminal."""
    token = WATCHED.set(True)
    try:
        yield
    finally:
        WATCHED.reset(token)


@dataclass(frozen=True)
class Shard:
    """The part of each global batch that one process works on.

    Args:
        rank: Number of this process, from 0.
        world: Number of processes.
    """

    rank: int = 0
    world: int = 1


def used_of(batches: int, limit: int | float | None) -> int:
    """Number of batches of an epoch that a trainer uses under its limit, which is a number or a share."""
    if limit is None:
        return batches
    return min(batches, limit) if isinstance(limit, int) else int(batches * limit)


def in_batches(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Items in order, in batches of ``size``; the last batch may be smaller."""
    left = iter(items)
    while together := list(islice(left, size)):
        yield together


class Batches(Protocol[BatchT]):
    """Random access to the batches of every epoch; the same (epoch, index) always gives the same batch."""

    def __len__(self) -> int:
        """Batches in an epoch, the same for every epoch and every process."""
        ...

    def batch(self, epoch: int, index: int) -> BatchT:
        """The batch at ``index`` of ``epoch``, both from 0."""
        ...


class Loader(Generic[LoadedT]):
    """Iterates over the batches epoch by epoch, and can save and restore its position.

    Each full iteration is one epoch. ``state_dict`` may be taken after any batch; a loader that loads it
    continues with the next batch, also at the end of an epoch, whose batches may be more or fewer from then on.

    Args:
        batches: Batches of every epoch.
        used: Number of batches used of each epoch; all if not given.
    """

    def __init__(self, batches: Batches[LoadedT], used: int | None = None) -> None:
        self.batches = batches
        self._used = len(batches) if used is None else used
        self._epoch = -1
        self._index = len(batches)
        self._resuming = False

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[LoadedT]:
        if not (self._resuming and self._index < self._used):
            self._epoch += 1
            self._index = 0
        self._resuming = False
        with tqdm(total=len(self.batches), unit="batch", leave=False, disable=None if WATCHED.get() else True) as bar:
            bar.update(self._index)
            while self._index < len(self.batches):
                self._index += 1
                yield self.batches.batch(self._epoch, self._index - 1)
                bar.update()

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self._epoch, "index": self._index, "used": self._used}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._epoch, self._index = state["epoch"], state["index"]
        self._resuming = self._index < state.get("used", self._used)  # which earlier versions did not write

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
"""Whether loaders show on a terminal how far they are."""


@contextmanager
def watched() -> Iterator[None]:
    """Within it, loaders that are walked through show a bar with the time left, where stderr is a terminal."""
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
    """How many of the batches of an epoch a trainer uses under its limit, a number or a share of them."""
    if limit is None:
        return batches
    return min(batches, limit) if isinstance(limit, int) else int(batches * limit)


def in_batches(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Items in their order, so many at a time; the last ones may be fewer."""
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
    """Walks through the batches epoch by epoch, and can say and restore where it stands.

    Each full iteration is one epoch. ``state_dict`` may be taken after any batch; a loader that loads it goes on
    with the batch that would have come next, also when the state was taken on the border of an epoch.

    Args:
        batches: Batches of every epoch.
        used: How many of them are used of each epoch, by whoever iterates; all if not given.
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
        return {"epoch": self._epoch, "index": self._index}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._epoch, self._index = state["epoch"], state["index"]
        self._resuming = True

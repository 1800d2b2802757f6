"""A network in evaluation mode for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Switched(Protocol):
    """A torch module's training mode."""

    training: bool

    def eval(self) -> object: ...

    def train(self, mode: bool = True) -> object: ...


@contextmanager
def evaluating(network: Switched) -> Iterator[None]:
    """A context in evaluation mode: no dropout, fixed batch-norm statistics; the old mode comes back afterwards."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)

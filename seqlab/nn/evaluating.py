"""A network as it is used, not as it learns."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Switched(Protocol):
    """What a module of torch is in this respect."""

    training: bool

    def eval(self) -> object: ...

    def train(self, mode: bool = True) -> object: ...


@contextmanager
def evaluating(network: Switched) -> Iterator[None]:
    """Within it dropout is off and batch normalization keeps its statistics; afterwards all is as it was."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)

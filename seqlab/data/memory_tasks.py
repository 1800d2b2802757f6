"""Two tasks that need memory; a batch is a function of (seed, index). ``TASKS`` names them."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.errors import UserError

TOLERANCE = 0.04
"""Error of a sum that counts as solved (Hochreiter & Schmidhuber 1997, section 5.4)."""
SYMBOLS = 8
RECALLED = 10
BLANK, DELIMITER = SYMBOLS, SYMBOLS + 1


class MemoryBatch(NamedTuple):
    """Sequences and their targets.

    Args:
        inputs: ``(batch, time, 2)`` float32, or ids ``(batch, time)`` int64.
        targets: Sums ``(batch,)`` float32, or ids ``(batch, time)`` int64.
    """

    inputs: Tensor
    targets: Tensor


class MemoryTask(ABC):
    """Batches of one length, and scores of a network's outputs.

    Args:
        length: Number of steps, see the task.
        batch_size: Sequences in a batch.
        seed: Seed of all sequences.

    Raises:
        UserError: The length is too short for the task.
    """

    name: ClassVar[str]
    input_size: ClassVar[int]
    output_size: ClassVar[int]
    least_length: ClassVar[int]
    success_words: ClassVar[str]
    loss_words: ClassVar[str]
    chance_words: ClassVar[str]

    def __init__(self, length: int, batch_size: int, seed: int) -> None:
        if length < self.least_length:
            raise UserError(f"length {length} must be at least {self.least_length} in the task {self.name}")
        self.length, self.batch_size, self.seed = length, batch_size, seed

    @abstractmethod
    def batch(self, index: int) -> MemoryBatch:
        """The batch of this index, from 0 on."""

    @staticmethod
    @abstractmethod
    def score(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss and share of right answers, two scalars, of outputs ``(batch, time, output_size)``."""

    @staticmethod
    @abstractmethod
    def chance() -> float:
        """Share of right answers without any memory."""

    @staticmethod
    @abstractmethod
    def chance_loss(length: int) -> float:
        """Loss without any memory."""

    def _generator(self, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, index])


class Adding(MemoryTask):
    """The sum of the two marked values of a sequence (Hochreiter & Schmidhuber 1997).

    In the form of Arjovsky et al. (2016, arXiv 1511.06464, section 4.2): each of the ``length`` steps has a value
    uniform in [0, 1) and a mark. The mark is 1 at one step of each half, otherwise 0.
    """

    name = "adding"
    input_size = 2
    output_size = 1
    least_length = 2
    success_words = f"share of held-out sequences with |error| < {TOLERANCE}"
    loss_words = "mean squared error"
    chance_words = "always answering 1"

    def batch(self, index: int) -> MemoryBatch:
        generator = self._generator(index)
        values = generator.random((self.batch_size, self.length), dtype=np.float32)
        marks = np.zeros_like(values)
        half, rows = self.length // 2, np.arange(self.batch_size)
        marks[rows, generator.integers(half, size=self.batch_size)] = 1
        marks[rows, generator.integers(half, self.length, size=self.batch_size)] = 1
        inputs = np.stack([values, marks], -1)
        return MemoryBatch(torch.from_numpy(inputs), torch.from_numpy((values * marks).sum(1)))

    @staticmethod
    def score(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Squared error, and share of errors below ``TOLERANCE``, of the output at the last step."""
        errors = outputs[:, -1, 0] - targets
        return errors.square().mean(), (errors.abs() < TOLERANCE).float().mean()

    @staticmethod
    def chance() -> float:
        """P(|X + Y - 1| < d) = 1 - (1 - d)^2 for X, Y uniform in [0, 1], whose sum has the density 1 - |s - 1|."""
        return 1 - (1 - TOLERANCE) ** 2

    @staticmethod
    def chance_loss(length: int) -> float:
        """Variance of the sum of two uniform values, twice 1/12."""
        return 1 / 6


class Copy(MemoryTask):
    """Copy ten symbols, out of eight kinds, after a delay (Arjovsky et al. 2016, section 4.1).

    With T = ``length``, the input is ten symbols, T - 1 blanks, a delimiter and ten blanks. The target is T + 10 blanks
    and the ten symbols, each T + 10 steps after its input.
    """

    name = "copy"
    input_size = SYMBOLS + 2
    output_size = SYMBOLS + 1
    least_length = 1
    success_words = "share of held-out symbols recalled"
    loss_words = "cross-entropy in nats per step, blanks counted"
    chance_words = "blanks, then any of the eight symbols"

    def batch(self, index: int) -> MemoryBatch:
        symbols = self._generator(index).integers(SYMBOLS, size=(self.batch_size, RECALLED))
        inputs = np.full((self.batch_size, self.length + 2 * RECALLED), BLANK)
        targets = inputs.copy()
        inputs[:, :RECALLED] = targets[:, -RECALLED:] = symbols
        inputs[:, RECALLED + self.length - 1] = DELIMITER
        return MemoryBatch(torch.from_numpy(inputs), torch.from_numpy(targets))

    @staticmethod
    def score(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy of all steps, and accuracy of the last ten steps."""
        right = outputs[:, -RECALLED:].argmax(-1) == targets[:, -RECALLED:]
        return F.cross_entropy(outputs.flatten(0, 1), targets.flatten()), right.float().mean()

    @staticmethod
    def chance() -> float:
        """One symbol of eight."""
        return 1 / SYMBOLS

    @staticmethod
    def chance_loss(length: int) -> float:
        """10 log 8 / (T + 20): blanks cost nothing, each of the ten symbols costs log 8."""
        return RECALLED * math.log(SYMBOLS) / (length + 2 * RECALLED)


TASKS: dict[str, type[MemoryTask]] = {kind.name: kind for kind in (Adding, Copy)}

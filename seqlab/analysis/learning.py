"""Training on a task until it is solved, with evaluation on held-out sequences."""

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

EVALUATED = 1000
"""Fewest held-out sequences."""
EVALUATE_EVERY = 100
"""Optimizer steps between evaluations."""
SOLVED = 0.99
"""Training ends when two evaluations in a row reach this success."""
CLIP_NORM = 1.0


class Task(Protocol):
    """Batches by index, and scores of outputs."""

    batch_size: int

    def batch(self, index: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the batch of this index."""

    def score(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss and share of right answers, two scalars."""


class Learned(NamedTuple):
    """Result of training.

    Args:
        success: Share of right answers on held-out sequences, 0 to 1.
        loss: Loss on the same sequences.
        steps: Optimizer steps taken.
    """

    success: float
    loss: float
    steps: int


def learn(network: nn.Module, task: Task, max_steps: int, lr: float, device: torch.device) -> Learned:
    """Trains with Adam and gradient clipping at norm 1 until a task is solved.

    The batches with the lowest indices are held out; each later batch is used once for training.

    Args:
        network: Network from inputs to outputs over time; it is moved to the device and changed in place.
        task: The task.
        max_steps: Most optimizer steps.
        lr: Learning rate.
        device: Device of the training.

    Returns:
        The result of the last evaluation; the loss is not finite if training diverged.
    """
    network.to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr)
    num_held_out = -(-EVALUATED // task.batch_size)
    held_out = [_moved(task.batch(index), device) for index in range(num_held_out)]
    before = 0.0
    for step in range(1, max_steps + 1):
        inputs, targets = _moved(task.batch(num_held_out + step - 1), device)
        optimizer.zero_grad()
        loss, _ = task.score(network(inputs), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        optimizer.step()
        if step % EVALUATE_EVERY == 0 or step == max_steps:
            reached = Learned(*_evaluate(network, task, held_out), step)
            if min(before, reached.success) >= SOLVED or not math.isfinite(reached.loss):
                break
            before = reached.success
    return reached


@torch.no_grad()
def _evaluate(network: nn.Module, task: Task, batches: list[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Success and loss as means over batches of the same size."""
    scores = torch.tensor([task.score(network(inputs), targets) for inputs, targets in batches], dtype=torch.float64)
    loss, success = scores.mean(0).tolist()
    return success, loss


def _moved(batch: tuple[Tensor, Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    inputs, targets = batch
    return inputs.to(device), targets.to(device)

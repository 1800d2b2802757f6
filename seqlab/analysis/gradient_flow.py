"""Measures of vanishing and exploding gradients through time."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells import Cell
from seqlab.cells.cell import State, Weights
from seqlab.nn.evaluating import evaluating
from seqlab.nn.language_network import LanguageNetwork
from seqlab.recurrence.stack import Recurrent

SQUARINGS = 12
"""Number of squarings: the norm of the power 2 ** 12 gives the radius to within a thousandth for common weights."""


def gradient_by_lag(network: LanguageNetwork, ids: Tensor, targets: Tensor) -> Tensor:
    """The gradient of the loss of the last step with respect to the state k steps before it.

    It is the norm of dL_T / d(state_{T-k}) over the whole state of one sequence (h, and c if there is one), as in
    Bengio et al. (1994) and Pascanu et al. (2013, arXiv 1211.5063, equation 5). Dropout is off.

    Args:
        network: The network; its weights and their gradients do not change.
        ids: ``(batch, time)`` int64.
        targets: The token after each of them, ``(batch, time)`` int64; the last counts.

    Returns:
        Mean norm over the sequences, ``(layers, time + 1)`` float32: at lag 0 of the last state, at lag ``time`` of the
        state before the first step.
    """
    with evaluating(network):
        inputs = ids if network.embedding is None else network.embedding(ids)
        return gradient_at_steps(
            network.recurrent,
            inputs,
            lambda outputs: F.cross_entropy(network.output(outputs[:, -1]), targets[:, -1], reduction="sum"),
        )


def gradient_at_steps(recurrent: Recurrent, inputs: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """The gradient of a loss with respect to the state of each step, the last step first.

    Args:
        recurrent: Stack of one direction, in evaluation mode; its weights and their gradients do not change.
        inputs: Its inputs: ``(batch, time)`` or ``(batch, time, size)``.
        loss: Loss of the outputs over time ``(batch, time, size)``, the sum over the sequences.

    Returns:
        Mean norm over the sequences, ``(layers, time + 1)`` float32; the last is that of the state before the first
        step.
    """
    layers: list[list[State]] = []

    def keep_states(
        cell: Cell, steps: Tensor, first: State, weights: Weights, _: Tensor | None
    ) -> tuple[Tensor, State]:
        states = [tuple(part.detach().requires_grad_() for part in first)]
        for row in cell.project(steps, weights).unbind(0):
            states.append(cell.step(row, states[-1], weights))
        layers.append(states)
        return torch.stack([state[0] for state in states[1:]]), states[-1]

    with torch.enable_grad(), torch.autocast(inputs.device.type, enabled=False):
        outputs, _ = recurrent.forward_by(keep_states, inputs)
        parts = [part for states in layers for state in states for part in state]
        found = torch.autograd.grad(loss(outputs), parts, allow_unused=True, materialize_grads=True)
    squares = torch.stack([gradient.double().square().sum(-1) for gradient in found])  # (layers * lags * parts, batch)
    norms = squares.unflatten(0, (len(layers), inputs.shape[1] + 1, -1)).sum(2).sqrt().mean(-1)
    return norms.flip(-1).float()


def spectral_radius(matrix: Tensor) -> float:
    """The largest absolute eigenvalue of a square matrix, ``lim ||A^n||^(1/n)`` (Gelfand), by repeated squaring.

    Unlike an eigenvalue decomposition, it needs only a few products, on any device.

    Args:
        matrix: ``(size, size)``.
    """
    power, log_norm = matrix.detach().float(), 0.0
    for squared in range(SQUARINGS + 1):
        norm = float(torch.linalg.matrix_norm(power))
        if norm == 0.0:
            return 0.0
        log_norm += math.log(norm) / 2**squared
        power = power / norm
        power = power @ power
    return math.exp(log_norm)


def recurrent_radii(network: LanguageNetwork) -> dict[str, float]:
    """The spectral radius of every gate's recurrent weights, by ``layer0/z``; empty without recurrent weights."""
    cell = network.recurrent.cell
    radii: dict[str, float] = {}
    for layer, weights in enumerate(network.recurrent.each_layer()):
        if "weight_hh" in weights:
            parts = weights["weight_hh"].chunk(len(cell.gates))
            radii |= {
                f"layer{layer}/{gate}": spectral_radius(part) for gate, part in zip(cell.gates, parts, strict=True)
            }
    return radii

"""Activity of the units and gates of a recurrent stack while it reads."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqlab.cells import Cell
from seqlab.cells.cell import State, Weights
from seqlab.nn.evaluating import evaluating
from seqlab.nn.language_network import LanguageNetwork
from seqlab.recurrence.scan import gates_over_time, step_by_step

CLOSED, OPEN = 0.1, 0.9
"""A gate counts as closed below the first value, as open above the second."""


class LayerRun(NamedTuple):
    """One layer over time.

    Args:
        states: State after each step, each part ``(time, batch, hidden_size)``; the first part is the output.
        gates: Gate values in (0, 1), ``(time, batch, hidden_size)``, by name.
    """

    states: State
    gates: dict[str, Tensor]


class Saturation(NamedTuple):
    """How often a gate is closed or open, as shares.

    Args:
        closed: Share of values below 0.1.
        opened: Share of values above 0.9.
    """

    closed: Tensor
    opened: Tensor


def windows(ids: NDArray[Any], rows: int, steps: int) -> Tensor:
    """Pieces of a text at equal distances ``(rows, steps + 1)`` int64; fewer and shorter pieces for a short text."""
    steps = min(steps, len(ids) - 1)
    starts = np.linspace(0, len(ids) - steps - 1, max(1, min(rows, len(ids) // (steps + 1)))).astype(int)
    return torch.from_numpy(np.stack([ids[start : start + steps + 1] for start in starts]).astype(np.int64))


@torch.no_grad()
def read(network: LanguageNetwork, ids: Tensor) -> list[LayerRun]:
    """States and gates of every layer while the network reads ids ``(batch, time)``, without dropout."""
    layers: list[LayerRun] = []

    def record(cell: Cell, steps: Tensor, first: State, weights: Weights, _: Tensor | None) -> tuple[Tensor, State]:
        states = step_by_step(cell, steps, first, weights)
        layers.append(LayerRun(states, gates_over_time(cell, steps, first, weights)))
        return states[0], tuple(part[-1] for part in states)

    with evaluating(network), torch.autocast(ids.device.type, enabled=False):
        network.recurrent.forward_by(record, ids if network.embedding is None else network.embedding(ids))
    return layers


def saturation(gate: Tensor) -> Saturation:
    """Saturation of each unit of a gate ``(time, batch, hidden_size)``, shares ``(hidden_size,)`` (Karpathy et al.
    2015, arXiv 1506.02078, section 4.2)."""
    return Saturation((gate < CLOSED).float().mean((0, 1)), (gate > OPEN).float().mean((0, 1)))


def saturations(layers: Sequence[LayerRun]) -> dict[str, Saturation]:
    """Saturation of the units of each gate of each layer, by ``layer0/z``."""
    return {f"layer{k}/{name}": saturation(gate) for k, run in enumerate(layers) for name, gate in run.gates.items()}


def half_lives(states: Tensor, longest: int = 50) -> Tensor:
    """Memory length of each unit: the first lag at which its autocorrelation is below one half.

    Args:
        states: ``(time, batch, hidden_size)``.
        longest: Largest lag to check, at most ``time - 1``.

    Returns:
        Steps ``(hidden_size,)`` int64; ``longest`` if it never falls below one half, 0 for constant units, and 0 for
        all units with a single step.
    """
    longest = min(longest, len(states) - 1)
    if longest < 1:
        return torch.zeros(states.shape[-1], dtype=torch.int64, device=states.device)
    centred = states - states.mean((0, 1))
    variance = centred.square().mean((0, 1))
    lags = range(1, longest + 1)
    shares = torch.stack([(centred[lag:] * centred[:-lag]).mean((0, 1)) for lag in lags]) / variance.clamp_min(1e-12)
    below = shares < 0.5
    first = torch.where(below.any(0), below.int().argmax(0) + 1, longest)
    return torch.where(variance > 1e-12, first, 0)

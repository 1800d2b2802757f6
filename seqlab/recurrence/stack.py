"""A stack of recurrent layers over time, state in and state out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.cells import CELLS, Cell, cell_named
from seqlab.cells.cell import State, Weights
from seqlab.errors import UserError, nearest
from seqlab.options import Options, option
from seqlab.recurrence.backends import check_backend, fastest, run, run_whole
from seqlab.recurrence.connections import CONNECTIONS
from seqlab.recurrence.dropout import Dropout, mask
from seqlab.recurrence.layers import make_layers, weights_of
from seqlab.recurrence.lengths import backwards, valid_steps

__all__ = ["Recurrent", "State"]

RunLayer = Callable[[Cell, Tensor, State, Weights, Tensor | None], tuple[Tensor, State]]
"""Cell, steps ``(time, batch, size)`` or ids, first state, weights and lengths -> outputs over time and last state."""


@dataclass(frozen=True)
class CellOptions(Options):
    """Options of every recurrent network; see ``Recurrent`` and ``initialize``.

    Raises:
        UserError: A value is out of its bounds, or a name is unknown.
    """

    cell: str = option("gru", "Cell of every layer.", choices=(*CELLS,))
    hidden_size: int | list[int] = option(
        256, "Units in each recurrent layer; a list has one number for each layer.", least=1, most=2**20
    )
    num_layers: int | None = option(None, "Number of recurrent layers; 1 if not given.", least=1, most=256)
    embedding_size: int | None = option(64, "Size of the embedding; null feeds one-hot vectors.", least=1, most=2**20)
    dropout: float = option(0.3, "Dropout on every non-recurrent connection.", least=0, below=1)
    init: str = option("torch", "Initialization: torch, normal (0.01), xavier, orthogonal or uniform.")
    init_range: float = option(0.1, "Largest absolute initial weight and bias of init uniform.", above=0, seldom=True)
    forget_bias: float | None = option(
        None, "Initial bias of the forget gate of LSTMs; set by init if not given.", seldom=True
    )
    backend: Literal["auto", "torch", "scan", "reference"] = option(
        "auto", "Backend of the recurrence: torch, scan, reference, or auto for the fastest.", seldom=True
    )


@dataclass(frozen=True)
class StackOptions(CellOptions):
    """More options of networks with one recurrent stack.

    Raises:
        UserError: A value is out of its bounds, or a name is unknown.
    """

    variational: bool = option(False, "Variational dropout: one mask over time (Gal & Ghahramani 2016).", seldom=True)
    weight_drop: float = option(
        0.0,
        "DropConnect on the recurrent weights, for a whole batch (Merity et al. 2018).",
        least=0,
        below=1,
        seldom=True,
    )
    connections: Literal["plain", "residual", "highway", "dense"] = option(
        "plain", "Connections between layers: plain, residual, highway or dense.", seldom=True
    )
    learned_state: bool = option(False, "Learn the state before the first step; it is zero otherwise.", seldom=True)
    recompute_every: int | None = option(
        None,
        "Gradient checkpointing: steps between kept states, to save memory; null keeps all.",
        least=1,
        seldom=True,
    )

    def stack(self, input_size: int, bidirectional: bool = False) -> "Recurrent":
        """The stack of these options, for inputs of a size or a number of ids."""
        return Recurrent(
            self.cell,
            input_size,
            self.hidden_size,
            self.num_layers,
            self.dropout,
            bidirectional=bidirectional,
            variational=self.variational,
            weight_drop=self.weight_drop,
            connections=self.connections,
            learned_state=self.learned_state,
            backend=self.backend,
            recompute_every=self.recompute_every,
        )


class Recurrent(nn.Module):
    """Stacked recurrent layers, run over all time steps.

    The state is a tuple of ``(layers * directions, batch, hidden_size)``, one for each part of the cell's state:
    ``(h,)``, or ``(h, c)`` for an LSTM. Layers narrower than the widest layer have zeros in the rest of their rows.

    Args:
        cell: A name of ``CELLS``, or a cell.
        input_size: Size of a step's input.
        hidden_size: Size of a step's output and of the state; one for all layers, or a list of one for each.
        num_layers: Number of layers; each reads the outputs of the layer below.
        dropout: Dropout between layers.
        bidirectional: Whether every layer also reads the sequence from its end to its start; outputs are then
            twice as wide, the forward half first.
        variational: Variational dropout: one mask over time (Gal & Ghahramani 2016).
        weight_drop: DropConnect: share of the recurrent weights zeroed for a whole sequence (Merity et al. 2018).
        connections: ``plain``, ``residual``, ``highway`` or ``dense``, see ``CONNECTIONS``.
        learned_state: Learn the state before the first step; it is zero otherwise.
        backend: ``torch``, ``scan``, ``reference``, or ``auto`` for the fastest of them, see ``fastest``.
        recompute_every: Steps of pieces whose gates are computed again in the backward pass, see ``in_pieces``; all
            gates are kept if not given.

    Raises:
        UserError: A name is unknown or a size is out of its bounds.
    """

    def __init__(
        self,
        cell: str | Cell,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int | None = None,
        dropout: float = 0.0,
        bidirectional: bool = False,
        variational: bool = False,
        weight_drop: float = 0.0,
        connections: Literal["plain", "residual", "highway", "dense"] = "plain",
        learned_state: bool = False,
        backend: Literal["auto", "torch", "scan", "reference"] = "auto",
        recompute_every: int | None = None,
    ) -> None:
        super().__init__()
        self.cell = cell if isinstance(cell, Cell) else cell_named(cell)
        self.widths = _widths(hidden_size, num_layers)
        self.directions = 2 if bidirectional else 1
        self.backend = check_backend(backend, self.cell)
        if not 0 <= weight_drop < 1:
            raise UserError(f"weight_drop {weight_drop} must be at least 0 and below 1")
        if connections not in CONNECTIONS:
            raise UserError(f"unknown connections '{connections}': {nearest(connections, CONNECTIONS)}")
        if recompute_every is not None and recompute_every < 1:
            raise UserError(f"recompute_every {recompute_every} must be a whole number of at least 1")
        if recompute_every is not None and backend == "torch":
            raise UserError("recompute_every needs a backend of our own; leave out backend torch")
        self.weight_drop, self.recompute_every = weight_drop, recompute_every
        self.input_size, self.output_size = input_size, self.directions * self.widths[-1]
        outputs = [self.directions * width for width in self.widths]
        self.connection = CONNECTIONS[connections](input_size, outputs)
        sizes = list(zip(self.connection.input_sizes, self.widths, strict=True))
        self.layers = make_layers(self.cell, sizes, self.directions, dropout)
        self.dropout = Dropout(dropout, variational, time_axis=0)
        self._in_one_call = connections == "plain" and not weight_drop and not (variational and dropout)
        rows = self.directions * len(self.widths)
        self.first_state = nn.ParameterDict(
            {part: torch.zeros(rows, max(self.widths)) for part in self.cell.states if learned_state}
        )

    def each_layer(self) -> Iterator[dict[str, Tensor]]:
        """The weights of every direction of every layer, under the names of the cell's ``shapes``."""
        for layer in range(len(self.widths)):
            for direction in range(self.directions):
                yield weights_of(self.layers, self.cell, layer, direction)

    def zero_state(self, batch_size: int) -> State:
        """The zero state before the first step."""
        weight = next(self.parameters())
        shape = self.directions * len(self.widths), batch_size, max(self.widths)
        return tuple(weight.new_zeros(shape) for _ in self.cell.states)

    def forward(
        self, inputs: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Runs over time.

        Args:
            inputs: ``(batch, time, input_size)``, or ids ``(batch, time)`` int64 that stand for one-hot vectors.
            state: State before the first step; zeros or the learned state if not given.
            lengths: Real steps of each sequence ``(batch,)`` int64, at least 1; all if not given. Padding changes
                nothing, and its outputs are zero.

        Returns:
            Outputs ``(batch, time, hidden_size * directions)`` and the state after the last real step.

        Raises:
            UserError: A length is below 1 or above the number of steps.
        """
        if state is None:
            state = self._first_state(len(inputs))
        elif self.directions == 2:
            raise UserError("a bidirectional stack takes no state: its backward half starts at the end of a sequence")
        dtype = next(self.parameters()).dtype
        state = tuple(part.to(dtype) for part in state)
        if lengths is not None and len(lengths):
            least, most = torch.stack(lengths.aminmax()).tolist()
            if not 1 <= least <= most <= inputs.shape[1]:
                raise UserError(f"lengths {lengths.tolist()} must lie between 1 and the {inputs.shape[1]} steps")
            lengths = lengths if least < inputs.shape[1] else None
        backend = self.backend
        if backend == "auto" and self.recompute_every is not None:
            backend = "scan"
        if backend == "auto":
            ids = 0 if inputs.is_floating_point() else self.input_size
            device = inputs.device.type
            low, (batch, steps) = torch.is_autocast_enabled(device), inputs.shape[:2]
            backend = fastest(self.cell, device, steps, torch.is_grad_enabled(), ids, low, batch)
        if backend == "torch":
            inputs = self._vectors(inputs)
            if self._in_one_call and isinstance(self.layers, nn.RNNBase):
                return run_whole(self.layers, inputs, state, lengths)
        run_layer = partial(run, backend, recompute_every=self.recompute_every)
        return self._layer_by_layer(run_layer, inputs, state, lengths)

    def forward_by(self, run_layer: RunLayer, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """``forward``, with a function that runs each direction of each layer, from the lowest layer up."""
        return self._layer_by_layer(run_layer, inputs, self._first_state(len(inputs)) if state is None else state, None)

    def _layer_by_layer(
        self, run_layer: RunLayer, inputs: Tensor, state: State, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        steps = inputs.transpose(0, 1)  # (time, batch, ...)
        if not self.connection.takes_ids:
            steps = self._vectors(steps)
        valid = None if lengths is None else valid_steps(lengths, len(steps)).unsqueeze(-1)
        if valid is not None and steps.is_floating_point():
            steps = torch.where(valid, steps, 0)
        last: list[State] = []
        for layer, width in enumerate(self.widths):
            halves = []
            for direction in range(self.directions):
                row = layer * self.directions + direction
                first = tuple(part[row, :, :width] for part in state)
                half, after = self._one_direction(run_layer, steps, layer, direction, first, lengths)
                halves.append(half)
                last.append(after)
            outputs = torch.cat(halves, -1) if len(halves) > 1 else halves[0]
            if valid is not None:
                outputs = torch.where(valid, outputs, 0)
            if layer < len(self.widths) - 1:
                outputs = self.dropout(outputs)
            steps = self.connection(layer, steps, outputs)
        return steps.transpose(0, 1), self._stacked(last)

    def _one_direction(
        self, run_layer: RunLayer, steps: Tensor, layer: int, direction: int, first: State, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        weights = weights_of(self.layers, self.cell, layer, direction)
        if self.weight_drop and self.training and "weight_hh" in weights:
            weight = weights["weight_hh"]
            weights["weight_hh"] = weight * mask(weight.shape, self.weight_drop, weight)
        if not direction:
            return run_layer(self.cell, steps, first, weights, lengths)
        outputs, last = run_layer(self.cell, backwards(steps, lengths), first, weights, lengths)
        return backwards(outputs, lengths), last

    def _vectors(self, inputs: Tensor) -> Tensor:
        """Ids as one-hot vectors, vectors as they are."""
        if inputs.is_floating_point():
            return inputs
        return F.one_hot(inputs, self.input_size).to(next(self.parameters()).dtype)

    def _first_state(self, batch: int) -> State:
        if not self.first_state:
            return self.zero_state(batch)
        return tuple(self.first_state[part].unsqueeze(1).expand(-1, batch, -1) for part in self.cell.states)

    def _stacked(self, rows: Sequence[State]) -> State:
        """The states of all layers, one tensor for each part, with the width of the widest layer."""
        widest = max(self.widths)
        return tuple(
            torch.stack([F.pad(part, (0, widest - part.shape[-1])) for part in parts])
            for parts in zip(*rows, strict=True)
        )


def _widths(hidden_size: int | Sequence[int], num_layers: int | None) -> list[int]:
    if num_layers is not None and num_layers < 1:
        raise UserError(f"num_layers {num_layers} must be a whole number of at least 1")
    widths = [hidden_size] * (num_layers or 1) if isinstance(hidden_size, int) else list(hidden_size)
    if not widths or min(widths) < 1:
        raise UserError(f"hidden_size {hidden_size} must be a whole number of at least 1, or a list of such")
    if num_layers not in (None, len(widths)):
        raise UserError(f"num_layers {num_layers} does not agree with the {len(widths)} widths of hidden_size")
    return widths

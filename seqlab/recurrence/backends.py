"""Backends that run a recurrence over time: torch's layers, the scan of this project, or the equations step by step."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqlab.cells import Cell
from seqlab.cells.cell import State
from seqlab.errors import UserError, nearest
from seqlab.native.compiler import native
from seqlab.recurrence.lengths import last_steps
from seqlab.recurrence.recompute import in_pieces
from seqlab.recurrence.scan import scan, step_by_step

BACKENDS = ("auto", "torch", "scan", "reference")


def check_backend(name: str, cell: Cell) -> str:
    """The name of a backend, if it supports the cell.

    Raises:
        UserError: The backend is unknown or does not support the cell.
    """
    if name not in BACKENDS:
        raise UserError(f"unknown backend '{name}': {nearest(name, BACKENDS)}")
    if name == "torch" and cell.torch_name is None:
        raise UserError(f"backend torch does not have this {type(cell).__name__}; choose one of auto, reference, scan")
    return name


MANY_IDS = 256
"""Number of ids from which a product with one-hot vectors costs more than torch's LSTM saves."""

MANY_ROWS = 48
"""Batch size from which torch's LSTM in a lower precision is faster."""


def fastest(
    cell: Cell, device: str, steps: int, learning: bool, ids: int = 0, low: bool = False, batch: int = 1
) -> str:
    """The fastest backend by earlier measurements; see ``experiments/speed/backends.py``.

    This is a fixed rule without a timing, so that a run and its continuation use the same backend.

    Args:
        cell: The recurrence.
        device: ``cpu``, ``cuda``, ...
        steps: Time steps.
        learning: Whether gradients are needed.
        ids: Number of ids if the input is ids, which only the scan looks up; 0 if the input is vectors.
        low: Whether products have a lower precision.
        batch: Batch size.
    """
    if device == "cpu" and steps == 1 and not learning and cell.torch_name in (None, "lstm"):
        return "reference"
    if cell.torch_name is None or ids > MANY_IDS:
        return "scan"
    if device == "cpu" and low and cell.torch_name == "lstm" and not _fused_lstm_in_bf16():
        return "scan"
    if device != "cpu" or not learning:
        return "torch"
    if cell.torch_name != "lstm":
        return "scan"
    outrun = native().tiles and batch < MANY_ROWS if low else native().library is not None  # oneDNN's fused LSTM
    return "scan" if outrun else "torch"


def _fused_lstm_in_bf16() -> bool:
    """Whether oneDNN runs torch's LSTM in bfloat16 on this processor; without AVX-512 it raises instead."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def run(
    backend: str,
    cell: Cell,
    inputs: Tensor,
    state: State,
    weights: Mapping[str, Tensor],
    lengths: Tensor | None = None,
    recompute_every: int | None = None,
) -> tuple[Tensor, State]:
    """One direction of one layer over time.

    Args:
        backend: ``torch``, ``scan`` or ``reference``.
        cell: The recurrence.
        inputs: ``(time, batch, input_size)``, or ids ``(time, batch)`` except for ``torch``.
        state: First state, each part ``(batch, hidden_size)``.
        weights: Weights of the cell.
        lengths: Real steps of each sequence ``(batch,)``.
        recompute_every: Steps of the pieces that are computed twice to save memory, see ``in_pieces``.

    Returns:
        Outputs ``(time, batch, hidden_size)``, undefined after each sequence's end, and the last real state.
    """
    if backend == "torch":
        return _torch_layer(cell, inputs, state, weights, lengths)
    over_time = scan if backend == "scan" else step_by_step
    if recompute_every and torch.is_grad_enabled():
        steps = in_pieces(over_time, cell, inputs, state, weights, recompute_every)
    else:
        steps = over_time(cell, inputs, state, weights)
    return steps[0], tuple(last_steps(part, lengths) for part in steps)


def _torch_layer(
    cell: Cell, inputs: Tensor, state: State, weights: Mapping[str, Tensor], lengths: Tensor | None
) -> tuple[Tensor, State]:
    function = getattr(torch, str(cell.torch_name))
    first = tuple(part.unsqueeze(0).to(inputs.dtype) for part in state)
    hidden = first if len(first) > 1 else first[0]
    learning = torch.is_grad_enabled()  # cuDNN needs training mode for gradients
    flat = [weights[name] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    if lengths is None:
        outputs, *last = function(inputs, hidden, flat, True, 1, 0.0, learning, False, False)
        return outputs, tuple(part[0] for part in last)
    packed = pack_padded_sequence(inputs, lengths.cpu(), enforce_sorted=False)
    order, back = packed.sorted_indices, packed.unsorted_indices
    hidden = tuple(part[:, order] for part in first) if len(first) > 1 else first[0][:, order]
    values, *last = function(packed.data, packed.batch_sizes, hidden, flat, True, 1, 0.0, learning, False)
    outputs, _ = pad_packed_sequence(packed._replace(data=values), total_length=len(inputs))
    return outputs, tuple(part[0, back] for part in last)


def run_whole(layers: nn.RNNBase, inputs: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
    """A whole stack in one call of torch's own module.

    Args:
        layers: ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM``, batch first.
        inputs: ``(batch, time, input_size)``.
        state: Each part ``(layers * directions, batch, hidden_size)``.
        lengths: Real steps of each sequence ``(batch,)``.

    Returns:
        Outputs ``(batch, time, directions * hidden_size)``, zero after each sequence's end, and the state after the
        last real step.
    """
    first = tuple(part.to(inputs.dtype) for part in state)
    hidden = first if len(first) > 1 else first[0]
    if lengths is None:
        outputs, last = layers(inputs, hidden)
    else:
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        values, last = layers(packed, hidden)
        outputs, _ = pad_packed_sequence(values, batch_first=True, total_length=inputs.shape[1])
    return outputs, last if isinstance(last, tuple) else (last,)

"""One step of a recurrent language model in compiled code: from ids to logits in one call."""

import ctypes
from collections.abc import Mapping, Sequence
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, portable, threads_for
from seqlab.native.draws import OPTIONS, Limits

EACH = 5_000_000
"""Multiplications per thread; with fewer, a thread costs more than it saves."""

UNITS = 16
"""Units that are computed together, as in steps.cpp; every size is filled up to a multiple."""

CELLS = {"gru": (3, 1), "lstm": (4, 2), "rnn_tanh": (1, 1), "rnn_relu": (1, 1)}
"""Cells that steps.cpp has, by torch's names: the number of gates, and of parts of the state."""

STEP = (POINTER, NUMBER, *[POINTER] * 3, NUMBER, POINTER, NUMBER, NUMBER)
STEPS = (POINTER, NUMBER, POINTER, POINTER, NUMBER, POINTER, POINTER, *OPTIONS, POINTER, *[NUMBER] * 4)
"""Arguments of the functions in steps.cpp."""


class _Layer(ctypes.Structure):
    """``Layer`` of steps.cpp."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("inputs", "bias", "recurrent", "recurrent_bias")),
        *((name, ctypes.c_int64) for name in ("below", "size", "at")),
    )


def able(cell: str, table: Tensor) -> bool:
    """Whether compiled code has a cell, by torch's name, and can read its input products: float32, on a CPU."""
    fits = cell in CELLS and table.dtype == torch.float32 and table.device.type == "cpu"
    return fits and portable().library is not None


def _filled(size: int) -> int:
    return -(-size // UNITS) * UNITS


def _packed(weight: Tensor, gates: int, inner: int) -> Tensor:
    """A weight ``(gates * size, up to inner)`` as ``(panels, gates, inner, UNITS)``, filled up with zeros."""
    size = len(weight) // gates
    rows = F.pad(weight.unflatten(0, (gates, size)), (0, inner - weight.shape[1], 0, _filled(size) - size))
    return rows.unflatten(1, (-1, UNITS)).permute(1, 0, 3, 2).contiguous()


class Steps:
    """Steps of stacked layers of one cell and of the output layer above them.

    The state is one tensor ``(batch, numbers)``: in each row the parts of the lowest layer's state, then those of the
    next layer, each filled up with zeros.

    Args:
        cell: Torch's name of the cell.
        table: Input products of the lowest layer for each id, with the bias ``(ids, gates * size)``.
        layers: Weights of each layer, under torch's names.
        output: Weight ``(vocab_size, size)`` and bias of the output layer.
    """

    def __init__(
        self, cell: str, table: Tensor, layers: Sequence[Mapping[str, Tensor]], output: tuple[Tensor, Tensor]
    ) -> None:
        (gates, self.parts), self.cell = CELLS[cell], cell
        self.multiplications = sum(weight.numel() for one in layers for weight in one.values()) + output[0].numel()
        self.sizes = [_filled(one["weight_hh"].shape[1]) for one in layers]
        self.width, self.vocab_size = self.parts * sum(self.sizes), len(output[0])
        self.kept: list[Tensor] = []
        rows: list[_Layer] = []
        below, at = len(table), 0
        for one, size in zip(layers, self.sizes, strict=True):
            inputs = (one["weight_ih"], one["bias_ih"]) if rows else (table.t(), torch.zeros_like(one["bias_ih"]))
            packed = self._packed(gates, below, *inputs) + self._packed(gates, size, one["weight_hh"], one["bias_hh"])
            rows.append(_Layer(*packed, below, size, at))
            below, at = size, at + self.parts * size
        rows.append(_Layer(*self._packed(1, below, *output), None, None, below, _filled(self.vocab_size), 0))
        self.layers = (_Layer * len(rows))(*rows)

    def _packed(self, gates: int, inner: int, weight: Tensor, bias: Tensor) -> list[int]:
        """Where the packed weight and bias are."""
        packed = [_packed(weight, gates, inner), _packed(bias.unsqueeze(1), gates, 1)]
        self.kept += packed
        return [one.data_ptr() for one in packed]

    def started(self, state: Sequence[Sequence[Tensor]]) -> Tensor:
        """The state from that of each layer, each part ``(batch, size)``."""
        sizes = (size for size in self.sizes for _ in range(self.parts))
        filled = (
            F.pad(part.float(), (0, size - part.shape[1])) for part, size in zip(chain(*state), sizes, strict=True)
        )
        return torch.cat([*filled], 1)

    def __call__(self, ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(batch, vocab_size)`` of the token after ids ``(batch,)`` int64, and the new state."""
        rows, after = ids.shape[0], torch.empty_like(state)
        logits = torch.empty(rows, self.layers[-1].size)
        given = *self._stack, ids.contiguous(), state, after, self.width, logits, rows, self._threads(rows)
        call(f"{self.cell}_step", STEP, *given, library=portable().library)
        return logits[:, : self.vocab_size], after

    def drawn(self, logits: Tensor, state: Tensor, uniform: Tensor, limits: Limits) -> tuple[Tensor, Tensor, Tensor]:
        """Draws a token and takes a step, again and again.

        Args:
            logits: Of the first token ``(batch, vocab_size)`` float32.
            state: State before it.
            uniform: ``(tokens, batch)`` float64 in [0, 1).
            limits: What is drawn.

        Returns:
            Ids ``(tokens, batch)`` int64, fewer if a row has no distribution, and the logits and the state after them.
        """
        (tokens, rows), even, odd = uniform.shape, state.clone(), torch.empty_like(state)
        ids, after = torch.empty(tokens, rows, dtype=torch.int64), torch.empty(rows, self.layers[-1].size)
        after[:, : self.vocab_size] = logits
        given = *self._stack, even, odd, self.width, after, uniform.contiguous()
        sizes = rows, self.vocab_size, self._threads(rows), tokens
        limited = limits.arguments(rows, self.vocab_size)
        count = call(f"{self.cell}_steps", STEPS, *given, *limited, ids, *sizes, library=portable().library)
        return ids[:count], after[:, : self.vocab_size], odd if count % 2 else even

    @property
    def _stack(self) -> tuple[int, int]:
        return ctypes.addressof(self.layers), len(self.layers)

    def _threads(self, rows: int) -> int:
        return threads_for(rows * self.multiplications, EACH)

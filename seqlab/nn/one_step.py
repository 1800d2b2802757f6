"""A recurrent language model for one token at a time, without the overhead of a batch over time."""

from typing import Any

import torch
from torch import Tensor

from seqlab.cells.cell import State
from seqlab.native.steps import Steps, able
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.output_layer import FullSoftmax
from seqlab.recurrence.connections import CONNECTIONS

TABLE = 4096
"""Largest vocabulary for which the first layer's input products are computed in advance."""


class OneStep:
    """The outputs of a network in evaluation mode, as a function of ids and a state.

    For a small vocabulary the first layer's input product W_ih x + b_ih of each id comes from a table. Each layer then
    runs the equations of its cell; compiled code, if there is any for the cell, runs all layers in one call.

    Args:
        network: A network of forward layers, each with the output of the layer below as its only input.
    """

    def __init__(self, network: LanguageNetwork) -> None:
        self.network, self.cell = network, network.recurrent.cell
        self.layers = [
            {name: weight.detach() for name, weight in one.items()} for one in network.recurrent.each_layer()
        ]
        self.embedded = None if network.embedding is None else network.embedding.weight.detach()
        self.table = self._inputs(ids=network.output.out_features)
        self.compiled: Steps | None = None
        name, output = self.cell.torch_name, network.output
        if name is None or self.table is None or not isinstance(output, FullSoftmax):
            return
        if able(name, self.table):
            self.compiled = Steps(name, self.table, self.layers, (output.weight.detach(), output.bias.detach()))

    def _inputs(self, ids: int) -> Tensor | None:
        """The first layer's input product of each id ``(ids, gates * hidden_size)``; None for a large vocabulary."""
        if ids > TABLE:
            return None
        weights = self.layers[0]
        every = torch.arange(ids, device=weights["weight_ih"].device) if self.embedded is None else self.embedded
        return self.cell.project(every, weights)

    def __call__(self, ids: Tensor, state: list[State] | Tensor | None) -> tuple[Tensor, list[State] | Tensor]:
        """Logits ``(batch, time, vocab_size)`` of the token after each position, and the state.

        Args:
            ids: ``(batch, time)`` int64; ``time`` is 1 after the first call.
            state: State of the last call: of each layer, or the compiled code's tensor; None at the beginning.
        """
        if state is None:
            logits, kept = self.network(ids)
            widths = self.network.recurrent.widths
            layers = [tuple(part[row, :, :width] for part in kept) for row, width in enumerate(widths)]
            return logits, layers if self.compiled is None else self.compiled.started(layers)
        if self.compiled is not None:
            assert isinstance(state, Tensor)
            logits, state = self.compiled(ids[:, 0], state)
            return logits.unsqueeze(1), state
        after: list[State] = []
        rows = self._first(ids[:, 0])
        for weights, before in zip(self.layers, state, strict=True):
            projected = rows if not after else self.cell.project(rows, weights)
            after.append(self.cell.step(projected, before, weights))
            rows = after[-1][0]
        return self.network.output(rows).unsqueeze(1), after

    def _first(self, ids: Tensor) -> Tensor:
        """The first layer's input product of ids ``(batch,)``."""
        if self.table is not None:
            return self.table.index_select(0, ids)
        inputs = ids if self.embedded is None else self.embedded.index_select(0, ids)
        return self.cell.project(inputs, self.layers[0])


def one_step(network: Any) -> Any:
    """``OneStep`` of a network if it supports the network, otherwise the network itself."""
    if not isinstance(network, LanguageNetwork):
        return network
    stack = network.recurrent
    plain = stack.directions == 1 and type(stack.connection) is CONNECTIONS["plain"]
    return OneStep(network) if plain and stack.backend == "auto" else network

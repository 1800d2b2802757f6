"""A recurrent language model for one token at a time, without the overhead of a batch over time."""

from typing import Any

from torch import Tensor

from seqlab.cells.cell import State
from seqlab.nn.language_network import LanguageNetwork
from seqlab.recurrence.connections import CONNECTIONS

TABLE = 4096
"""Largest vocabulary for which the first layer's input products are computed in advance."""


class OneStep:
    """The outputs of a network in evaluation mode, as a function of ids and a state.

    For a small vocabulary the first layer's input product W_ih x + b_ih of each id comes from a table. Each layer then
    runs the equations of its cell.

    Args:
        network: A network of forward layers, each with the output of the layer below as its only input.
    """

    def __init__(self, network: LanguageNetwork) -> None:
        self.network, self.cell = network, network.recurrent.cell
        self.layers = [
            {name: weight.detach() for name, weight in one.items()} for one in network.recurrent.each_layer()
        ]
        self.embedded = None if network.embedding is None else network.embedding.weight.detach()
        self.table: Tensor | None = None
        if self.embedded is not None and len(self.embedded) <= TABLE:
            self.table = self.cell.project(self.embedded, self.layers[0])

    def __call__(self, ids: Tensor, state: list[State] | None) -> tuple[Tensor, list[State]]:
        """Logits ``(batch, time, vocab_size)`` of the token after each position, and the state of each layer.

        Args:
            ids: ``(batch, time)`` int64; ``time`` is 1 after the first call.
            state: State of the last call; None at the beginning.
        """
        if state is None:
            logits, kept = self.network(ids)
            widths = self.network.recurrent.widths
            return logits, [tuple(part[row, :, :width] for part in kept) for row, width in enumerate(widths)]
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

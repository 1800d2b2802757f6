"""A recurrent language model read a token at a time, without what a batch over time needs."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import State
from seqlab.nn.language_network import LanguageNetwork
from seqlab.recurrence.connections import CONNECTIONS

TABLE = 4096
"""Ids up to which what the first layer takes of every one is worth computing beforehand."""


class OneStep:
    """The same numbers as a network in evaluation mode gives, as a function of ids and a state of its own.

    What the first layer takes of each id, W_ih x + b_ih, is looked up where there are few; each layer then runs the
    equations of its cell.

    Args:
        network: Forward layers, each fed by the one below alone.
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
            ids: ``(batch, time)`` int64; ``time`` is 1 behind a beginning.
            state: Of this function; none at the beginning.
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
        output = self.network.output
        return F.linear(rows, output.weight, output.bias).unsqueeze(1), after

    def _first(self, ids: Tensor) -> Tensor:
        """What the first layer takes of ids ``(batch,)``."""
        if self.table is not None:
            return self.table.index_select(0, ids)
        inputs = ids if self.embedded is None else self.embedded.index_select(0, ids)
        return self.cell.project(inputs, self.layers[0])


def one_step(network: Any) -> Any:
    """``OneStep`` of a network that it can read, of any other the network itself."""
    if not isinstance(network, LanguageNetwork):
        return network
    stack = network.recurrent
    plain = stack.directions == 1 and type(stack.connection) is CONNECTIONS["plain"]
    return OneStep(network) if plain and stack.backend == "auto" else network

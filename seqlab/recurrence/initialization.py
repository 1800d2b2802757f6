"""Initial weights of recurrent networks, by name."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from seqlab.cells import CELLS, Cell
from seqlab.errors import UserError, nearest
from seqlab.recurrence.connections import Highway
from seqlab.recurrence.stack import Recurrent

BOOK_STD = 0.01


def _recurrent_layers(network: nn.Module) -> Iterator[tuple[Cell, dict[str, Tensor]]]:
    """The cell and the weights of every direction of every recurrent layer."""
    for module in network.modules():
        if isinstance(module, Recurrent):
            for weights in module.each_layer():
                yield module.cell, weights


def _each_gate(cell: Cell, weight: Tensor) -> tuple[Tensor, ...]:
    """The blocks ``(hidden_size, ...)`` that a weight ``(gates * hidden_size, ...)`` stacks."""
    return weight.data.chunk(len(cell.gates))


def _torch(network: nn.Module, within: float) -> None:
    """Keeps the weights of torch's layers: uniform in +-1/sqrt(hidden_size)."""


def _normal(network: nn.Module, within: float) -> None:
    """Weights from N(0, 0.01), biases zero, as in the book's networks from scratch."""
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=BOOK_STD)
        else:
            nn.init.zeros_(parameter)


def _xavier(network: nn.Module, within: float) -> None:
    """Weights uniform with the variance of Glorot & Bengio (2010), gate by gate; biases zero; embeddings unchanged."""
    embeddings = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)}
    for parameter in (parameter for parameter in network.parameters() if id(parameter) not in embeddings):
        if parameter.dim() == 1:
            nn.init.zeros_(parameter)
        else:
            nn.init.xavier_uniform_(parameter)
    for cell, weights in _recurrent_layers(network):
        for weight in (weight for weight in weights.values() if weight.dim() > 1):
            for gate in _each_gate(cell, weight):
                nn.init.xavier_uniform_(gate)


def _orthogonal(network: nn.Module, within: float) -> None:
    """Like ``xavier``, but each recurrent gate matrix is orthogonal (Saxe et al. 2014)."""
    _xavier(network, within)
    for cell, weights in _recurrent_layers(network):
        if "weight_hh" in weights:
            for gate in _each_gate(cell, weights["weight_hh"]):
                nn.init.orthogonal_(gate)


def _uniform(network: nn.Module, within: float) -> None:
    """Every weight and bias uniform within a range around zero (Zaremba et al. 2014)."""
    for parameter in network.parameters():
        nn.init.uniform_(parameter, -within, within)


INITIALIZATIONS: dict[str, Callable[[nn.Module, float], None]] = {
    "torch": _torch,
    "normal": _normal,
    "xavier": _xavier,
    "orthogonal": _orthogonal,
    "uniform": _uniform,
}


@torch.no_grad()
def initialize(network: nn.Module, init: str, forget_bias: float | None = None, within: float = 0.1) -> None:
    """Initializes the weights of a network.

    Args:
        network: Network to initialize in place.
        init: A name of ``INITIALIZATIONS``.
        forget_bias: Initial sum of the forget gate's biases (Jozefowicz et al. 2015 propose 1); set by the
            initialization if not given.
        within: Largest absolute value of ``uniform``.

    Raises:
        UserError: The name is unknown, or a forget-gate bias is given, but the cell has no forget gate.
    """
    if init not in INITIALIZATIONS:
        raise UserError(f"unknown init '{init}': {nearest(init, INITIALIZATIONS)}")
    INITIALIZATIONS[init](network, within)
    for cell, weights in _recurrent_layers(network):
        for name, value in cell.constants.items():
            nn.init.constant_(weights[name], value)
    for module in network.modules():
        if isinstance(module, Highway):
            module.carry_first()
        if isinstance(module, Recurrent):
            for part in module.first_state.values():
                nn.init.zeros_(part)
    if forget_bias is not None:
        _set_forget_bias(network, forget_bias)


def _set_forget_bias(network: nn.Module, forget_bias: float) -> None:
    for cell, weights in _recurrent_layers(network):
        if cell.forget_gate is None:
            able = ", ".join(name for name, kind in CELLS.items() if kind.forget_gate is not None)
            raise UserError(f"forget_bias {forget_bias} needs a cell with a forget gate ({able}); leave it out")
        gate = cell.gates.index(cell.forget_gate)
        _each_gate(cell, weights["bias_ih"])[gate].fill_(forget_bias)
        if "bias_hh" in weights:
            _each_gate(cell, weights["bias_hh"])[gate].zero_()

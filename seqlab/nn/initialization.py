"""Initial weights of recurrent networks, by name."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from seqlab.errors import UserError, nearest

BOOK_STD = 0.01


def _recurrent_layers(network: nn.Module) -> Iterator[nn.RNNBase]:
    return (module for module in network.modules() if isinstance(module, nn.RNNBase))


def _each_gate(weight: Tensor) -> tuple[Tensor, ...]:
    """The square blocks ``(hidden, hidden)`` that ``weight_hh`` ``(gates * hidden, hidden)`` stacks."""
    return weight.split(weight.shape[1])


def _torch(network: nn.Module) -> None:
    """Leaves what torch's layers drew: uniform in +-1/sqrt(hidden_size)."""


def _normal(network: nn.Module) -> None:
    """Weights from N(0, 0.01), biases zero, as the book's nets from scratch."""
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=BOOK_STD)
        else:
            nn.init.zeros_(parameter)


def _xavier(network: nn.Module) -> None:
    """Weights uniform with the variance of Glorot & Bengio (2010), gate by gate; biases zero; embeddings as drawn."""
    embeddings = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)}
    for parameter in (parameter for parameter in network.parameters() if id(parameter) not in embeddings):
        if parameter.dim() == 1:
            nn.init.zeros_(parameter)
        else:
            nn.init.xavier_uniform_(parameter)
    for layer in _recurrent_layers(network):
        for name, parameter in layer.named_parameters():
            if name.startswith("weight"):
                for gate in parameter.data.split(layer.hidden_size):
                    nn.init.xavier_uniform_(gate)


def _orthogonal(network: nn.Module) -> None:
    """As ``xavier``, with each recurrent gate matrix orthogonal (Saxe et al. 2014)."""
    _xavier(network)
    for layer in _recurrent_layers(network):
        for name, parameter in layer.named_parameters():
            if name.startswith("weight_hh"):
                for gate in _each_gate(parameter.data):
                    nn.init.orthogonal_(gate)


INITIALIZATIONS: dict[str, Callable[[nn.Module], None]] = {
    "torch": _torch,
    "normal": _normal,
    "xavier": _xavier,
    "orthogonal": _orthogonal,
}


@torch.no_grad()
def initialize(network: nn.Module, init: str, forget_bias: float | None = None) -> None:
    """Draws the weights of a network anew.

    Args:
        network: Its parameters are changed in place.
        init: A name of ``INITIALIZATIONS``.
        forget_bias: What the two bias vectors of an LSTM's forget gate add up to at first (Jozefowicz et al. 2015
            propose 1); as the initialization has it if not given.

    Raises:
        UserError: The name is unknown, or a forget-gate bias was asked of a net without LSTM layers.
    """
    if init not in INITIALIZATIONS:
        raise UserError(f"unknown init '{init}': {nearest(init, INITIALIZATIONS)}")
    INITIALIZATIONS[init](network)
    if forget_bias is None:
        return
    layers = [layer for layer in _recurrent_layers(network) if isinstance(layer, nn.LSTM)]
    if not layers:
        raise UserError(f"forget_bias {forget_bias} needs an lstm, the only cell with a forget gate; leave it out")
    for layer in layers:
        forget = slice(layer.hidden_size, 2 * layer.hidden_size)  # gates lie in the order i, f, g, o
        for name, parameter in layer.named_parameters():
            if name.startswith("bias_ih"):
                parameter[forget] = forget_bias
            elif name.startswith("bias_hh"):
                parameter[forget] = 0

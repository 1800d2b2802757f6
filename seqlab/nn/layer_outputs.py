"""Outputs of every layer of a language network, over ids from the beginning of a text."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from seqlab.cells import Cell
from seqlab.cells.cell import State, Weights
from seqlab.nn.language_network import LanguageNetwork
from seqlab.nn.transformer_language import Read, TransformerLanguage
from seqlab.recurrence.backends import fastest, run


def recurrent_outputs(network: LanguageNetwork, ids: Tensor, state: State | None = None) -> tuple[list[Tensor], State]:
    """States h of each layer after each token, without gradients.

    Args:
        network: The network in evaluation mode.
        ids: ``(batch, time)`` int64.
        state: State before the first token; the initial state if not given.

    Returns:
        For each layer, the lowest first, ``(batch, time, size)``; and the state after the last token.
    """
    outputs: list[Tensor] = []

    def record(
        cell: Cell, steps: Tensor, first: State, weights: Weights, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        device, (time, batch) = steps.device.type, steps.shape[:2]
        backend = fastest(cell, device, time, False, low=torch.is_autocast_enabled(device), batch=batch)
        if not steps.is_floating_point():
            backend = "scan"
        found, last = run(backend, cell, steps, first, weights, lengths)
        outputs.append(found.transpose(0, 1))
        return found, last

    inputs = ids if network.embedding is None else network.embedding(ids)
    _, state = network.recurrent.forward_by(record, inputs, state)
    return outputs, state


def attention_outputs(network: TransformerLanguage, ids: Tensor, read: Read | None = None) -> tuple[list[Tensor], Read]:
    """Outputs of each layer of a Transformer, the last one after the final normalization.

    Args:
        network: The network in evaluation mode.
        ids: ``(batch, time)`` int64, within one window.
        read: State before the first token; the initial state if not given.

    Returns:
        For each layer, the lowest first, ``(batch, time, hidden_size)``; and the state after the last token.
    """
    outputs: list[Tensor] = []

    def keep(module: object, given: object, output: Any) -> None:
        outputs.append(output[0])

    handles = [layer.register_forward_hook(keep) for layer in network.transformer.each_layer()]
    try:
        top, read = network.read(ids, read)
    finally:
        for handle in handles:
            handle.remove()
    return [*outputs[:-1], top], read


def outputs_of_layers(network: LanguageNetwork | TransformerLanguage, ids: Tensor) -> list[Tensor]:
    """Outputs of each layer for texts read from their beginning; a Transformer reads them in windows of evaluation.

    Args:
        network: The network in evaluation mode, read forwards.
        ids: ``(batch, time)`` int64.

    Returns:
        For each layer, the lowest first, ``(batch, time, size)``.
    """
    if isinstance(network, LanguageNetwork):
        return recurrent_outputs(network, ids)[0]
    parts = _remembered(network, ids) if network.options.memory else _in_windows(network, ids)
    return [torch.cat(layer, 1) for layer in zip(*parts, strict=True)]


def _remembered(network: TransformerLanguage, ids: Tensor) -> Iterator[list[Tensor]]:
    memory = network.options.memory
    read: Read | None = None
    for part in ids.split(memory, 1):
        outputs, read = attention_outputs(network, part, read)
        read = read.last(memory)
        yield outputs


def _in_windows(network: TransformerLanguage, ids: Tensor) -> Iterator[list[Tensor]]:
    """Outputs of each window without the tokens of earlier windows."""
    window = network.window or ids.shape[1]
    done = 0
    for begin in range(0, ids.shape[1], network.step_of(window)):
        outputs, _ = attention_outputs(network, ids[:, begin : begin + window])
        yield [output[:, done - begin :] for output in outputs]
        done = begin + window
        if done >= ids.shape[1]:
            return

"""States of every layer of a language network after single tokens of a text."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from seqlab.cells.cell import State
from seqlab.nn.evaluating import evaluating
from seqlab.nn.language_network import ForwardAndBackward, LanguageNetwork
from seqlab.nn.layer_outputs import attention_outputs, recurrent_outputs
from seqlab.nn.transformer_language import Read, TransformerLanguage

AT_ONCE = 4096
"""Number of tokens that a recurrence reads at once."""
WINDOWS = 16
"""Number of windows that a Transformer reads at once."""


@torch.no_grad()
def states_at(network: LanguageNetwork | TransformerLanguage, ids: Tensor, places: Tensor) -> list[Tensor]:
    """The states after the tokens at some places of a text, read once from its beginning, without dropout.

    For a recurrence they are h, with the state carried from the beginning, joined with those of a backward stack (which
    reads from the end) if there is one. For a Transformer they are the outputs of its layers, the last one after the
    final normalization, in the windows of evaluation.

    Args:
        network: The network; its options do not change.
        ids: ``(time,)`` int64, read from the initial state.
        places: Places in the text, in ascending order ``(places,)`` int64.

    Returns:
        States of each layer, the lowest first, ``(places, size)`` float32, on the CPU.
    """
    if isinstance(network, ForwardAndBackward):
        ahead = _states_at(network, ids, places)
        behind = _states_at(network.behind, ids.flip(0), len(ids) - 1 - places.flip(0))
        return [torch.cat([one, other.flip(0)], 1) for one, other in zip(ahead, behind, strict=True)]
    return _states_at(network, ids, places)


def _states_at(network: LanguageNetwork | TransformerLanguage, ids: Tensor, places: Tensor) -> list[Tensor]:
    ids = ids.to(network.device)
    with evaluating(network), torch.autocast(ids.device.type, enabled=False):
        if isinstance(network, LanguageNetwork):
            parts = _carried(network, ids, places.tolist())
        elif network.options.memory:
            parts = _remembered(network, ids, places.tolist())
        else:
            parts = _in_windows(network, ids, places)
        layers = zip(*parts, strict=True)
        return [torch.cat([part.float().cpu() for part in layer]) for layer in layers]


def _within(places: Sequence[int], begin: int, end: int) -> list[int]:
    return [place - begin for place in places if begin <= place < end]


def _carried(network: LanguageNetwork, ids: Tensor, places: Sequence[int]) -> Iterator[list[Tensor]]:
    state: State | None = None
    for begin in range(0, places[-1] + 1, AT_ONCE):
        outputs, state = recurrent_outputs(network, ids[None, begin : begin + AT_ONCE], state)
        here = _within(places, begin, begin + AT_ONCE)
        yield [output[0, here] for output in outputs]


def _remembered(network: TransformerLanguage, ids: Tensor, places: Sequence[int]) -> Iterator[list[Tensor]]:
    memory = network.options.memory
    read: Read | None = None
    for begin in range(0, places[-1] + 1, memory):
        outputs, read = attention_outputs(network, ids[None, begin : begin + memory], read)
        read, here = read.last(memory), _within(places, begin, begin + memory)
        yield [output[0, here] for output in outputs]


def _in_windows(network: TransformerLanguage, ids: Tensor, places: Tensor) -> Iterator[list[Tensor]]:
    """States at each place from the first window that contains it; padding after the text is not seen."""
    window = network.window or len(ids)
    step = network.step_of(window)
    numbers = (-((window - 1 - places) // step)).clamp(min=0)  # ceil((place - window + 1) / step)
    padded = torch.cat([ids, ids.new_zeros(window)])
    for asked in numbers.unique().split(WINDOWS):
        rows = torch.stack([padded[number * step :][:window] for number in asked.tolist()])
        outputs, _ = attention_outputs(network, rows)
        here = torch.isin(numbers, asked)
        row = torch.searchsorted(asked, numbers[here])
        column = places[here] - numbers[here] * step
        yield [output[row, column] for output in outputs]

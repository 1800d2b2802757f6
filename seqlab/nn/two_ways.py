"""Recurrent layers that may differ in how they read backward."""

import torch
from torch import Tensor, nn

from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.lengths import backwards, valid_steps
from seqlab.recurrence.stack import Recurrent, StackOptions


class TwoWays(nn.Module):
    """Stacked layers: the lower layers read in both directions, the upper ones only forward.

    Args:
        options: Cell, widths and dropout of the layers.
        input_size: Size of a step's input.
        both: Number of lower layers that also read backward.
        backward_cell: Cell of the backward direction, a name of ``CELLS``.
        lookahead: At each step the backward direction starts this many steps later; it starts at the end of the
            sequence if not given. With one such layer, an output depends on at most this many later steps.

    Attributes:
        output_size: Size of a step's output.
    """

    def __init__(
        self, options: StackOptions, input_size: int, both: int, backward_cell: str, lookahead: int | None
    ) -> None:
        super().__init__()
        sizes = options.hidden_size
        widths = [sizes] * (options.num_layers or 1) if isinstance(sizes, int) else list(sizes)
        self.both, self.lookahead, self.directions = both, lookahead, 1 + (both == len(widths))
        self.forwards, self.backwards = nn.ModuleList(), nn.ModuleList()
        size = input_size
        for layer, width in enumerate(widths):
            self.forwards.append(_one(options, options.cell, size, width))
            if layer < both:
                self.backwards.append(_one(options, backward_cell, size, width))
            size = width * (1 + (layer < both))
        self.output_size = size
        self.dropout = Dropout(options.dropout, options.variational)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Runs over time.

        Args:
            inputs: ``(batch, time, input_size)``.
            lengths: Real steps of each sequence ``(batch,)`` int64, at least 1.

        Returns:
            ``(batch, time, output_size)``, zero after the end of each sequence.
        """
        steps = inputs
        for layer, forward in enumerate(self.forwards):
            outputs, _ = forward(steps, lengths=lengths)
            if layer < self.both:
                outputs = torch.cat([outputs, self._backward(self.backwards[layer], steps, lengths)], -1)
            steps = self.dropout(outputs) if layer < len(self.forwards) - 1 else outputs
        return steps

    def _backward(self, recurrent: nn.Module, steps: Tensor, lengths: Tensor) -> Tensor:
        if self.lookahead is None:
            turned = backwards(steps.transpose(0, 1), lengths).transpose(0, 1)
            outputs, _ = recurrent(turned, lengths=lengths)
            return backwards(outputs.transpose(0, 1), lengths).transpose(0, 1)
        return _looking_ahead(recurrent, steps, lengths, self.lookahead)


def _one(options: StackOptions, cell: str, size: int, width: int) -> Recurrent:
    return Recurrent(
        cell,
        size,
        width,
        weight_drop=options.weight_drop,
        learned_state=options.learned_state,
        backend=options.backend,
        recompute_every=options.recompute_every,
    )


def _looking_ahead(recurrent: nn.Module, steps: Tensor, lengths: Tensor, most: int) -> Tensor:
    """The backward state at each step, started ``most`` steps later or at the end of the sequence."""
    time = steps.shape[1]
    rows, places = valid_steps(lengths, time).t().nonzero(as_tuple=True)
    seen = (lengths[rows] - places).clamp(max=most + 1)  # steps that each reads
    window = min(most + 1, time)
    back = (seen.unsqueeze(1) - 1 - torch.arange(window, device=steps.device)).clamp(min=0)
    windows = steps[rows.unsqueeze(1), places.unsqueeze(1) + back]  # (places, window, size), the furthest first
    _, (hidden, *_) = recurrent(windows, lengths=seen)
    found = hidden.new_zeros(*steps.shape[:2], hidden.shape[-1])
    return found.index_put((rows, places), hidden[0])

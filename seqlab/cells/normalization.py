"""A layer normalization within a recurrence."""

import torch
from torch import Tensor

from seqlab.native.gains import gain_gradient

EPSILON = 1e-5
"""Epsilon added to the variance in a layer normalization, as in ``torch.nn.LayerNorm``."""


class Normalization:
    """A layer normalization at every step of a tape, and its derivative.

    Args:
        inputs: Inputs of the normalization ``(time, batch, width)``, filled step by step.
        gain: ``(width,)``.
        shift: ``(width,)``, if any.
    """

    def __init__(self, inputs: Tensor, gain: Tensor, shift: Tensor | None = None) -> None:
        self.inputs, self.gain, self.shift, self.width = inputs, gain, shift, list(gain.shape)
        self.means, self.scales = inputs.new_empty(2, *inputs.shape[:2], 1)

    def forward(self, step: int) -> Tensor:
        """The normalized inputs ``(batch, width)`` of a step."""
        output, self.means[step], self.scales[step] = torch.native_layer_norm(
            self.inputs[step], self.width, self.gain, self.shift, EPSILON
        )
        return output

    def backward(self, step: int, gradient: Tensor) -> Tensor:
        """The gradient of the inputs of a step, from that of its outputs."""
        mask = [True, False, False]
        moments = self.means[step], self.scales[step]
        result: Tensor = torch.ops.aten.native_layer_norm_backward(
            gradient, self.inputs[step], self.width, *moments, self.gain, self.shift, mask
        )[0]
        return result

    def gain_gradient(self, gradient: Tensor) -> Tensor:
        """The gradient of the gain, from that of the outputs of all steps ``(time, batch, width)``."""
        given = gradient, self.inputs, self.means, self.scales
        return gain_gradient(*(part.flatten(0, 1) for part in given))

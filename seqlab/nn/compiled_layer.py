"""A layer of self-attention in compiled code, where its options allow it."""

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from seqlab.native.transformer import ACTIVATIONS, Given, Shape, Weights, able
from seqlab.native.transformer import layer as compiled
from seqlab.nn.heads import Heads
from seqlab.nn.kept import Kept, Steps
from seqlab.nn.linear import Linear
from seqlab.nn.positions import Rotation
from seqlab.recurrence.dropout import Dropout, mask

if TYPE_CHECKING:
    from seqlab.nn.transformer import Layer

PARTS = Heads, Linear, Dropout, nn.LayerNorm


def _norms(layer: "Layer") -> list[nn.LayerNorm]:
    return [cast(nn.LayerNorm, norm) for norm in layer.norms]


def _weights(layer: "Layer") -> Weights:
    attention, (first, second), block = layer.attention, _norms(layer), layer.feed_forward
    parts = first, attention.inputs, attention.output, second, block.inputs, block.output
    return Weights(*(one for part in parts for one in (part.weight, part.bias)))


def _as_built(layer: "Layer") -> bool:
    """Whether nothing but the parts' own code runs when something goes through them."""
    attention, block = layer.attention, layer.feed_forward
    parts = [attention, attention.dropout, attention.inputs, attention.output, block, block.inputs, block.output]
    return all(
        type(part) in (*PARTS, type(block))
        and not (part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks)
        for part in [*parts, layer.dropout, *layer.norms]
    )


def runs(layer: "Layer", x: Tensor, before: Kept | Steps | None, seen: Tensor | None) -> bool:
    """Whether compiled code can run a layer; see ``Layer.forward`` for the arguments."""
    heads = layer.attention
    shown = heads.recorded is not None or (layer.training and heads.dropout.share > 0)
    elsewhere = torch.compiler.is_compiling() or torch.jit.is_tracing() or torch.is_autocast_enabled(x.device.type)
    return (
        layer.first
        and layer.look is None
        and layer.feed_forward.activation in ACTIVATIONS
        and before is None
        and (seen is None or seen.shape == (len(x), 1, 1, x.shape[1]))
        and not shown
        and not elsewhere
        and _as_built(layer)
        and able(x, heads.heads, layer.feed_forward.output.in_features, _weights(layer))
    )


def run(layer: "Layer", x: Tensor, seen: Tensor | None, rotation: Rotation | None, causal: bool) -> tuple[Tensor, Kept]:
    """``Layer.forward`` without earlier positions and without a memory. Needs ``runs``."""
    drops = layer.dropout.share if layer.training else 0.0
    masks = [mask(x.shape, drops, x) if drops else None for _ in layer.norms]
    cos, sin = (None, None) if rotation is None else (rotation.cos, rotation.sin)
    shape = Shape(layer.attention.heads, causal, layer.feed_forward.activation, _norms(layer)[0].eps)
    given = Given(cos, sin, None if seen is None else seen[:, 0, 0].contiguous(), *masks)

    def plain(x: Tensor) -> tuple[Tensor, Tensor]:
        y, _ = layer.forward(x, None, seen, rotation, causal, masks=masks)
        return y, layer.attention.inputs(layer.norms[0](x))

    y, projected = compiled(x, _weights(layer), shape, given, plain)
    _, keys, values = layer.attention.split(projected, 3)
    return y, Kept(keys, values)

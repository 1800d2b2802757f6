"""Layers of self-attention in compiled code, where their options allow it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from seqlab.native.transformer import ACTIVATIONS, Given, Shape, Weights, able, layers
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
    linear = attention.inputs, attention.output, block.inputs, block.output
    parts = [attention, attention.dropout, *linear, layer.dropout, *layer.norms]
    return all(type(part) in PARTS for part in parts) and not any(
        part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks
        for part in [layer, block, *parts]
    )


def _plain(layer: "Layer") -> bool:
    """Whether a layer computes what compiled code knows, unobserved."""
    heads = layer.attention
    shown = heads.recorded is not None or (layer.training and heads.dropout.share > 0)
    known = layer.first and layer.look is None and layer.feed_forward.activation in ACTIVATIONS
    return known and not shown and _as_built(layer)


def _alike(stack: Sequence["Layer"], weights: Sequence[Weights]) -> bool:
    """Whether all layers compute the same, with matrices of the same sizes."""
    kinds = {
        (
            layer.attention.heads,
            layer.feed_forward.activation,
            *(norm.eps for norm in _norms(layer)),
            *(None if one is None else one.shape for one in own),
        )
        for layer, own in zip(stack, weights, strict=True)
    }
    return len(kinds) == 1


def run(
    stack: Sequence["Layer"],
    x: Tensor,
    before: Sequence[Kept | Steps] | None,
    seen: Tensor | None,
    rotation: Rotation | None,
    causal: bool,
) -> tuple[Tensor, list[Kept | Steps]] | None:
    """What ``Layer.forward`` of one layer after the other gives, without a memory; None if compiled code cannot.

    The layers and their feed-forward blocks must be of the classes of ``transformer.py`` themselves.
    """
    elsewhere = torch.compiler.is_compiling() or torch.jit.is_tracing() or torch.is_autocast_enabled(x.device.type)
    if elsewhere or before is not None or not all(map(_plain, stack)):
        return None
    if seen is not None and seen.shape != (len(x), 1, 1, x.shape[1]):
        return None
    weights, first = [_weights(layer) for layer in stack], stack[0]
    heads, block = first.attention.heads, first.feed_forward
    readable = able(x, heads, block.output.in_features, (one for each in weights for one in each))
    if not readable or not _alike(stack, weights):
        return None
    cos, sin = (None, None) if rotation is None else (rotation.cos, rotation.sin)
    valid = None if seen is None else seen[:, 0, 0].contiguous()
    given = [Given(cos, sin, valid, *_masks(layer, x)) for layer in stack]

    def plain(x: Tensor) -> tuple[Tensor, Tensor]:
        projected = []
        for layer, own in zip(stack, given, strict=True):
            projected.append(layer.attention.inputs(layer.norms[0](x)))
            x, _ = layer.forward(x, None, seen, rotation, causal, masks=(own.mask_1, own.mask_2))
        return x, torch.stack(projected)

    shape = Shape(heads, causal, block.activation, _norms(first)[0].eps)
    y, projected = layers(x, weights, shape, given, plain)
    return y, [Kept(*first.attention.split(one, 3)[1:]) for one in projected.unbind()]


def _masks(layer: "Layer", x: Tensor) -> list[Tensor | None]:
    drops = layer.dropout.share if layer.training else 0.0
    return [mask(x.shape, drops, x) if drops else None for _ in layer.norms]

"""A layer of self-attention in compiled code, with its gradient."""

import ctypes
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqlab.native.compiler import POINTER, call, contiguous_floats, lanes, threads_for, wide

EACH = 4_000_000
"""Multiplications per thread; with fewer, a thread costs more than it saves."""

FEWEST = 64
"""Positions from which packing the weights anew pays."""

ACTIVATIONS = ("gelu", "relu")

Plain = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Function of the vectors that computes the same as compiled code, by operators of torch."""


class Weights(NamedTuple):
    """Weights of a layer in torch's layout; without biases they are None.

    Args:
        first: Gain of the norm before attention ``(size,)``.
        first_shift: Its bias.
        inputs: Projection to queries, keys and values ``(3 * size, size)``.
        inputs_bias: Its bias.
        output: Projection of what attention gives ``(size, size)``.
        output_bias: Its bias.
        second: Gain of the norm before the feed-forward block ``(size,)``.
        second_shift: Its bias.
        up: First linear layer of that block ``(inner, size)``.
        up_bias: Its bias.
        down: Second linear layer of that block ``(size, inner)``.
        down_bias: Its bias.
    """

    first: Tensor
    first_shift: Tensor | None
    inputs: Tensor
    inputs_bias: Tensor | None
    output: Tensor
    output_bias: Tensor | None
    second: Tensor
    second_shift: Tensor | None
    up: Tensor
    up_bias: Tensor | None
    down: Tensor
    down_bias: Tensor | None


class Shape(NamedTuple):
    """What a layer computes beside its weights.

    Args:
        heads: Number of heads.
        causal: Whether position t attends only to positions up to t.
        activation: ``gelu`` or ``relu``.
        epsilon: Number added to the variance by the norms.
    """

    heads: int
    causal: bool
    activation: str
    epsilon: float


class Given(NamedTuple):
    """Contiguous tensors without a gradient that a layer reads.

    Args:
        cos: Cosines of the rotary positions ``(time, size / heads)``; None for no rotation.
        sin: Sines, of the same shape.
        seen: True at positions that may be attended to ``(batch, time)`` bool; all if None.
        mask_1: Dropout mask of what attention gives ``(batch, time, size)``; None for no dropout.
        mask_2: Dropout mask of what the feed-forward block gives.
    """

    cos: Tensor | None
    sin: Tensor | None
    seen: Tensor | None
    mask_1: Tensor | None
    mask_2: Tensor | None


def able(x: Tensor, heads: int, inner: int, weights: Iterable[Tensor | None]) -> bool:
    """Whether compiled code is available and pays for vectors ``(batch, time, size)``: float32, on a CPU, with
    sizes that are multiples of two times what it computes at once."""
    size = x.shape[-1]
    readable = (
        x.shape[:-1].numel() >= FEWEST
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and contiguous_floats(*(one for one in weights if one is not None))
        and wide().library is not None
    )
    return readable and not (size % (2 * lanes()) or inner % (2 * lanes()) or size // heads % (2 * lanes()))


class _Layer(ctypes.Structure):
    """``Layer`` of transformer.cpp."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("batch", "time", "size", "heads", "inner", "threads")),
        *((name, ctypes.c_bool) for name in ("causal", "relu", "added")),
        ("epsilon", ctypes.c_float),
        ("weights", POINTER * len(Weights._fields)),
        ("d_weights", POINTER * len(Weights._fields)),
        ("given", POINTER * len(Given._fields)),
        *((name, POINTER) for name in ("x", "projected", "y", "kept", "d_y", "d_projected", "d_x", "room", "panels")),
    )


def _pointers(tensors: Sequence[Tensor | None]) -> Any:
    return (POINTER * len(tensors))(*(None if one is None else one.data_ptr() for one in tensors))


def _layer(shape: Shape, given: Given, x: Tensor, weights: Weights, kept: Tensor, projected: Tensor) -> _Layer:
    (batch, time, size), inner = x.shape, len(weights.up)
    made = _Layer(batch, time, size, shape.heads, inner)
    made.threads = threads_for(batch * time * size * (4 * size + 2 * inner), EACH)
    made.causal, made.relu, made.epsilon = shape.causal, shape.activation == "relu", shape.epsilon
    made.weights, made.given = _pointers(weights), _pointers(given)
    made.x, made.kept, made.projected = x.data_ptr(), kept.data_ptr(), projected.data_ptr()
    return made


def _run(function: str, layer: _Layer, like: Tensor) -> None:
    panels = like.new_empty(layer.size * (4 * layer.size + 2 * layer.inner))
    layer.panels = panels.data_ptr()
    call(function, (POINTER,), ctypes.addressof(layer), library=wide().library)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plain: Plain, shape: Shape, given: Given, x: Tensor, *weights: Any) -> tuple[Tensor, Tensor]:
        made = Weights(*weights)
        batch, time, size = x.shape
        projected, y = x.new_empty(batch, time, 3 * size), torch.empty_like(x)
        kept = x.new_empty(batch * time * (4 + 4 * size + 2 * len(made.up)))
        layer = _layer(shape, given, x, made, kept, projected)
        layer.y = y.data_ptr()
        _run("layer_forward", layer, x)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(kept, projected, x, *weights)
        ctx.plain, ctx.shape, ctx.given = plain, shape, given
        return y, projected

    @staticmethod
    def backward(ctx: Any, d_y: Tensor | None, d_projected: Tensor | None) -> tuple[Tensor | None, ...]:
        kept, projected, x, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():
            return None, None, None, *_twice(ctx.plain, x, weights, d_y, d_projected)
        made = Weights(*weights)
        layer = _layer(ctx.shape, ctx.given, x, made, kept, projected)
        layer.added = d_projected is not None
        gradients = [None if one is None else torch.empty_like(one) for one in weights]
        d_y = torch.zeros_like(x) if d_y is None else d_y.contiguous()
        d_projected = torch.empty_like(projected) if d_projected is None else d_projected.clone()
        d_x, room = torch.empty_like(x), x.new_empty(x.shape[:-1].numel() * (6 * x.shape[-1] + len(made.up)))
        layer.d_weights, layer.d_y, layer.d_projected = _pointers(gradients), d_y.data_ptr(), d_projected.data_ptr()
        layer.d_x, layer.room = d_x.data_ptr(), room.data_ptr()
        _run("layer_backward", layer, x)
        return None, None, None, d_x, *gradients


def _twice(plain: Plain, x: Tensor, weights: Sequence[Tensor | None], *incoming: Tensor | None) -> list[Tensor | None]:
    """Gradients that can be differentiated again, through operators of torch."""
    tensors = [x, *weights]
    wanted = [one for one in tensors if one is not None and one.requires_grad]
    outputs = [made for made, one in zip(plain(x), incoming, strict=True) if one is not None]
    given = [one for one in incoming if one is not None]
    found = iter(torch.autograd.grad(outputs, wanted, given, create_graph=True))
    return [next(found) if one is not None and one.requires_grad else None for one in tensors]


def layer(x: Tensor, weights: Weights, shape: Shape, given: Given, plain: Plain) -> tuple[Tensor, Tensor]:
    """A layer of self-attention with its norms before the blocks. Needs ``able``.

        r = x + mask_1 * attention(norm(x)),    y = r + mask_2 * down f(up norm(r))

    The result and its gradients are the same for any number of threads.

    Args:
        x: ``(batch, time, size)``.
        weights: Its weights.
        shape: What is computed.
        given: Tensors without a gradient.
        plain: Function of ``x`` that computes the same by operators of torch, for second derivatives.

    Returns:
        ``(batch, time, size)``, and queries, keys and values before rotation ``(batch, time, 3 * size)``.
    """
    apply: Callable[..., tuple[Tensor, Tensor]] = _Compiled.apply
    return apply(plain, shape, given, x.contiguous(), *weights)

"""Layers of self-attention in compiled code, with their gradient."""

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, contiguous_floats, lanes, threads_for, wide

EACH = 4_000_000
"""Multiplications per thread; with fewer, a thread costs more than it saves."""

FEWEST = 64
"""Positions from which packing the weights anew pays."""

ACTIVATIONS = ("gelu", "relu")

Plain = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Function of the vectors that computes the same as ``layers``, by operators of torch."""


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
    """What layers compute beside their weights.

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


def _in_turn(buffers: Tensor, number: int) -> int:
    """Address of the buffer of layer ``number``; layers take one after the other and begin again."""
    return buffers.data_ptr() + number % len(buffers) * buffers.stride(0) * buffers.itemsize


def _of_each(weights: Sequence[Any]) -> Iterator[Weights]:
    many = len(Weights._fields)
    return (Weights(*weights[at : at + many]) for at in range(0, len(weights), many))


class _Buffers(NamedTuple):
    """What the layers read and write in both directions.

    Args:
        x: Input of the lowest layer ``(batch, time, size)``.
        y: Output of the highest, of the same shape.
        between: Outputs of the others ``(layers or fewer, batch, time, size)``.
        projected: Queries, keys and values of each layer ``(layers, batch, time, 3 * size)``.
        kept: What the gradient needs beside ``(layers or 1, numbers)``.
    """

    x: Tensor
    y: Tensor
    between: Tensor
    projected: Tensor
    kept: Tensor

    @classmethod
    def after(cls, x: Tensor, layers: int, inner: int, learning: bool) -> "_Buffers":
        """Empty ones; with a gradient to come, each layer has its own."""
        batch, time, size = x.shape
        own = layers - 1 if learning else min(layers - 1, 2)
        kept = x.new_empty(layers if learning else 1, batch * time * (4 + 4 * size + 2 * inner))
        projected = x.new_empty(layers, batch, time, 3 * size)
        return cls(x, torch.empty_like(x), x.new_empty(own, *x.shape), projected, kept)

    def layers(self, shape: Shape, given: Sequence[Given], weights: Sequence[Tensor | None]) -> Any:
        """The layers as compiled code reads them, from the lowest up, without what gradients need."""
        (batch, time, size), last, made = self.x.shape, len(given) - 1, (_Layer * len(given))()
        for number, (one, own, layer) in enumerate(zip(given, _of_each(weights), made, strict=True)):
            layer.batch, layer.time, layer.size = batch, time, size
            layer.heads, layer.inner = shape.heads, len(own.up)
            layer.threads = threads_for(batch * time * size * (4 * size + 2 * layer.inner), EACH)
            layer.causal, layer.relu, layer.epsilon = shape.causal, shape.activation == "relu", shape.epsilon
            layer.weights, layer.given = _pointers(own), _pointers(one)
            layer.x = _in_turn(self.between, number - 1) if number else self.x.data_ptr()
            layer.y = _in_turn(self.between, number) if number < last else self.y.data_ptr()
            layer.projected, layer.kept = _in_turn(self.projected, number), _in_turn(self.kept, number)
        return made


def _run(function: str, layers: Any, like: Tensor) -> None:
    panels = like.new_empty(layers[0].size * (4 * layers[0].size + 2 * layers[0].inner))
    for layer in layers:
        layer.panels = panels.data_ptr()
    call(function, (POINTER, NUMBER), ctypes.addressof(layers), len(layers), library=wide().library)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, plain: Plain, shape: Shape, given: Sequence[Given], learning: bool, x: Tensor, *weights: Any
    ) -> tuple[Tensor, Tensor]:
        buffers = _Buffers.after(x, len(given), len(next(_of_each(weights)).up), learning)
        _run("layers_forward", buffers.layers(shape, given, weights), x)
        ctx.set_materialize_grads(False)
        if learning:
            ctx.save_for_backward(*buffers, *weights)
        ctx.plain, ctx.shape, ctx.given = plain, shape, given
        return buffers.y, buffers.projected

    @staticmethod
    def backward(ctx: Any, d_y: Tensor | None, d_projected: Tensor | None) -> tuple[Tensor | None, ...]:
        many = len(_Buffers._fields)
        buffers, weights = _Buffers(*ctx.saved_tensors[:many]), ctx.saved_tensors[many:]
        if torch.is_grad_enabled():
            return None, None, None, None, *_twice(ctx.plain, buffers.x, weights, d_y, d_projected)
        made, x, added = buffers.layers(ctx.shape, ctx.given, weights), buffers.x, d_projected is not None
        d_projected = torch.empty_like(buffers.projected[:1]) if d_projected is None else d_projected.clone()
        d_y = torch.zeros_like(x) if d_y is None else d_y.contiguous()
        d_x, d_between = torch.empty_like(x), x.new_empty(2, *x.shape)
        room = x.new_empty(x.shape[:-1].numel() * (6 * x.shape[-1] + made[0].inner))
        gradients = [None if one is None else torch.empty_like(one) for one in weights]
        last = len(made) - 1
        for number, (layer, own) in enumerate(zip(made, _of_each(gradients), strict=True)):
            layer.added, layer.room, layer.d_weights = added, room.data_ptr(), _pointers(own)
            layer.d_y = _in_turn(d_between, number + 1) if number < last else d_y.data_ptr()
            layer.d_x = _in_turn(d_between, number) if number else d_x.data_ptr()
            layer.d_projected = _in_turn(d_projected, number)
        _run("layers_backward", made, x)
        return None, None, None, None, d_x, *gradients


def _twice(plain: Plain, x: Tensor, weights: Sequence[Tensor | None], *incoming: Tensor | None) -> list[Tensor | None]:
    """Gradients that can be differentiated again, through operators of torch."""
    tensors = [x, *weights]
    wanted = [one for one in tensors if one is not None and one.requires_grad]
    outputs = [made for made, one in zip(plain(x), incoming, strict=True) if one is not None]
    given = [one for one in incoming if one is not None]
    found = iter(torch.autograd.grad(outputs, wanted, given, create_graph=True, allow_unused=True))
    return [next(found) if one is not None and one.requires_grad else None for one in tensors]


def layers(
    x: Tensor, weights: Sequence[Weights], shape: Shape, given: Sequence[Given], plain: Plain
) -> tuple[Tensor, Tensor]:
    """Layers of self-attention with their norms before the blocks, from the lowest up. Needs ``able``.

        r = x + mask_1 * attention(norm(x)),    y = r + mask_2 * down f(up norm(r))

    The result and its gradients are the same for any number of threads.

    Args:
        x: ``(batch, time, size)``.
        weights: Weights of each layer.
        shape: What every layer computes.
        given: Tensors without a gradient of each layer.
        plain: Function of ``x`` that computes the same by operators of torch, for second derivatives.

    Returns:
        ``(batch, time, size)``, and each layer's queries, keys and values before rotation
        ``(layers, batch, time, 3 * size)``.
    """
    apply: Callable[..., tuple[Tensor, Tensor]] = _Compiled.apply
    every = [one for layer in weights for one in layer]
    learning = torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in (x, *every))
    return apply(plain, shape, given, learning, x.contiguous(), *every)

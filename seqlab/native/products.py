"""Large float32 matrix products with the tiles of AMX, if the processor has them: as exact as torch's, and faster."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.native.compiler import FLAG, NUMBER, POINTER, call, native

WORTH = 30_000_000
"""Multiplications in a product from which splitting its factors pays."""

NARROW = 48
"""Least rows, depth or columns of a product; below, too much of a tile is empty."""

LINES = POINTER, NUMBER, FLAG
ARGUMENTS = (*LINES, *LINES, POINTER, NUMBER, NUMBER, NUMBER, NUMBER, FLAG, NUMBER)
"""Arguments of ``multiply_float`` in products.cpp."""


def product(a: Tensor, b: Tensor, out: Tensor, add: bool = False) -> None:
    """``out = a @ b``, or ``out += a @ b``.

    A factor in float32 is the sum of three numbers in bfloat16. Six products of such parts, added in float32, hold all
    but the last 2^-24 of a product; the error against float64 is no larger than that of torch's own product.

    Args:
        a: ``(rows, depth)``.
        b: ``(depth, columns)``, of the same dtype.
        out: ``(rows, columns)``; changed in place.
        add: Whether to add to ``out`` instead of replacing it.
    """
    if pays(len(a), len(b), b.shape[1]) and able(a, b, out):
        _call(a, b, out, add)
    elif add:
        out.addmm_(a, b)
    else:
        torch.mm(a, b, out=out)


def pays(*sizes: int) -> bool:
    """Whether a product of these sizes (rows, depth, columns) is large enough."""
    return min(sizes) >= NARROW and math.prod(sizes) >= WORTH


def able(*tensors: Tensor) -> bool:
    """Whether compiled code can multiply these matrices: float32, on a CPU with tiles, rows or columns contiguous."""
    return native().tiles and all(
        one.dtype == torch.float32 and one.device.type == "cpu" and 1 in one.stride() for one in tensors
    )


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        product(inputs, weight.t(), outputs := inputs.new_empty(len(inputs), len(weight)))
        return outputs if bias is None else outputs.add_(bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        wanted, multiply = ctx.needs_input_grad, torch.matmul if torch.is_grad_enabled() else _new_product
        return (
            multiply(gradient, weight) if wanted[0] else None,
            multiply(gradient.t(), inputs) if wanted[1] else None,
            gradient.sum(0) if wanted[2] else None,
        )


def _new_product(a: Tensor, b: Tensor) -> Tensor:
    product(a, b, out := a.new_empty(len(a), b.shape[1]))
    return out


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear`` whose products, also those of the gradient, are computed by ``product``.

    Args:
        inputs: ``(..., size)``.
        weight: ``(columns, size)``.
        bias: ``(columns,)``.
    """
    elsewhere = torch.compiler.is_compiling() or torch.is_autocast_enabled(inputs.device.type)
    if elsewhere or not pays(inputs.shape[:-1].numel(), *weight.shape) or not able(weight):
        return F.linear(inputs, weight, bias)
    apply: Callable[..., Tensor] = _Linear.apply
    return apply(inputs.flatten(0, -2), weight, bias).unflatten(0, inputs.shape[:-1])


def _call(a: Tensor, b: Tensor, out: Tensor, add: bool) -> None:
    if out.stride(1) != 1:
        a, b, out = b.t(), a.t(), out.t()
    sizes = len(a), b.shape[1], len(b)
    given = *_lines(a), *_lines(b.t()), out, out.stride(0), *sizes, add, torch.get_num_threads()
    call("multiply_float", ARGUMENTS, *given)


def _lines(lines: Tensor) -> tuple[Tensor, int, bool]:
    """Address of a matrix, its stride, and whether that is the stride of rows (or of elements)."""
    side_by_side = lines.stride(1) != 1
    return lines, lines.stride(1 if side_by_side else 0), side_by_side

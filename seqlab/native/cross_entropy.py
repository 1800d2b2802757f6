"""An output layer with its cross-entropy and gradients in compiled code."""

import ctypes

import torch
from torch import Tensor

from seqlab.native.compiler import POINTER, call, contiguous_floats, native, threads_for, wide
from seqlab.native.softmax import class_ids

EACH = 50_000
"""Logits per thread; with fewer, a thread costs more than it saves."""

HELD = 1 << 21
"""Approximate number of logits to hold at once."""


class _Layer(ctypes.Structure):
    """``Layer`` of cross_entropy.cpp."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("inputs", "weight", "bias", "targets")),
        *((name, ctypes.c_int64) for name in ("rows", "size", "classes", "held", "threads")),
        ("smoothing", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in ("d_inputs", "d_weight", "d_bias", "nats")),
    )


def able(*tensors: Tensor) -> bool:
    """Whether compiled code is available and can read these: float32, on a CPU, contiguous. With the processor's
    matrix tiles products are faster one by one."""
    return contiguous_floats(*tensors) and wide().library is not None and not native().tiles


def gradients(
    inputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cross-entropy of ``weight @ inputs + bias`` and the gradients of its sum. Needs ``able``.

    Args:
        inputs: ``(tokens, size)``; at least one.
        weight: ``(classes, size)``.
        bias: ``(classes,)``.
        targets: ``(tokens,)`` int64.
        smoothing: Share of the target's probability that is spread evenly over all classes.

    Returns:
        Cross-entropy of each token in nats ``(tokens,)`` float64, and the gradients of inputs, weight and bias.

    Raises:
        IndexError: A target is not a class.
    """
    (tokens, size), classes = inputs.shape, len(weight)
    chunks = max(1, round(tokens * classes / HELD))
    nats, targets = torch.empty(tokens, dtype=torch.float64), class_ids(targets, classes)
    found = torch.empty_like(inputs), torch.empty_like(weight), torch.empty_like(bias)
    read, written = (inputs, weight, bias, targets), (*found, nats)
    sizes = tokens, size, classes, -(-tokens // chunks), threads_for(tokens * classes, EACH)
    layer = _Layer(*(one.data_ptr() for one in read), *sizes, smoothing, *(one.data_ptr() for one in written))
    call("linear_cross_entropy", (POINTER,), ctypes.addressof(layer), library=wide().library)
    return nats, *found

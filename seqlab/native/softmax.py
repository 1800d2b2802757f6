"""Softmax over rows of logits in compiled code."""

import ctypes

import torch
from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, native, threads_for

EACH = 50_000
"""Logits per thread; with fewer, a thread costs more than it saves."""

FUNCTIONS = {torch.float32: "cross_entropy_float", torch.bfloat16: "cross_entropy_bfloat16"}
ARGUMENTS = {
    "log_softmax": (POINTER, POINTER, NUMBER, NUMBER, NUMBER),
    **dict.fromkeys(FUNCTIONS.values(), (*[POINTER] * 3, NUMBER, NUMBER, ctypes.c_float, POINTER, POINTER, NUMBER)),
}
"""Arguments of the functions in softmax.cpp."""


def able(logits: Tensor, bias: Tensor) -> bool:
    """Whether compiled code can read these logits: on a CPU, float32 or bfloat16, with a float32 bias."""
    fits = logits.device.type == "cpu" and logits.dtype in FUNCTIONS and bias.dtype == torch.float32
    return fits and logits.is_contiguous() and logits.numel() > 0 and native().library is not None


def log_softmax_(logits: Tensor, bias: Tensor) -> Tensor:
    """Replaces logits by log-probabilities, in place. Needs ``able``.

    Args:
        logits: ``(rows, classes)`` float32, without the bias.
        bias: ``(classes,)`` float32.
    """
    threads = threads_for(logits.numel(), EACH)
    call("log_softmax", ARGUMENTS["log_softmax"], logits, bias.contiguous(), *logits.shape, threads)
    return logits


def class_ids(targets: Tensor, classes: int) -> Tensor:
    """Targets as compiled code reads them, int64 and contiguous.

    Raises:
        IndexError: A target is not a class.
    """
    least, most = targets.aminmax()
    if least < 0 or most >= classes:
        raise IndexError(f"targets from {int(least)} to {int(most)} of {classes} classes")
    return targets.long().contiguous()


def cross_entropy_(logits: Tensor, bias: Tensor, targets: Tensor, smoothing: float, d_bias: Tensor) -> Tensor:
    """Replaces logits by the gradient of their cross-entropy, in place. Needs ``able``.

    Args:
        logits: ``(tokens, classes)``, without the bias; replaced by the gradient.
        bias: ``(classes,)`` float32.
        targets: ``(tokens,)`` int64.
        smoothing: Share of the target's probability that is spread evenly over all classes.
        d_bias: Gradient of the bias ``(classes,)`` float32; this one is added to it.

    Returns:
        Cross-entropy of each token in nats ``(tokens,)`` float64.

    Raises:
        IndexError: A target is not a class.
    """
    tokens, classes = logits.shape
    nats = torch.empty(tokens, dtype=torch.float64)
    given = logits, bias.contiguous(), class_ids(targets, classes), tokens, classes
    function, threads = FUNCTIONS[logits.dtype], threads_for(logits.numel(), EACH)
    call(function, ARGUMENTS[function], *given, smoothing, nats, d_bias, threads)
    return nats

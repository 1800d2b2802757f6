"""The gradient of the gain of a layer normalization, in compiled code if there is any."""

from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, rows_of_float, threads_for

EACH = 100_000
"""Numbers per thread; with fewer, a thread costs more than it saves."""

ARGUMENTS = (POINTER, NUMBER, POINTER, NUMBER, POINTER, POINTER, POINTER, NUMBER, NUMBER, NUMBER)
"""Arguments of ``sum_normalized`` in gains.cpp."""


def gain_gradient(gradient: Tensor, inputs: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """Sums ``gradient * (inputs - means) * scales`` over rows.

    Args:
        gradient: Gradient of the normalized and scaled outputs ``(rows, width)``.
        inputs: Inputs of the normalization ``(rows, width)``.
        means: Mean of each row ``(rows, 1)``.
        scales: 1 over the standard deviation of each row ``(rows, 1)``.

    Returns:
        ``(width,)``.
    """
    tensors = gradient, inputs, means, scales
    if not rows_of_float(*tensors):
        return ((gradient * inputs).t() @ scales - gradient.t() @ (means * scales)).squeeze(1)
    sums = gradient.new_zeros(gradient.shape[1])
    threads = threads_for(gradient.numel(), EACH)
    lines = gradient, gradient.stride(0), inputs, inputs.stride(0)
    call("sum_normalized", ARGUMENTS, *lines, means, scales, sums, *gradient.shape, threads)
    return sums

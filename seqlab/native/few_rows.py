"""Products of a few rows, such as the hypotheses of a beam, with the matrix of an output layer."""

from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, contiguous_floats, lanes, threads_for, wide

EACH = 500_000
"""Multiplications per thread; with fewer, a thread costs more than it saves."""

MOST = 6
"""Largest number of rows; the sums of more do not fit into registers."""

ARGUMENTS = (*[POINTER] * 3, *[NUMBER] * 4)
"""Arguments of ``multiply_few`` in few_rows.cpp."""


def able(inputs: Tensor, weight: Tensor) -> bool:
    """Whether compiled code is available and pays for these, see ``product``: a few rows, float32, on a CPU."""
    return (
        0 < len(inputs) <= MOST
        and contiguous_floats(inputs, weight)
        and wide().library is not None
        and not inputs.shape[1] % lanes()
    )


def product(inputs: Tensor, weight: Tensor) -> Tensor:
    """``inputs @ weight.T`` without a gradient, by one pass over the matrix. Needs ``able``.

    Args:
        inputs: ``(rows, size)``.
        weight: ``(columns, size)``.

    Returns:
        ``(rows, columns)``; the same for any number of threads.
    """
    (rows, size), columns = inputs.shape, len(weight)
    made = inputs.new_empty(rows, columns)
    threads = threads_for(rows * size * columns, EACH)
    call("multiply_few", ARGUMENTS, inputs, weight, made, rows, size, columns, threads, library=wide().library)
    return made

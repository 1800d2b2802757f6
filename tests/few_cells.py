"""Cells of three kinds, for what each cell tells alike; those of the others are `slow`."""

import pytest

from seqlab.cells import CELLS

FEW = ("gru", "lstm_peephole", "min_lstm")
"""A state of one part and of two, by a scan in place and by a linear one."""

few_cells = pytest.mark.parametrize(
    "cell", [pytest.param(cell, marks=[] if cell in FEW else [pytest.mark.slow]) for cell in CELLS]
)

import pytest
import torch
from stacks import numbers
from torch import Tensor

from seqlab.cells import CELLS, Cell
from seqlab.cells.cell import LinearCell, State
from seqlab.recurrence.linear_scan import linear_scan


@pytest.mark.parametrize("variant", [name for name, cell in CELLS.items() if isinstance(cell, LinearCell)])
def test_a_parallel_scan_equals_step_by_step(variant: str) -> None:
    cell = CELLS[variant]
    assert isinstance(cell, LinearCell)
    gates = len(cell.gates)
    for time, width in ((1, 3), (64, 3), (200, 3), (10_000, 2)):
        results = []
        for parallel in (False, True):
            projected = (3 * numbers(time, 2, gates * width)).requires_grad_()
            first = numbers(2, width, seed=5).requires_grad_()
            states = linear_scan(cell, projected, first, parallel)
            (states * numbers(*states.shape, seed=6)).sum().backward()
            results.append([states, projected.grad, first.grad])
        torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-11)
        if time <= 200:
            torch.testing.assert_close(results[0][0], by_steps(cell, projected, first), rtol=0, atol=1e-12)


def by_steps(cell: Cell, projected: Tensor, first: Tensor) -> Tensor:
    state: State = (first,)
    steps = [state := cell.step(row, state, {}) for row in projected]
    return torch.stack([step[0] for step in steps])

from typing import Any

import pytest
import torch
from stacks import (
    BATCH,
    LENGTHS,
    OWN_BACKENDS,
    SIZE,
    TIME,
    assert_same,
    everything,
    first_state,
    numbers,
    scenes,
    stack,
)
from torch import Tensor

from seqlab.cells import CELLS, Cell
from seqlab.cells.cell import ScannedCell, State
from seqlab.recurrence import scan as scan_module


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("variant", CELLS)
def test_scan_equals_the_equations(variant: str, num_layers: int, bidirectional: bool) -> None:
    network = stack(variant, num_layers=num_layers, bidirectional=bidirectional)
    for with_state, with_lengths in scenes(bidirectional):
        state = first_state(network) if with_state else None
        lengths = torch.tensor(LENGTHS) if with_lengths else None
        results = []
        for network.backend in OWN_BACKENDS:
            results.append(everything(network, state, lengths))
        assert_same(*results)


@pytest.mark.parametrize("backend", OWN_BACKENDS)
@pytest.mark.parametrize("variant", CELLS)
def test_gradients_are_right(variant: str, backend: str) -> None:
    network = stack(variant, hidden_size=3, backend=backend)
    state = tuple(numbers(1, 2, 3, seed=row).requires_grad_() for row, _ in enumerate(network.cell.states))
    parameters = dict(network.named_parameters())

    def run(inputs: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        held = dict(zip(parameters, rest[len(state) :], strict=True))
        given = (inputs, rest[: len(state)])
        outputs, last = torch.func.functional_call(network, held, given, {"lengths": torch.tensor([4, 2])})
        return outputs, *last

    inputs = numbers(2, 4, SIZE).requires_grad_()
    assert torch.autograd.gradcheck(run, (inputs, *state, *parameters.values()), fast_mode=True)


class Counted:
    """How often the scan ran and how many single steps were taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cell: Cell) -> None:
        self.scans = self.steps = 0
        kind = type(cell)
        step, scan = kind.step, scan_module._Scan.apply

        def counted_step(*call: Any) -> State:
            self.steps += 1
            return step(*call)

        def counted_scan(*call: Any) -> tuple[Tensor, ...]:
            self.scans += 1
            return scan(*call)

        monkeypatch.setattr(kind, "step", counted_step)
        monkeypatch.setattr(scan_module._Scan, "apply", counted_scan)


@pytest.mark.parametrize("variant", [name for name, cell in CELLS.items() if isinstance(cell, ScannedCell)])
def test_the_scan_really_ran(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = stack(variant, num_layers=2)
    counted = Counted(monkeypatch, network.cell)
    network.backend = "scan"
    network(numbers(BATCH, TIME, SIZE))
    assert (counted.scans, counted.steps) == (2, 0)
    network.backend = "reference"
    network(numbers(BATCH, TIME, SIZE))
    assert (counted.scans, counted.steps) == (2, 2 * TIME)


@pytest.mark.parametrize("variant", CELLS)
def test_no_gradient_needs_no_graph(variant: str) -> None:
    network, inputs = stack(variant, backend="scan"), numbers(BATCH, TIME, SIZE)
    with torch.no_grad():
        assert torch.equal(network(inputs)[0], network(inputs.clone().requires_grad_())[0].detach())

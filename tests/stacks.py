"""Recurrent stacks in double precision, and all that one of them computes."""

from typing import Any

import torch
from torch import Tensor

from seqlab.cells import Cell
from seqlab.cells.cell import State
from seqlab.recurrence.stack import Recurrent

SIZE, WIDTH, BATCH, TIME = 5, 7, 4, 9
LENGTHS = (9, 3, 1, 6)
OWN_BACKENDS = ("scan", "reference")


def stack(variant: str | Cell, hidden_size: Any = WIDTH, num_layers: int | None = None, **options: Any) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(variant, SIZE, hidden_size, num_layers, **options).double()


def numbers(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def first_state(network: Recurrent) -> State:
    return tuple(numbers(*part.shape, seed=7 + row) for row, part in enumerate(network.zero_state(BATCH)))


def everything(network: Recurrent, state: State | None, lengths: Tensor | None) -> dict[str, Tensor]:
    """Outputs, states and every gradient, of a loss in which no element counts like another."""
    network.zero_grad()
    device = next(network.parameters()).device
    inputs = numbers(BATCH, TIME, SIZE).to(device).requires_grad_()
    given = None if state is None else tuple(part.clone().requires_grad_() for part in state)
    outputs, last = network(inputs, given, lengths)
    loss = sum(
        (part * numbers(*part.shape, seed=20 + row).to(device)).sum() for row, part in enumerate((outputs, *last))
    )
    assert isinstance(loss, Tensor)
    loss.backward()
    found = {"outputs": outputs, **{f"last {row}": part for row, part in enumerate(last)}, "inputs": inputs.grad}
    found |= {f"first {row}": part.grad for row, part in enumerate(given or ())}
    return {**found, **{name: parameter.grad for name, parameter in network.named_parameters()}}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = 1e-11) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=0, atol=tolerance, msg=lambda words, n=name: f"{n}: {words}"
        )


def scenes(bidirectional: bool) -> list[tuple[bool, bool]]:
    """With a first state or not, where the stack takes one, and with lengths or not."""
    return [
        (with_state, with_lengths)
        for with_state in (False, True)[: 2 - bidirectional]
        for with_lengths in (False, True)
    ]

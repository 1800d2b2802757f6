import sys

import pytest
import torch
from torch import Tensor

from seqlab.cells import CELLS
from seqlab.cells import compiled as kernels
from seqlab.cells.cell import ScannedCell
from seqlab.native import compiler
from seqlab.recurrence.stack import Recurrent

compiled = pytest.mark.skipif(compiler.native().library is None, reason=compiler.native().reason or "there is")
tiled = pytest.mark.skipif(not compiler.native().tiles, reason="this processor has no AMX")
SCANNED = [name for name, cell in CELLS.items() if isinstance(cell, ScannedCell)]
Shape = tuple[int, int, int]
SHAPES: list[Shape] = [(7, 4, 9), (16, 1, 3), (33, 11, 5), (48, 70, 2), (130, 20, 6)]
"""Hidden size, batch, steps: units that fill no vector, rows that fill no tile, more rows than are summed at once."""
SMALL = 40 * torch.finfo(torch.float32).eps
"""A relative distance that rounding of other numbers of few units makes, where all of them are normalized."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the compiled functions that ran."""
    made: list[str] = []
    call = kernels._call
    monkeypatch.setattr(kernels, "_call", lambda name, *given, **more: made.append(name) or call(name, *given, **more))
    return made


def everything(variant: str, shape: Shape, dtype: torch.dtype, lengths: bool = False) -> dict[str, Tensor]:
    """Outputs, states and every gradient of two layers, from numbers that do not depend on the dtype."""
    hidden, batch, time = shape
    torch.manual_seed(0)
    network = Recurrent(variant, 5, hidden, 2, backend="scan").double()
    generator = torch.Generator().manual_seed(1)
    draw = lambda *sizes: torch.randn(*sizes, generator=generator, dtype=torch.float64).to(dtype)  # noqa: E731
    for weight in network.parameters():
        weight.data += 0.1 * draw(*weight.shape).double()
    network = network.to(dtype)
    inputs = draw(batch, time, 5).requires_grad_()
    state = tuple(draw(*part.shape).requires_grad_() for part in network.zero_state(batch))
    given = torch.randint(1, time + 1, (batch,), generator=generator) if lengths else None
    outputs, last = network(inputs, state, given)
    sum((part * draw(*part.shape)).sum() for part in (outputs, *last)).backward()
    leaves = {
        "inputs": inputs,
        **{f"first {row}": part for row, part in enumerate(state)},
        **dict(network.named_parameters()),
    }
    return {
        "outputs": outputs,
        **{f"last {row}": part for row, part in enumerate(last)},
        **{f"d {name}": leaf.grad for name, leaf in leaves.items() if leaf.grad is not None},
    }


def distance(found: dict[str, Tensor], precise: dict[str, Tensor]) -> float:
    """The largest distance of all, each relative to its norm."""
    assert found.keys() == precise.keys()
    with torch.no_grad():
        return max(float((found[name] - value).norm() / (value.norm() + 1e-9)) for name, value in precise.items())


@compiled
@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("variant", SCANNED)
def test_compiled_code_computes_what_the_tape_does(variant: str, shape: Shape, lengths: bool, calls: list[str]) -> None:
    found = everything(variant, shape, torch.float32, lengths)
    assert len(calls) == 4
    precise = everything(variant, shape, torch.float64, lengths)
    assert len(calls) == 4
    assert distance(found, precise) < 1e-5


@compiled
@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("variant", SCANNED)
def test_ids_are_looked_up(variant: str, bidirectional: bool, few: bool, calls: list[str]) -> None:
    ids = torch.randint(9, (5, 6), generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    network = Recurrent(variant, 9 if few else 50, 20, bidirectional=bidirectional, backend="scan").double()
    results = []
    for backend, dtype in (("reference", torch.float64), ("scan", torch.float64), ("scan", torch.float32)):
        network.backend = backend
        network = network.to(dtype)
        network.zero_grad()
        outputs, _ = network(ids, lengths=torch.tensor([6, 2, 6, 1, 4]))
        (outputs * torch.linspace(-1, 1, outputs.numel(), dtype=dtype).view_as(outputs)).sum().backward()
        gradients = {
            name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None
        }
        results.append({"outputs": outputs.detach(), **gradients})
    assert len(calls) == 2 * network.directions
    assert distance(results[1], results[0]) < 1e-9
    assert distance(results[2], results[0]) < 1e-5


@tiled
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("variant", SCANNED)
def test_three_parts_are_as_exact_as_float32(variant: str, shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[int] = []
    chosen = kernels._parts
    monkeypatch.setattr(kernels, "_parts", lambda tape: parts.append(chosen(tape)) or parts[-1])
    precise = everything(variant, shape, torch.float64)
    results = []
    for bound in (sys.maxsize, 1):
        monkeypatch.setattr(kernels, "SPLIT", bound)
        results.append(everything(variant, shape, torch.float32))
    assert parts == [*[0] * 4, *[3] * 4]
    vectors, tiles = (distance(found, precise) for found in results)
    assert tiles < max(1.5 * vectors, SMALL)


@compiled
@pytest.mark.parametrize("split", [sys.maxsize, pytest.param(1, marks=tiled)])
@pytest.mark.parametrize("variant", SCANNED)
def test_no_digit_depends_on_the_number_of_threads(
    variant: str, split: int, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, divisions = [], []
    monkeypatch.setattr(kernels, "SPLIT", split)
    division = kernels._division
    monkeypatch.setattr(kernels, "_division", lambda *given: divisions.append(division(*given)) or divisions[-1])
    for by_rows, share in ((1, sys.maxsize), (1, 0), (0, 0)):
        monkeypatch.setattr(kernels, "EACH_READS_ALL", by_rows * sys.maxsize)
        for bound in ("ALONE", "TOGETHER"):
            monkeypatch.setattr(kernels, bound, share)
        results.append(everything(variant, (40, 35, 5), torch.float32))
    assert divisions[::4] == [(1, True), (2, True), (2, False)]
    for name, value in results[0].items():
        assert all(torch.equal(other[name], value) for other in results if "weight" not in name), name


@tiled
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("variant", SCANNED)
def test_in_bfloat16_it_is_as_close_as_the_tape(
    variant: str, shape: Shape, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    precise = everything(variant, shape, torch.float64)
    with torch.autocast("cpu", torch.bfloat16):
        found = everything(variant, shape, torch.float32)
        assert len(calls) == 4
        monkeypatch.setattr(kernels, "runs", lambda *given: False)
        tape = everything(variant, shape, torch.float32)
    assert len(calls) == 4
    assert distance(found, precise) < 1.5 * distance(tape, precise)


@compiled
def test_torch_multiplies_in_bfloat16_as_before_afterwards() -> None:
    """The tile registers are shared with oneDNN, which keeps their shapes from call to call."""
    a, b = torch.randn(40, 96).bfloat16(), torch.randn(96, 56).bfloat16()
    before = a @ b
    with torch.autocast("cpu", torch.bfloat16):
        everything("gru", (33, 11, 5), torch.float32)
    assert torch.equal(a @ b, before)


@compiled
def test_other_precisions_stay_with_the_tape(calls: list[str]) -> None:
    with torch.autocast("cpu", torch.float16):
        everything("gru", (7, 4, 9), torch.float32)
    assert calls == []


def test_a_scan_without_compiled_code(monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> None:
    monkeypatch.setattr(kernels, "native", lambda: compiler.Native(None, "none"))
    found = everything("gru", (33, 11, 5), torch.float32)
    assert calls == []
    assert distance(found, everything("gru", (33, 11, 5), torch.float64)) < 1e-5


@compiled
@pytest.mark.parametrize("variant", ["rnn", "rnn_relu", "gru", "lstm"])
def test_what_is_no_number_is_not_lost(variant: str) -> None:
    network = Recurrent(variant, 2, 3, backend="scan")
    outputs, _ = network(torch.full((1, 4, 2), torch.nan, requires_grad=True))
    assert bool(outputs.isnan().all())

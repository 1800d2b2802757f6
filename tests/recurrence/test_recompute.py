import re
import weakref
from typing import Any

import pytest
import torch
from stacks import BATCH, LENGTHS, OWN_BACKENDS, SIZE, TIME, assert_same, everything, first_state, numbers, stack

from seqlab.cells import CELLS
from seqlab.errors import UserError
from seqlab.recurrence import scan as scan_module


@pytest.mark.parametrize("backend", OWN_BACKENDS)
@pytest.mark.parametrize("variant", CELLS)
def test_computed_twice_in_pieces_is_the_same(variant: str, backend: str) -> None:
    kept = stack(variant, num_layers=2, backend=backend)
    twice = stack(variant, num_layers=2, backend=backend, recompute_every=4)
    for lengths in (None, torch.tensor(LENGTHS)):
        state = first_state(kept)
        assert_same(everything(twice, state, lengths), everything(kept, state, lengths))


def test_pieces_of_both_directions_and_of_ids() -> None:
    options = {"bidirectional": True, "weight_drop": 0.3}
    results = []
    for every in (None, 2):
        network = stack("lstm", recompute_every=every, backend="scan", **options)
        torch.manual_seed(5)
        results.append(everything(network, None, torch.tensor(LENGTHS)))
    assert_same(*results)
    ids = torch.arange(8).view(2, 4) % SIZE
    gradients = []
    for every in (None, 3):
        network = stack("gru", recompute_every=every, backend="scan")
        network(ids)[0].square().sum().backward()
        gradients.append({name: weight.grad for name, weight in network.named_parameters()})
    assert_same(*gradients)


def test_pieces_run_again_under_the_same_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    results, seen = [], []
    made = scan_module.Tape
    monkeypatch.setattr(scan_module, "Tape", lambda *given: (seen.append(given[4]), made(*given))[1])
    for every in (None, 4):
        network = stack("gru", recompute_every=every, backend="scan").float()
        with torch.autocast("cpu", torch.bfloat16):
            outputs, _ = network(numbers(BATCH, TIME, SIZE).float())
        seen.clear()
        outputs.square().sum().backward()
        results.append({"outputs": outputs, **{name: weight.grad for name, weight in network.named_parameters()}})
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], rtol=2e-2, atol=2e-2)
    assert seen == [torch.bfloat16] * 3


def test_pieces_keep_no_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each piece the tape is gone when the next begins."""
    alive: list[weakref.ref[Any]] = []
    made = scan_module.Tape

    def noted(*arguments: Any) -> Any:
        assert not [tape for tape in alive if tape() is not None]
        tape = made(*arguments)
        alive.append(weakref.ref(tape))
        return tape

    monkeypatch.setattr(scan_module, "Tape", noted)
    network = stack("gru", recompute_every=3, backend="scan")
    outputs, _ = network(numbers(BATCH, TIME, SIZE))
    assert len(alive) == 3
    outputs.sum().backward()
    assert len(alive) == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recompute_every": 0}, "recompute_every 0 must be a whole number of at least 1"),
        (
            {"recompute_every": 4, "backend": "torch"},
            "recompute_every needs a backend of our own; leave out backend torch",
        ),
    ],
)
def test_pieces_that_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        stack("gru", **options)

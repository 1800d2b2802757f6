from typing import Any

import pytest
import torch
from stacks import (
    BATCH,
    LENGTHS,
    OWN_BACKENDS,
    SIZE,
    TIME,
    WIDTH,
    assert_same,
    everything,
    first_state,
    numbers,
    scenes,
    stack,
)
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqlab.cells import CELLS
from seqlab.cells.cell import State
from seqlab.errors import UserError
from seqlab.native import compiler
from seqlab.recurrence import stack as recurrent_module
from seqlab.recurrence.backends import check_backend, fastest
from seqlab.recurrence.stack import Recurrent

LIBRARY: Any = object()
VECTORS, TILES = compiler.Native(LIBRARY), compiler.Native(LIBRARY, tiles=True)
TORCH: dict[str, Any] = {
    "rnn": nn.RNN,
    "rnn_relu": lambda *sizes, **options: nn.RNN(*sizes, nonlinearity="relu", **options),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("variant", TORCH)
def test_every_backend_equals_torch(variant: str, num_layers: int, bidirectional: bool) -> None:
    network = stack(variant, num_layers=num_layers, bidirectional=bidirectional)
    theirs = TORCH[variant](SIZE, WIDTH, num_layers, bidirectional=bidirectional, batch_first=True).double()
    assert network.layers.state_dict().keys() == theirs.state_dict().keys()
    network.layers.load_state_dict(theirs.state_dict())
    for with_state, with_lengths in scenes(bidirectional):
        state = first_state(network) if with_state else None
        lengths = torch.tensor(LENGTHS) if with_lengths else None
        expected = everything(Theirs(theirs), state, lengths)  # type: ignore[arg-type]
        for network.backend in ("torch", *OWN_BACKENDS):
            assert_same(everything(network, state, lengths), expected)


class Theirs(nn.Module):
    """A torch module called as a ``Recurrent`` is."""

    def __init__(self, layers: nn.RNNBase) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, inputs: Tensor, state: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
        given: Any = state if state is None or len(state) > 1 else state[0]
        if lengths is None:
            outputs, last = self.layers(inputs, given)
        else:
            packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
            values, last = self.layers(packed, given)
            outputs, _ = pad_packed_sequence(values, batch_first=True)
        return outputs, last if isinstance(last, tuple) else (last,)


def test_auto_looks_many_ids_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.recurrence.backends._fused_lstm_in_bf16", lambda: True)
    assert fastest(CELLS["lstm"], "cpu", 35, learning=True, ids=28, low=True, batch=256) == "torch"
    assert fastest(CELLS["lstm"], "cpu", 35, learning=True, ids=10_000, low=True, batch=256) == "scan"


@pytest.mark.parametrize(
    ("variant", "learning", "steps", "expected"),
    [
        ("gru", True, TIME, "scan"),
        ("rnn", True, TIME, "scan"),
        ("mgu", True, TIME, "scan"),
        ("gru_before", True, TIME, "scan"),
        ("gru", False, TIME, "torch"),
        ("mgu", False, TIME, "scan"),
        ("gru", False, 1, "torch"),
        ("lstm", False, 1, "reference"),
        ("mgu", False, 1, "reference"),
    ],
)
def test_auto_takes_what_was_measured_to_be_fastest(
    variant: str, learning: bool, steps: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    run, run_whole = recurrent_module.run, recurrent_module.run_whole
    monkeypatch.setattr(
        recurrent_module, "run", lambda name, *call, **more: taken.append(name) or run(name, *call, **more)
    )
    monkeypatch.setattr(recurrent_module, "run_whole", lambda *call: taken.append("torch") or run_whole(*call))
    with torch.set_grad_enabled(learning):
        stack(variant)(numbers(BATCH, steps, SIZE))
    assert taken == [expected]


@pytest.mark.parametrize("lengths", [None, torch.tensor([3, 1])])
@pytest.mark.parametrize("learning", [True, False])
def test_torch_runs_in_training_mode_where_gradients_are_wanted(
    learning: bool, lengths: Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes, gru = [], torch.gru
    place = 6 if lengths is None else 7
    monkeypatch.setattr(torch, "gru", lambda *given: modes.append(given[place]) or gru(*given))
    stack = Recurrent(CELLS["gru"], 2, [4, 3], 2, backend="torch")
    with torch.set_grad_enabled(learning):
        stack(torch.ones(2, 3, 2), None, lengths)
    assert modes == [learning] * 2


@pytest.mark.parametrize(
    ("found", "low", "batch", "expected"),
    [
        (compiler.Native(None), False, 20, "torch"),
        (VECTORS, False, 20, "scan"),
        (VECTORS, True, 20, "torch"),
        (TILES, True, 20, "scan"),
        (TILES, True, 256, "torch"),
        (TILES, False, 256, "scan"),
    ],
)
def test_auto_leaves_the_lstm_to_torch_where_that_is_faster(
    found: compiler.Native, low: bool, batch: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqlab.recurrence.backends.native", lambda: found)
    monkeypatch.setattr("seqlab.recurrence.backends._fused_lstm_in_bf16", lambda: True)
    assert fastest(CELLS["lstm"], "cpu", 35, learning=True, ids=28, low=low, batch=batch) == expected


@pytest.mark.parametrize("learning", [True, False])
def test_auto_does_not_ask_torch_for_an_lstm_that_it_cannot_run(
    learning: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqlab.recurrence.backends._fused_lstm_in_bf16", lambda: False)
    assert fastest(CELLS["lstm"], "cpu", 35, learning=learning, ids=28, low=True, batch=256) == "scan"


def test_a_backend_that_cannot_run_a_cell() -> None:
    assert check_backend("torch", CELLS["gru"]) == "torch"
    with pytest.raises(UserError, match="^unknown backend 'scn': did you mean 'scan'"):
        check_backend("scn", CELLS["gru"])
    with pytest.raises(UserError, match="^backend torch does not have this MGU; choose one of auto, reference, scan$"):
        check_backend("torch", CELLS["mgu"])

import math

import pytest
import torch
from torch import nn

from seqlab.cells import CELLS
from seqlab.recurrence.layers import Layers, make_layers, suffix, weights_of


def test_names_are_those_of_torch() -> None:
    theirs = nn.GRU(3, 4, num_layers=2, bidirectional=True)
    own = Layers(CELLS["gru"], [(3, 4), (8, 4)], 2)
    assert suffix(1, 1) == "_l1_reverse"
    assert {name: each.shape for name, each in own.named_parameters()} == {
        name: each.shape for name, each in theirs.named_parameters()
    }


@pytest.mark.parametrize(
    ("cell", "sizes", "directions", "kind"),
    [
        ("gru", [(3, 4), (4, 4)], 1, nn.GRU),
        ("gru", [(3, 4), (8, 4)], 2, nn.GRU),
        ("lstm", [(3, 4)], 1, nn.LSTM),
        ("rnn_relu", [(3, 4)], 1, nn.RNN),
        ("gru", [(3, 4), (4, 5)], 1, Layers),  # layers of unequal width
        ("gru", [(3, 4), (7, 4)], 1, Layers),  # dense connections
        ("gru_before", [(3, 4)], 1, Layers),
        ("mgu", [(3, 4)], 1, Layers),
    ],
)
def test_torch_where_it_has_such_layers(
    cell: str, sizes: list[tuple[int, int]], directions: int, kind: type[nn.Module]
) -> None:
    made = make_layers(CELLS[cell], sizes, directions, 0.5)
    assert type(made) is kind
    if isinstance(made, nn.RNNBase):
        assert made.batch_first
        assert made.dropout == (0.5 if len(sizes) > 1 else 0.0)
    if cell == "rnn_relu":
        assert made.nonlinearity == "relu"


def test_weights_begin_within_the_bounds_of_torch() -> None:
    torch.manual_seed(0)
    weights = weights_of(Layers(CELLS["lstm_layer_norm"], [(3, 25)], 1), CELLS["lstm_layer_norm"], 0, 0)
    assert weights.keys() == CELLS["lstm_layer_norm"].shapes(1, 1).keys()
    for name, weight in weights.items():
        if name in CELLS["lstm_layer_norm"].constants:
            assert set(weight.flatten().tolist()) == {CELLS["lstm_layer_norm"].constants[name]}
        else:
            assert 0.8 / math.sqrt(25) < float(weight.detach().abs().max()) <= 1 / math.sqrt(25)

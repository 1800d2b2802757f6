import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqlab.analysis.gradient_flow import gradient_by_lag, recurrent_radii, spectral_radius
from seqlab.cells import CELLS
from seqlab.nn.language_network import LanguageNetwork, LanguageOptions

VOCAB, WIDTH, BATCH, TIME = 5, 6, 3, 7


def network(cell: str, **options: object) -> LanguageNetwork:
    torch.manual_seed(0)
    return LanguageOptions(**{"cell": cell, "hidden_size": WIDTH, "embedding_size": 4, **options}).build(VOCAB)


def windows() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(VOCAB, (BATCH, TIME + 1), generator=torch.Generator().manual_seed(1))
    return ids[:, :-1], ids[:, 1:]


def test_one_unit_by_hand() -> None:
    """d h_T / d h_{T-k} of a plain net with one unit is the product of w (1 - h^2) over the last k steps."""
    net = network("rnn", hidden_size=1)
    ids, targets = windows()
    weights = next(net.recurrent.each_layer())
    w, h, states = weights["weight_hh"].item(), torch.zeros(BATCH), []
    bias = weights["bias_ih"] + weights["bias_hh"]
    for x in net.embedding.weight[ids].unbind(1):
        h = torch.tanh((x @ weights["weight_ih"].t() + bias)[:, 0] + w * h)
        states.append(h.detach())
    v = net.output.weight[:, 0]
    p = (states[-1][:, None] * v + net.output.bias).softmax(-1)
    gradient = (p @ v) - v[targets[:, -1]]  # dL/dh_T of softmax and cross-entropy
    wanted = [gradient.abs().mean()]
    for state in reversed(states):
        gradient = gradient * w * (1 - state**2)
        wanted.append(gradient.abs().mean())
    torch.testing.assert_close(gradient_by_lag(net, ids, targets)[0], torch.stack(wanted).detach())


def test_two_lstm_layers_against_an_unrolled_net() -> None:
    net = network("lstm", num_layers=2, dropout=0.5)
    ids, targets = windows()
    layers = net.recurrent.layers
    cells = [nn.LSTMCell(4, WIDTH), nn.LSTMCell(WIDTH, WIDTH)]
    for row, cell in enumerate(cells):
        cell.load_state_dict({name: getattr(layers, f"{name}_l{row}") for name in cell.state_dict()})
    states = [[tuple(torch.zeros(BATCH, WIDTH, requires_grad=True) for _ in "hc")] for _ in cells]
    for x in net.embedding.weight[ids].detach().unbind(1):
        for cell, kept in zip(cells, states, strict=True):
            kept.append(cell(x, kept[-1]))
            x = kept[-1][0]
    loss = F.cross_entropy(net.output(x), targets[:, -1], reduction="sum")
    wanted = torch.empty(2, TIME + 1)
    for row, kept in enumerate(states):
        for lag, pair in enumerate(reversed(kept)):
            parts = torch.autograd.grad(loss, pair, retain_graph=True, allow_unused=True, materialize_grads=True)
            wanted[row, lag] = torch.cat(parts, -1).norm(dim=-1).mean()
    torch.testing.assert_close(gradient_by_lag(net.train(), ids, targets), wanted)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_is_left_as_it_was(cell: str) -> None:
    net = network(cell).train()
    before = {name: weights.clone() for name, weights in net.state_dict().items()}
    norms = gradient_by_lag(net, *windows())
    assert norms.shape == (1, TIME + 1)
    assert bool((norms > 0).all())
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(before[name], weights) for name, weights in net.state_dict().items())


def test_gradients_of_one_hot_inputs_and_dense_connections() -> None:
    assert gradient_by_lag(network("gru", embedding_size=None), *windows()).shape == (1, TIME + 1)
    assert gradient_by_lag(network("gru", num_layers=3, connections="dense"), *windows()).shape == (3, TIME + 1)


@pytest.mark.parametrize(
    ("matrix", "radius"),
    [
        ([[0.0, -2.0], [2.0, 0.0]], 2.0),  # a turn: both eigenvalues imaginary
        ([[0.5, 100.0], [0.0, 0.25]], 0.5),
        ([[0.0, 1.0], [0.0, 0.0]], 0.0),  # nilpotent
        ([[-3.0]], 3.0),
    ],
)
def test_radius_by_hand(matrix: list[list[float]], radius: float) -> None:
    assert math.isclose(spectral_radius(torch.tensor(matrix)), radius, rel_tol=2e-3, abs_tol=1e-9)


def test_radius_equals_the_largest_eigenvalue() -> None:
    matrix = torch.randn(40, 40, generator=torch.Generator().manual_seed(0))
    assert math.isclose(spectral_radius(matrix), torch.linalg.eigvals(matrix).abs().max(), rel_tol=1e-3)


def test_radii_of_all_gates() -> None:
    radii = recurrent_radii(network("gru", num_layers=2))
    assert list(radii) == [f"layer{layer}/{gate}" for layer in (0, 1) for gate in "rzn"]
    assert recurrent_radii(network("min_gru")) == {}

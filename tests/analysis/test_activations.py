from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from seqlab.analysis.activations import half_lives, read, saturation, saturations, windows
from seqlab.cells import CELLS
from seqlab.nn.language_network import LanguageNetwork, LanguageOptions

VOCAB, WIDTH, BATCH, TIME = 5, 6, 3, 7


def network(cell: str, **options: object) -> LanguageNetwork:
    torch.manual_seed(0)
    return LanguageOptions(**{"cell": cell, "hidden_size": WIDTH, "embedding_size": 4, **options}).build(VOCAB).double()


def ids() -> torch.Tensor:
    return torch.randint(VOCAB, (BATCH, TIME), generator=torch.Generator().manual_seed(1))


class Sigmoids(TorchFunctionMode):
    """Keeps every sigmoid that is taken."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function is torch.sigmoid:
            self.seen.append(result)
        return result


@pytest.mark.parametrize("name", [name for name, kind in CELLS.items() if kind.sigmoids and name[:4] != "min_"])
def test_gates_are_those_of_the_equations(name: str) -> None:
    net = network(name)
    (layer,) = read(net, ids())
    assert set(layer.gates) == set(CELLS[name].sigmoids)
    cell, weights = net.recurrent.cell, next(net.recurrent.each_layer())
    state = cell.zero_state(BATCH, weights)
    for step, x in enumerate(cell.project(net.embedding(ids()), weights).unbind(1)):
        with Sigmoids() as taken:
            state = cell.step(x, state, weights)
        for gate, values in layer.gates.items():
            width = values.shape[-1]
            parts = [part for seen in taken.seen for part in seen.split(width, -1)]
            assert any(torch.allclose(part, values[step]) for part in parts), (gate, step)
        for part, after in zip(layer.states, state, strict=True):
            torch.testing.assert_close(part[step], after)


def test_gates_of_linear_cells() -> None:
    net = network("min_lstm")
    (layer,) = read(net, ids())
    weights = next(net.recurrent.each_layer())
    f, i, _ = net.recurrent.cell.project(net.embedding(ids()).transpose(0, 1), weights).chunk(3, -1)
    torch.testing.assert_close(layer.gates["f"], f.sigmoid())
    torch.testing.assert_close(layer.gates["i"], i.sigmoid())


def test_a_plain_net_has_no_gates_and_layers_come_in_order() -> None:
    layers = read(network("rnn", hidden_size=[4, 8]), ids())
    assert [layer.gates for layer in layers] == [{}, {}]
    assert [layer.states[0].shape for layer in layers] == [(TIME, BATCH, 4), (TIME, BATCH, 8)]


def test_reading_is_what_the_network_does() -> None:
    net = network("lstm", num_layers=2, connections="residual").eval()
    _, (h, c) = net(ids())
    for row, layer in enumerate(read(net.train(), ids())):
        torch.testing.assert_close(layer.states[0][-1], h[row])
        torch.testing.assert_close(layer.states[1][-1], c[row])
    assert net.training


def test_saturation_of_set_gates() -> None:
    gate = torch.tensor([[[0.05, 0.95, 0.5]], [[0.01, 0.5, 0.5]], [[0.99, 0.91, 0.5]], [[0.2, 0.1, 0.9]]])
    closed, opened = saturation(gate)
    assert closed.tolist() == [0.5, 0.0, 0.0]
    assert opened.tolist() == [0.25, 0.5, 0.0]


def test_a_gate_forced_shut_is_seen() -> None:
    net = network("gru")
    with torch.no_grad():
        net.recurrent.layers.bias_ih_l0[WIDTH : 2 * WIDTH] = -20.0  # z
    shares = saturations(read(net, ids()))
    assert shares["layer0/z"].closed.eq(1).all()
    assert shares["layer0/r"].closed.lt(1).all()


def test_half_lives_of_known_memories() -> None:
    """An AR(1) process x' = a x + noise has autocorrelation a^k."""
    generator = torch.Generator().manual_seed(0)
    factors = torch.tensor([0.0, 0.8, 0.95])
    x, rows = torch.zeros(400, 3), []
    for _ in range(500):
        x = factors * x + (1 - factors**2).sqrt() * torch.randn(400, 3, generator=generator)
        rows.append(x)
    states = torch.cat([torch.stack(rows[100:]), torch.ones(400, 400, 1)], -1)
    assert half_lives(states).tolist() == [1, 4, 14, 0]  # 0.8^4 = 0.41, 0.95^14 = 0.49
    assert half_lives(states, longest=10).tolist() == [1, 4, 10, 0]


def test_windows() -> None:
    text = np.arange(100, dtype=np.uint16)
    pieces = windows(text, rows=4, steps=9)
    assert pieces[:, 0].tolist() == [0, 30, 60, 90]
    assert pieces[-1].tolist() == list(range(90, 100))
    assert windows(text[:5], rows=4, steps=9).tolist() == [[0, 1, 2, 3, 4]]

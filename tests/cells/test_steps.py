"""One step of each cell, worked out by hand with two inputs, two units and weights that tell the gates apart."""

import math
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from seqlab.cells import CELLS, cell_named
from seqlab.errors import UserError

X, H, C = [1.0, -2.0], [0.5, -0.25], [0.3, -0.6]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def weights_of(name: str) -> dict[str, Tensor]:
    """Every element of every weight another one: 0.01, 0.02, ... with alternating signs."""
    filled, start = {}, 1
    for weight, shape in CELLS[name].shapes(2, 2).items():
        count = math.prod(shape)
        values = torch.arange(start, start + count, dtype=torch.float64) / 100
        filled[weight] = (values * (1 - 2 * (torch.arange(count) % 2))).view(shape)
        start += count
    return filled


class ByHand:
    """Scalars of one unit: ``x(gate)`` is its row of W_ih x + b_ih, ``h(gate)`` its row of W_hh h + b_hh."""

    def __init__(self, name: str, unit: int) -> None:
        self.gates, self.weights, self.unit = CELLS[name].gates, weights_of(name), unit

    def row(self, gate: str, unit: int) -> int:
        return 2 * self.gates.index(gate) + unit

    def x(self, gate: str) -> float:
        row = self.row(gate, self.unit)
        weight = self.weights["weight_ih"][row].tolist()
        return weight[0] * X[0] + weight[1] * X[1] + float(self.weights["bias_ih"][row])

    def h(self, gate: str, state: list[float] = H, unit: int | None = None) -> float:
        row = self.row(gate, self.unit if unit is None else unit)
        weight = self.weights["weight_hh"][row].tolist()
        return weight[0] * state[0] + weight[1] * state[1] + float(self.weights["bias_hh"][row])

    def other(self, unit: int) -> "ByHand":
        made = ByHand.__new__(ByHand)
        made.gates, made.weights, made.unit = self.gates, self.weights, unit
        return made


def rnn(a: ByHand) -> tuple[float, ...]:
    return (math.tanh(a.x("h") + a.h("h")),)


def rnn_relu(a: ByHand) -> tuple[float, ...]:
    return (max(0.0, a.x("h") + a.h("h")),)


def gru(a: ByHand) -> tuple[float, ...]:
    r, z = sigmoid(a.x("r") + a.h("r")), sigmoid(a.x("z") + a.h("z"))
    n = math.tanh(a.x("n") + r * a.h("n"))
    return ((1 - z) * n + z * H[a.unit],)


def gru_before(a: ByHand) -> tuple[float, ...]:
    reset = [sigmoid(b.x("r") + b.h("r")) * H[b.unit] for b in (a.other(0), a.other(1))]
    z = sigmoid(a.x("z") + a.h("z"))
    n = math.tanh(a.x("n") + a.h("n", reset))
    return ((1 - z) * n + z * H[a.unit],)


def mgu(a: ByHand) -> tuple[float, ...]:
    f = [sigmoid(b.x("f") + b.h("f")) for b in (a.other(0), a.other(1))]
    n = math.tanh(a.x("n") + a.h("n", [f[0] * H[0], f[1] * H[1]]))
    return ((1 - f[a.unit]) * H[a.unit] + f[a.unit] * n,)


def lstm(a: ByHand) -> tuple[float, ...]:
    i, f, o = (sigmoid(a.x(gate) + a.h(gate)) for gate in "ifo")
    c = f * C[a.unit] + i * math.tanh(a.x("g") + a.h("g"))
    return o * math.tanh(c), c


def lstm_peephole(a: ByHand) -> tuple[float, ...]:
    peep = {gate: float(a.weights[f"weight_c{gate}"][a.unit]) for gate in "ifo"}
    i, f = (sigmoid(a.x(gate) + a.h(gate) + peep[gate] * C[a.unit]) for gate in "if")
    c = f * C[a.unit] + i * math.tanh(a.x("g") + a.h("g"))
    return sigmoid(a.x("o") + a.h("o") + peep["o"] * c) * math.tanh(c), c


def lstm_coupled(a: ByHand) -> tuple[float, ...]:
    f, o = sigmoid(a.x("f") + a.h("f")), sigmoid(a.x("o") + a.h("o"))
    c = f * C[a.unit] + (1 - f) * math.tanh(a.x("g") + a.h("g"))
    return o * math.tanh(c), c


def lstm_no_output_gate(a: ByHand) -> tuple[float, ...]:
    i, f = sigmoid(a.x("i") + a.h("i")), sigmoid(a.x("f") + a.h("f"))
    c = f * C[a.unit] + i * math.tanh(a.x("g") + a.h("g"))
    return math.tanh(c), c


def candidate(y: float) -> float:
    return y + 0.5 if y >= 0 else sigmoid(y)


def min_gru(a: ByHand) -> tuple[float, ...]:
    z = sigmoid(a.x("z"))
    return ((1 - z) * H[a.unit] + z * candidate(a.x("n")),)


def min_lstm(a: ByHand) -> tuple[float, ...]:
    f, i = sigmoid(a.x("f")), sigmoid(a.x("i"))
    return ((f * H[a.unit] + i * candidate(a.x("n"))) / (f + i),)


def normed(values: list[float], gain: Tensor, bias: Tensor | None) -> list[float]:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values) + 1e-5)
    shift = [0.0] * len(values) if bias is None else bias.tolist()
    return [g * (v - mean) / deviation + b for v, g, b in zip(values, gain.tolist(), shift, strict=True)]


def products(a: ByHand, rows: range) -> tuple[list[float], list[float]]:
    """W_ih x and W_hh h without biases."""
    weight_ih, weight_hh = a.weights["weight_ih"].tolist(), a.weights["weight_hh"].tolist()
    return (
        [weight_ih[row][0] * X[0] + weight_ih[row][1] * X[1] for row in rows],
        [weight_hh[row][0] * H[0] + weight_hh[row][1] * H[1] for row in rows],
    )


def lstm_layer_norm(a: ByHand) -> tuple[float, ...]:
    x, h = products(a, range(8))
    from_x = normed(x, a.weights["gain_ih"], a.weights["bias_ih"])
    from_h = normed(h, a.weights["gain_hh"], None)
    both = [left + right for left, right in zip(from_x, from_h, strict=True)]
    cells = [sigmoid(both[2 + u]) * C[u] + sigmoid(both[u]) * math.tanh(both[4 + u]) for u in (0, 1)]
    shown = normed(cells, a.weights["gain_c"], a.weights["bias_c"])
    return sigmoid(both[6 + a.unit]) * math.tanh(shown[a.unit]), cells[a.unit]


def gru_layer_norm(a: ByHand) -> tuple[float, ...]:
    from_x, from_h = [], []
    for rows in (range(4), range(4, 6)):
        x, h = products(a, rows)
        part = slice(rows.start, rows.stop)
        from_x += normed(x, a.weights["gain_ih"][part], a.weights["bias_ih"][part])
        from_h += normed(h, a.weights["gain_hh"][part], None)
    u = a.unit
    r, z = sigmoid(from_x[u] + from_h[u]), sigmoid(from_x[2 + u] + from_h[2 + u])
    n = math.tanh(from_x[4 + u] + r * from_h[4 + u])
    return ((1 - z) * n + z * H[u],)


BY_HAND: dict[str, Callable[[ByHand], tuple[float, ...]]] = {
    "rnn": rnn,
    "rnn_relu": rnn_relu,
    "gru": gru,
    "gru_before": gru_before,
    "lstm": lstm,
    "lstm_peephole": lstm_peephole,
    "lstm_coupled": lstm_coupled,
    "lstm_no_output_gate": lstm_no_output_gate,
    "lstm_layer_norm": lstm_layer_norm,
    "gru_layer_norm": gru_layer_norm,
    "mgu": mgu,
    "min_gru": min_gru,
    "min_lstm": min_lstm,
}


def step(name: str) -> tuple[Tensor, tuple[Tensor, ...]]:
    cell = CELLS[name]
    state = tuple(torch.tensor([part], dtype=torch.float64) for part in (H, C)[: len(cell.states)])
    return cell(torch.tensor([X], dtype=torch.float64), state, weights_of(name))


@pytest.mark.parametrize("name", CELLS)
def test_a_step_by_hand(name: str) -> None:
    output, after = step(name)
    expected = list(zip(*(BY_HAND[name](ByHand(name, unit)) for unit in (0, 1)), strict=True))
    assert output is after[0]
    for part, values in zip(after, expected, strict=True):
        assert part[0].tolist() == pytest.approx(values, abs=1e-14)


@pytest.mark.parametrize(("name", "plain"), [("gru_before", "gru"), ("rnn_relu", "rnn")])
def test_a_variant_is_another_recurrence(name: str, plain: str) -> None:
    assert step(name)[0][0].tolist() != pytest.approx(step(plain)[0][0].tolist(), abs=1e-4)


def test_a_cell_by_its_name() -> None:
    assert all(cell_named(name) is cell for name, cell in CELLS.items())
    assert all(deepcopy(cell) is cell for cell in CELLS.values())
    with pytest.raises(UserError, match=r"^unknown cell 'gru_befor': did you mean 'gru_before'\?$"):
        cell_named("gru_befor")


@pytest.mark.parametrize("name", CELLS)
def test_ids_stand_for_one_hot_vectors(name: str) -> None:
    cell, weights = CELLS[name], weights_of(name)
    ids = torch.tensor([1, 0, 1])
    vectors = torch.nn.functional.one_hot(ids, 2).double()
    torch.testing.assert_close(cell.project(ids, weights), cell.project(vectors, weights), rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", CELLS)
def test_the_zero_state(name: str) -> None:
    state = CELLS[name].zero_state(3, weights_of(name))
    assert [part.tolist() for part in state] == [[[0.0, 0.0]] * 3] * len(CELLS[name].states)

import math

import pytest
import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.recurrence.initialization import INITIALIZATIONS, initialize
from seqlab.recurrence.stack import Recurrent

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
HIDDEN, INPUT, VOCAB = 64, 48, 50


class Network(nn.Module):
    """What a language model is made of."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, INPUT)
        self.layers = Recurrent(cell, INPUT, HIDDEN, 2)
        self.output = nn.Linear(HIDDEN, VOCAB)


def network(cell: str, init: str, forget_bias: float | None = None) -> Network:
    torch.manual_seed(0)
    made = Network(cell)
    initialize(made, init, forget_bias)
    return made


def weights(made: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in made.named_parameters() if parameter.dim() == 2}


def biases(made: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in made.named_parameters() if parameter.dim() == 1}


def uniform_bound(weight: Tensor, bound: float) -> bool:
    """Whether a large matrix looks uniform in +-bound: inside it, near its ends, with its variance."""
    inside = float(weight.abs().max()) <= bound and float(weight.abs().max()) > 0.98 * bound
    return inside and float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.05)


@pytest.mark.parametrize("cell", GATES)
def test_torch_leaves_the_layers_as_they_are(cell: str) -> None:
    torch.manual_seed(0)
    for (name, fresh), kept in zip(Network(cell).named_parameters(), network(cell, "torch").parameters(), strict=True):
        assert torch.equal(fresh, kept), name
    assert uniform_bound(weights(network(cell, "torch"))["layers.layers.weight_hh_l0"], 1 / math.sqrt(HIDDEN))


@pytest.mark.parametrize("cell", GATES)
def test_normal_has_the_deviation_of_the_book(cell: str) -> None:
    made = network(cell, "normal")
    for name, weight in weights(made).items():
        assert float(weight.std()) == pytest.approx(0.01, rel=0.05), name
        assert abs(float(weight.mean())) < 0.001, name
        assert float(weight.abs().max()) > 0.025, name  # a uniform one would end at 0.017
    assert all(not bias.any() for bias in biases(made).values())


@pytest.mark.parametrize("init", ["xavier", "orthogonal"])
@pytest.mark.parametrize("cell", GATES)
def test_xavier_bounds_each_gate_by_its_own_sizes(cell: str, init: str) -> None:
    made, drawn = network(cell, init), network(cell, "torch")
    for name, weight in weights(made).items():
        if init == "orthogonal" and "weight_hh" in name:
            continue
        if name == "embedding.weight":
            assert torch.equal(weight, weights(drawn)[name])
            continue
        gates = weight.chunk(GATES[cell]) if name.startswith("layers") else [weight]
        for gate in gates:
            assert uniform_bound(gate, math.sqrt(6 / sum(gate.shape))), name
    assert all(not bias.any() for bias in biases(made).values())


@pytest.mark.parametrize("cell", GATES)
def test_orthogonal_gate_by_gate(cell: str) -> None:
    made = network(cell, "orthogonal")
    gates = [gate for layer in (0, 1) for gate in weights(made)[f"layers.layers.weight_hh_l{layer}"].chunk(GATES[cell])]
    assert len(gates) == 2 * GATES[cell]
    for gate in gates:
        torch.testing.assert_close(gate @ gate.T, torch.eye(HIDDEN), rtol=0, atol=1e-5)
    assert len({float(gate[0, 0]) for gate in gates}) == len(gates)


@pytest.mark.parametrize("init", INITIALIZATIONS)
def test_forget_bias_is_the_sum_of_both_vectors(init: str) -> None:
    made, before = (network("lstm", init, bias) for bias in (1.5, None))
    for layer in (0, 1):
        given, drawn = biases(made), biases(before)
        both = given[f"layers.layers.bias_ih_l{layer}"] + given[f"layers.layers.bias_hh_l{layer}"]
        drawn_both = drawn[f"layers.layers.bias_ih_l{layer}"] + drawn[f"layers.layers.bias_hh_l{layer}"]
        forget = slice(HIDDEN, 2 * HIDDEN)
        assert torch.equal(both[forget], torch.full((HIDDEN,), 1.5))
        others = torch.ones(4 * HIDDEN, dtype=torch.bool)
        others[forget] = False
        assert torch.equal(both[others], drawn_both[others])


def test_forget_bias_opens_the_forget_gate() -> None:
    made = network("lstm", "normal", 50.0)
    cell = torch.randn(2, 1, HIDDEN)
    _, (_, after) = made.layers(torch.zeros(1, 1, INPUT), (torch.zeros_like(cell), cell))
    torch.testing.assert_close(after, cell, rtol=0, atol=0.05)


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_forget_bias_needs_a_forget_gate(cell: str) -> None:
    words = r"^forget_bias 1.0 needs a cell with a forget gate \(lstm, .*\); leave it out$"
    with pytest.raises(UserError, match=words):
        network(cell, "torch", 1.0)


def test_unknown_init() -> None:
    with pytest.raises(UserError, match=r"^unknown init 'orthognal': did you mean 'orthogonal'\?$"):
        network("gru", "orthognal")


@pytest.mark.parametrize("init", ["normal", "xavier", "orthogonal"])
def test_the_seed_decides(init: str) -> None:
    assert torch.equal(network("gru", init).layers.layers.weight_hh_l0, network("gru", init).layers.layers.weight_hh_l0)
    torch.manual_seed(0)
    made = Network("gru")
    torch.manual_seed(1)
    initialize(made, init)
    assert not torch.equal(made.layers.layers.weight_hh_l0, network("gru", init).layers.layers.weight_hh_l0)


def test_uniform_keeps_every_weight_and_bias_within_its_range() -> None:
    made = Network("lstm")
    initialize(made, "uniform", within=0.05)
    largest = [float(parameter.detach().abs().max()) for parameter in made.parameters()]
    assert max(largest) <= 0.05
    assert min(largest) > 0.02

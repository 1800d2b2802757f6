import pytest
import torch
from torch import nn

from seqlab.errors import UserError
from seqlab.nn.recurrent import LAYERS, Recurrent

REFERENCE = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}


def recurrent(cell: str, num_layers: int, seed: int = 0, **options: float) -> Recurrent:
    torch.manual_seed(seed)
    return Recurrent(cell, 5, 7, num_layers, **options).double()  # type: ignore[arg-type]


def stepwise(network: Recurrent, cell: str, inputs: torch.Tensor, state: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The same weights run by torch's single-step cells, one layer and one step at a time."""
    weights = dict(network.layers.named_parameters())
    for layer in range(network.layers.num_layers):
        one = REFERENCE[cell](inputs.shape[-1], 7).double()
        one.load_state_dict({name: weights[f"{name}_l{layer}"] for name, _ in one.named_parameters()})
        held = tuple(part[layer] for part in state)
        outputs = []
        for step in inputs.unbind(1):
            after = one(step, held if cell == "lstm" else held[0])
            held = after if cell == "lstm" else (after,)
            outputs.append(held[0])
        inputs = torch.stack(outputs, dim=1)
    return inputs


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("cell", LAYERS)
def test_equals_a_loop_over_single_steps(cell: str, num_layers: int) -> None:
    network = recurrent(cell, num_layers)
    inputs = torch.randn(4, 9, 5, dtype=torch.float64)
    state = tuple(torch.randn(num_layers, 4, 7, dtype=torch.float64) for _ in range(2 if cell == "lstm" else 1))
    outputs, last = network(inputs, state)
    torch.testing.assert_close(outputs, stepwise(network, cell, inputs, state), rtol=0, atol=1e-12)
    assert len(last) == len(state)
    assert {part.shape for part in last} == {(num_layers, 4, 7)}
    torch.testing.assert_close(last[0][-1], outputs[:, -1], rtol=0, atol=0)


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("cell", LAYERS)
def test_windows_with_the_state_carried_equal_one_pass(cell: str, num_layers: int) -> None:
    network = recurrent(cell, num_layers)
    inputs = torch.randn(3, 12, 5, dtype=torch.float64)
    whole, last = network(inputs)
    state, pieces = None, []
    for window in inputs.split([5, 1, 4, 2], dim=1):
        outputs, state = network(window, state)
        pieces.append(outputs)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=0, atol=1e-12)
    assert state is not None
    torch.testing.assert_close(state, last, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", LAYERS)
def test_no_state_is_a_zero_state(cell: str) -> None:
    network = recurrent(cell, 2)
    inputs = torch.randn(3, 4, 5, dtype=torch.float64)
    zeros = tuple(torch.zeros_like(part) for part in network(inputs)[1])
    assert torch.equal(network(inputs)[0], network(inputs, zeros)[0])


@pytest.mark.parametrize("cell", LAYERS)
def test_a_state_of_another_precision_is_taken(cell: str) -> None:
    network = recurrent(cell, 1)
    inputs = torch.randn(3, 4, 5, dtype=torch.float64)
    state = tuple(part.float() for part in network(inputs)[1])
    outputs, last = network(inputs, state)
    assert outputs.dtype == last[0].dtype == torch.float64
    assert torch.equal(outputs, network(inputs, tuple(part.double() for part in state))[0])


@pytest.mark.parametrize("cell", LAYERS)
def test_the_backward_half_reads_backwards(cell: str) -> None:
    network = recurrent(cell, 1, bidirectional=True)
    inputs = torch.randn(3, 6, 5, dtype=torch.float64)
    outputs, last = network(inputs)
    assert outputs.shape == (3, 6, 14)
    assert last[0].shape == (2, 3, 7)
    alone = Recurrent(cell, 5, 7).double()
    backward = {f"layers.{name}": weight for name, weight in network.layers.named_parameters() if "reverse" in name}
    alone.load_state_dict({name.removesuffix("_reverse"): weight for name, weight in backward.items()})
    torch.testing.assert_close(outputs[..., 7:], alone(inputs.flip(1))[0].flip(1), rtol=0, atol=1e-12)


def test_dropout_lies_between_layers_alone() -> None:
    inputs = torch.randn(3, 6, 5, dtype=torch.float64)
    for num_layers, differs in ((1, False), (2, True)):
        dropping, keeping = (recurrent("gru", num_layers, dropout=dropout) for dropout in (0.5, 0.0))
        assert torch.equal(dropping(inputs)[0], keeping(inputs)[0]) != differs
        assert torch.equal(dropping.eval()(inputs)[0], keeping.eval()(inputs)[0])


@pytest.mark.parametrize(
    ("cell", "words"), [("gro", "did you mean 'gru'?"), ("transformer", "choose one of gru, lstm, rnn")]
)
def test_unknown_cell(cell: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        Recurrent(cell, 5, 7)
    assert str(caught.value) == f"unknown cell '{cell}': {words}"

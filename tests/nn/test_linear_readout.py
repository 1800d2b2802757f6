import pytest
import torch

from seqlab.nn.linear_readout import LinearReadout


@pytest.mark.parametrize(("cell", "forget_bias"), [("lstm", 1.5), ("gru", 1.5), ("lstm", None)])
def test_only_forget_gates_take_their_bias(cell: str, forget_bias: float | None) -> None:
    net = LinearReadout(cell, 2, 4, 3, num_layers=2, init="xavier", forget_bias=forget_bias)
    for weights in net.recurrent.each_layer():
        bias = weights["bias_ih"] + weights["bias_hh"]
        expected = torch.zeros_like(bias)
        if cell == "lstm" and forget_bias is not None:
            expected[4:8] = forget_bias
        assert bias.equal(expected)


def test_outputs_read_each_state() -> None:
    net = LinearReadout("gru", 10, 4, 3)
    ids = torch.arange(10).view(2, 5)
    states, _ = net.recurrent(ids)
    assert net(ids).equal(states @ net.output.weight.t() + net.output.bias)
    assert net(ids).shape == (2, 5, 3)

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from seqlab.nn.transformer import Layer, Transformer, TransformerOptions, begin

OPTIONS = TransformerOptions(hidden_size=8, num_heads=2, num_layers=3, dropout=0.0)


def draws(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("norm", ["before", "after"])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_a_layer_equals_that_of_torch(activation: str, norm: str) -> None:
    torch.manual_seed(0)
    ours = Layer(replace(OPTIONS, norm=norm, activation=activation)).double()
    theirs = nn.TransformerEncoderLayer(
        8, 2, 32, 0.0, activation, batch_first=True, norm_first=norm == "before", dtype=torch.float64
    )
    pairs = [
        (theirs.self_attn.in_proj_weight, ours.attention.inputs.weight),
        (theirs.self_attn.in_proj_bias, ours.attention.inputs.bias),
        (theirs.self_attn.out_proj.weight, ours.attention.output.weight),
        (theirs.self_attn.out_proj.bias, ours.attention.output.bias),
        (theirs.linear1.weight, ours.feed_forward.inputs.weight),
        (theirs.linear1.bias, ours.feed_forward.inputs.bias),
        (theirs.linear2.weight, ours.feed_forward.output.weight),
        (theirs.linear2.bias, ours.feed_forward.output.bias),
    ]
    with torch.no_grad():
        for their, our in pairs:
            their.copy_(our)
    x = draws(2, 5, 8)
    torch.testing.assert_close(ours(x, None, None, None, False)[0], theirs(x), rtol=0, atol=1e-12)


def test_swiglu_by_hand() -> None:
    torch.manual_seed(0)
    made = Layer(replace(OPTIONS, activation="swiglu")).feed_forward.double()
    x = draws(8)
    gate, value = (made.inputs.weight @ x + made.inputs.bias).chunk(2)
    expected = made.output.weight @ (gate * torch.sigmoid(gate) * value) + made.output.bias
    assert made.output.in_features == 21
    torch.testing.assert_close(made(x), expected, rtol=0, atol=1e-12)


def test_first_weights_of_gpt2() -> None:
    torch.manual_seed(0)
    wide = replace(OPTIONS, hidden_size=256)
    made = Transformer(wide)
    begin(made, wide)
    layer = made.each_layer()[1]
    assert float(layer.attention.inputs.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
    for end in (layer.attention.output, layer.feed_forward.output):
        assert float(end.weight.detach().std()) == pytest.approx(0.02 / math.sqrt(6), rel=0.05)
    assert not layer.attention.inputs.bias.any()
    assert bool((layer.norms[0].weight == 1).all())


@pytest.mark.parametrize("init", ["torch", "normal", "xavier"])
def test_other_first_weights_keep_norms_even(init: str) -> None:
    made = Transformer(replace(OPTIONS, init=init))
    begin(made, replace(OPTIONS, init=init))
    assert bool((made.each_layer()[0].norms[0].weight == 1).all())

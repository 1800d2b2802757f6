import pytest
import torch

from seqlab.analysis.encoder_attention import encoder_attention, reach, reach_lines
from seqlab.nn.heads import attention_weights
from seqlab.nn.text_classifier import RecurrentClassifierOptions
from seqlab.nn.transformer_classifier import TransformerClassifierOptions

IDS, LENGTHS = torch.tensor([[3, 1, 4, 1, 5]]), torch.tensor([5])


def test_the_weights_are_those_of_the_equation() -> None:
    torch.manual_seed(0)
    options = TransformerClassifierOptions(hidden_size=8, num_heads=2, embedding_size=8, positions="none")
    network = options.build(6, 3)
    found = encoder_attention(network, lambda: network(IDS, LENGTHS))
    assert found is not None
    assert found.shape == (2, 2, 5, 5)
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 2, 5))
    heads = network.encoder.transformer.each_layer()[0].attention
    read: list[torch.Tensor] = []
    handle = heads.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    again = encoder_attention(network, lambda: network(IDS, LENGTHS))
    handle.remove()
    assert again is not None
    assert found.equal(again)
    queries, keys, _ = heads.split(heads.inputs(read[0]), 3)
    torch.testing.assert_close(found[0], attention_weights(queries, keys, None)[0])
    assert network.training
    assert all(one.attention.recorded is None for one in network.encoder.transformer.each_layer())


def test_a_recurrence_has_none() -> None:
    network = RecurrentClassifierOptions(hidden_size=5, embedding_size=4).build(6, 3)
    assert encoder_attention(network, lambda: pytest.fail("it need not read")) is None


def test_reach_is_the_mean_distance() -> None:
    weights = torch.stack([torch.eye(3), torch.full((3, 3), 1 / 3)]).unsqueeze(0)
    torch.testing.assert_close(reach(weights), torch.tensor([[0.0, (1 + 2 / 3 + 1) / 3]]))
    assert reach_lines(weights)[-1].split() == ["layer", "0", "0.0", "0.9"]

from typing import Any

import pytest
import torch

from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.layer_outputs import outputs_of_layers, recurrent_outputs
from seqlab.nn.transformer_language import TransformerLanguageOptions

IDS = torch.randint(1, 9, (3, 20), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("more", [{}, {"embedding_size": None}, {"connections": "residual"}, {"cell": "mgu"}], ids=str)
@torch.no_grad()
def test_the_top_layer_of_a_recurrence_is_what_predicts(more: dict[str, Any]) -> None:
    torch.manual_seed(0)
    options = {"cell": "lstm", "hidden_size": 6, "num_layers": 2, "dropout": 0.5, "learned_state": True, **more}
    network = LanguageOptions(**options).build(9).double().eval()
    found = outputs_of_layers(network, IDS)
    assert [layer.shape for layer in found] == [(3, 20, 6)] * 2
    top = found[0] + found[1] if "connections" in more else found[1]
    torch.testing.assert_close(top.transpose(0, 1), network.features(IDS, None)[0], rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_recurrence_goes_on_from_a_state() -> None:
    network = LanguageOptions("gru", [6, 4]).build(9).double().eval()
    whole = outputs_of_layers(network, IDS)
    first, state = recurrent_outputs(network, IDS[:, :7])
    rest, _ = recurrent_outputs(network, IDS[:, 7:], state)
    for layer, *parts in zip(whole, first, rest, strict=True):
        torch.testing.assert_close(torch.cat(parts, 1), layer, rtol=0, atol=1e-12)


@pytest.mark.parametrize("longest", [20, 7, 1])
@pytest.mark.parametrize("more", [{}, {"stride": 3}, {"memory": 4}, {"norm": "after"}], ids=str)
@torch.no_grad()
def test_the_top_layer_of_a_transformer_is_what_predicts_in_its_windows(longest: int, more: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = TransformerLanguageOptions(hidden_size=8, num_layers=3, num_heads=2, **more).build(9).double().eval()
    network.longest.fill_(longest)
    found = outputs_of_layers(network, IDS)
    assert [layer.shape for layer in found] == [(3, 20, 8)] * 3
    torch.testing.assert_close(found[-1].transpose(0, 1), network.features(IDS, None)[0], rtol=0, atol=1e-12)
    assert not torch.allclose(found[0], found[1], atol=1e-3)

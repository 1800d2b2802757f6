from typing import Any

import pytest
import torch

from seqlab.analysis import layer_states
from seqlab.analysis.activations import read
from seqlab.analysis.layer_states import states_at
from seqlab.nn.language_network import ForwardAndBackward, LanguageOptions
from seqlab.nn.transformer_language import TransformerLanguageOptions

IDS = torch.randint(1, 9, (50,), generator=torch.Generator().manual_seed(0))
PLACES = torch.tensor([0, 3, 11, 12, 13, 30, 48, 49])


@pytest.mark.parametrize(
    "options",
    [
        LanguageOptions("lstm", [6, 4], embedding_size=3, dropout=0.5),
        LanguageOptions("mgu", 6, num_layers=2, embedding_size=None),
        LanguageOptions("gru", 6, num_layers=2, embedding_size=6, connections="residual", learned_state=True),
    ],
    ids=["lstm", "mgu of one-hot", "residual gru"],
)
def test_of_a_recurrence_they_are_h_step_by_step(options: LanguageOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_states, "AT_ONCE", 12)
    torch.manual_seed(0)
    network = options.build(9)
    found = states_at(network, IDS, PLACES)
    for layer, run in zip(found, read(network, IDS[None]), strict=True):
        torch.testing.assert_close(layer, run.states[0][PLACES, 0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "more", [{}, {"stride": 3}, {"memory": 7}, {"norm": "after"}, {"positions": "learned", "context": 12}], ids=str
)
def test_of_a_transformer_the_top_one_is_what_predicts(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_states, "WINDOWS", 2)
    torch.manual_seed(0)
    network = TransformerLanguageOptions(hidden_size=8, num_layers=3, num_heads=2, **more).build(9)
    network.longest.fill_(12)
    found = states_at(network, IDS, PLACES)
    assert [layer.shape for layer in found] == [(8, 8)] * 3
    with torch.no_grad():
        top, _ = network.eval().features(IDS[None], None)
    torch.testing.assert_close(found[-1], top[PLACES, 0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(found[0], found[1], atol=1e-3)


def test_what_follows_changes_no_state() -> None:
    torch.manual_seed(0)
    changed = IDS.clone()
    changed[14:] = 1
    for options in (LanguageOptions("gru", 6), TransformerLanguageOptions(hidden_size=8, num_layers=2, num_heads=2)):
        network = options.build(9)
        for one, other in zip(states_at(network, IDS, PLACES), states_at(network, changed, PLACES), strict=True):
            torch.testing.assert_close(one[:5], other[:5])
            assert not torch.allclose(one[5:], other[5:])


def test_a_backward_stack_has_read_what_follows() -> None:
    torch.manual_seed(0)
    network = LanguageOptions("gru", [6, 4], embedding_size=3, backward=True).build(9)
    found = states_at(network, IDS, PLACES)
    assert [layer.shape[1] for layer in found] == [12, 8]
    changed = IDS.clone()
    changed[13] = changed[13] % 8 + 1
    other = states_at(network, changed, PLACES)
    for one, two, width in zip(found, other, (6, 4), strict=True):
        torch.testing.assert_close(one[:4, :width], two[:4, :width])
        assert not torch.allclose(one[4:, :width], two[4:, :width])
        assert not torch.allclose(one[:5, width:], two[:5, width:])
        torch.testing.assert_close(one[5:, width:], two[5:, width:])
    assert isinstance(network, ForwardAndBackward)
    backward = read(network.behind, IDS.flip(0)[None])
    torch.testing.assert_close(found[1][:, 4:], backward[1].states[0].flip(0)[PLACES, 0], atol=1e-6, rtol=1e-5)

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.contextual import Contextual, Reader, beside, reader_of, size_of
from seqlab.nn.language_network import ForwardAndBackward
from seqlab.nn.layer_outputs import outputs_of_layers
from seqlab.nn.transformer_language import TransformerLanguage

LENGTHS = torch.tensor([7, 3, 1])
IDS = torch.randint(1, 9, (3, 7), generator=torch.Generator().manual_seed(0))
RECURRENT: dict[str, Any] = {"cell": "gru", "hidden_size": 6, "num_layers": 2, "embedding_size": 6, "dropout": 0.5}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "forward": ("recurrent", RECURRENT),
    "both ways": ("recurrent", {**RECURRENT, "backward": True}),
    "lstm with weight drop": ("recurrent", {**RECURRENT, "cell": "lstm", "weight_drop": 0.5, "backward": True}),
    "one-hot": ("recurrent", {**RECURRENT, "embedding_size": None}),
    "transformer": ("transformer", {"hidden_size": 8, "num_heads": 2, "num_layers": 2, "dropout": 0.5}),
    "memory": ("transformer", {"hidden_size": 8, "num_heads": 2, "num_layers": 2, "memory": 2}),
    "static": ("static", {"embedding_size": 6}),
}


def reader(kind: str, **more: Any) -> Reader:
    torch.manual_seed(0)
    name, options = KINDS[kind]
    made = reader_of(name, {**options, **more}, 9).double()
    if isinstance(made, TransformerLanguage):
        made.longest.fill_(3)
    return made


def contextual(kind: str, **more: Any) -> Contextual:
    made = Contextual(reader(kind, **more)).double()
    nn.init.normal_(made.weights)
    nn.init.constant_(made.gamma, 1.5)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_sentence_alone_and_padding_change_nothing(kind: str) -> None:
    made = contextual(kind)
    found = made(IDS, LENGTHS)
    assert found.shape == (3, 7, made.size)
    for fill in (0, 5):
        more = made(torch.cat([IDS, torch.full((3, 4), fill)], 1), LENGTHS)
        for row, length in enumerate(LENGTHS.tolist()):
            alone = made(IDS[row : row + 1, :length], LENGTHS[row : row + 1])[0]
            torch.testing.assert_close(found[row, :length], alone, rtol=0, atol=1e-12)
            torch.testing.assert_close(more[row, :length], alone, rtol=0, atol=1e-12)


@torch.no_grad()
def test_equation_1() -> None:
    made, network = contextual("both ways"), reader("both ways").eval()
    assert isinstance(network, ForwardAndBackward)
    assert network.embedding is not None
    ids = IDS[:1, :5]
    ahead, behind = outputs_of_layers(network, ids), outputs_of_layers(network.behind, ids.flip(1))
    static = network.embedding(ids)
    layers = [torch.cat([static, static], 2)]
    layers += [torch.cat([one, other.flip(1)], 2) for one, other in zip(ahead, behind, strict=True)]
    s = made.weights.exp() / made.weights.exp().sum()
    expected = 1.5 * (s[0] * layers[0] + s[1] * layers[1] + s[2] * layers[2])
    torch.testing.assert_close(made(ids, torch.tensor([5])), expected, rtol=0, atol=1e-12)
    assert made.names == ["static", "layer 0", "layer 1"]
    assert made.shares() == pytest.approx(dict(zip(made.names, s.tolist(), strict=True)))


def test_a_forward_model_knows_what_came_before_and_a_backward_stack_what_follows() -> None:
    changed = IDS.clone()
    changed[0, 3] = changed[0, 3] % 8 + 1
    forward = contextual("forward")
    before, after = forward(IDS, LENGTHS)[0], forward(changed, LENGTHS)[0]
    assert torch.equal(before[:3], after[:3])
    assert not torch.allclose(before[4:], after[4:])
    both = contextual("both ways")
    moved = (both(IDS, LENGTHS) - both(changed, LENGTHS))[0].abs().amax(1)
    assert bool((moved > 0).all())


def test_the_static_embedding_is_left_out_where_its_size_differs() -> None:
    made = contextual("both ways", embedding_size=4)
    assert (made.names, made.size) == (["layer 0", "layer 1"], 12)
    assert contextual("one-hot").names == ["layer 0", "layer 1"]
    assert contextual("transformer").names == ["static", "layer 0", "layer 1"]


def test_word_vectors_are_a_lowest_layer_alone() -> None:
    made = contextual("static")
    assert (made.names, made.size, size_of(made)) == (["static"], 6, 6)
    torch.testing.assert_close(made(IDS, LENGTHS), 1.5 * made.network.embedding(IDS), rtol=0, atol=1e-12)


def test_layers_of_different_sizes_are_refused() -> None:
    with pytest.raises(UserError, match="layers of one size, and the language model's have 6, 4 units; give one with"):
        Contextual(reader("forward", hidden_size=[6, 4], num_layers=None))


@pytest.mark.parametrize("kind", ["lstm with weight drop", "transformer"])
def test_the_language_model_is_frozen_and_without_dropout(kind: str) -> None:
    made = contextual(kind)
    asleep = made.eval()(IDS, LENGTHS)
    vectors = made.train()(IDS, LENGTHS)
    assert made.training
    assert torch.equal(vectors, asleep)
    vectors.sum().backward()
    learned = {name for name, parameter in made.named_parameters() if parameter.grad is not None}
    assert learned == {name for name, one in made.named_parameters() if one.requires_grad} == {"weights", "gamma"}
    assert not [name for name in made.state_dict() if "output.weight" in name and "layers" not in name]


@torch.no_grad()
def test_weights_of_a_trained_model() -> None:
    made = Contextual(reader("both ways")).double()
    torch.manual_seed(9)
    other = reader_of("recurrent", {**RECURRENT, "backward": True}, 9).double()
    before = made(IDS, LENGTHS)
    made.read_weights(other.state_dict())
    assert not torch.allclose(made(IDS, LENGTHS), before)
    torch.testing.assert_close(made(IDS, LENGTHS), Contextual(other)(IDS, LENGTHS))


def test_without_a_language_model_vectors_stay() -> None:
    vectors = torch.randn(3, 7, 2, dtype=torch.float64)
    assert beside(vectors, None, None, LENGTHS) is vectors
    assert size_of(None) == 0
    made = contextual("forward")
    joined: Tensor = beside(vectors, made, IDS, LENGTHS)
    assert torch.equal(joined[..., :2], vectors)
    assert torch.equal(joined[..., 2:], made(IDS, LENGTHS))
    assert size_of(made) == 6

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.data.tagged_batches import TaggedBatch
from seqlab.errors import UserError
from seqlab.nn.characters import CharacterEncoder
from seqlab.nn.tagger import Tagger, TaggerOptions
from seqlab.nn.two_ways import TwoWays

SMALL = TaggerOptions(
    cell="gru",
    hidden_size=6,
    embedding_size=5,
    casing_size=2,
    characters="cnn",
    character_size=4,
    character_hidden_size=3,
    dropout=0.0,
    word_dropout=0.0,
)
KINDS: dict[str, dict[str, Any]] = {
    "cnn": {},
    "characters by lstm": {"characters": "lstm"},
    "no characters": {"characters": "none", "casing_size": 0},
    "forward": {"bidirectional": False},
    "two layers": {"num_layers": 2},
    "upper forward": {"num_layers": 2, "both_layers": 1},
    "another cell backward": {"backward_cell": "lstm", "num_layers": 2},
    "lookahead": {"lookahead": 2, "num_layers": 2},
    "crf": {"output": "crf"},
}


def batch(lengths: list[int], padding: int = 0, seed: int = 0) -> TaggedBatch:
    """Sentences of ids that depend on their row and place alone."""
    rows, time = len(lengths), max(lengths) + padding
    place = torch.arange(rows).unsqueeze(1) * 7 + torch.arange(time) * 3 + seed
    real = torch.arange(time) < torch.tensor(lengths).unsqueeze(1)
    spellings = torch.arange(11).unsqueeze(1) * torch.arange(1, 5) % 9 + 2
    spelling_lengths = 1 + torch.arange(11) % 4
    spellings = torch.where(torch.arange(4) < spelling_lengths.unsqueeze(1), spellings, 1)
    return TaggedBatch(
        ids=torch.where(real, place % 13 + 2, 1),
        casing=torch.where(real, place % 10 + 1, 0),
        places=torch.where(real, place % 11, 0),
        spellings=spellings,
        spelling_lengths=spelling_lengths,
        lengths=torch.tensor(lengths),
        tags=torch.where(real, place % 3, -1),
        valid=torch.ones(rows, dtype=torch.bool),
        items=torch.arange(rows),
    )


def network(**options: Any) -> Tagger:
    torch.manual_seed(0)
    return Tagger(16, 12, 3, replace(SMALL, **options)).double().eval()


def alone(whole: TaggedBatch, row: int) -> TaggedBatch:
    length = int(whole.lengths[row])
    cut: dict[str, Tensor] = {
        name: getattr(whole, name)[row : row + 1, :length] for name in ("ids", "casing", "places", "tags")
    }
    return whole._replace(
        **cut, lengths=whole.lengths[row : row + 1], valid=whole.valid[:1], items=whole.items[row : row + 1]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_neither_padding_nor_the_batch_changes_anything(kind: str) -> None:
    made, whole = network(**KINDS[kind]), batch([5, 1, 3])
    scores, wider = made(whole), made(batch([5, 1, 3], padding=2))
    assert scores.shape == (3, 5, 3)
    for row, length in enumerate(whole.lengths.tolist()):
        torch.testing.assert_close(wider[row, :length], scores[row, :length], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(made(alone(whole, row))[0], scores[row, :length], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns(kind: str) -> None:
    made, whole = network(**KINDS[kind]).train(), batch([5, 1, 3])
    made(whole).square().sum().backward()
    still = [name for name, weight in made.named_parameters() if weight.grad is None and not name.startswith("crf.")]
    assert not still


@pytest.mark.parametrize(
    ("options", "sees"),
    [
        ({"bidirectional": False}, 0),
        ({"lookahead": 1}, 1),
        ({"lookahead": 3}, 3),
        ({"lookahead": 2, "num_layers": 3}, 2),
        ({}, 7),
        ({"num_layers": 2, "both_layers": 1}, 7),
    ],
)
def test_how_much_of_what_is_to_come_is_seen(options: dict[str, Any], sees: int) -> None:
    made, whole = network(**options), batch([8])
    scores = made(whole)
    for place in range(8):
        ids = whole.ids.clone()
        ids[0, place] = 2 if ids[0, place] != 2 else 3
        moved = (made(whole._replace(ids=ids)) - scores)[0].abs().sum(-1) > 1e-9
        first = max(0, place - sees)
        assert not moved[:first].any()
        assert moved[first:].all()


def test_both_ways_by_two_stacks_are_the_bidirectional_stack() -> None:
    stack = SMALL.layers(4).double()
    two = TwoWays(SMALL, 4, 1, "gru", None).double()
    weights = stack.state_dict()
    for module, end in ((two.forwards[0], ""), (two.backwards[0], "_reverse")):
        own = {name: weights[f"{name}{end}"] for name in module.state_dict()}
        module.load_state_dict(own)
    inputs, lengths = torch.randn(3, 5, 4, dtype=torch.float64), torch.tensor([5, 2, 4])
    outputs, _ = stack(inputs, lengths=lengths)
    torch.testing.assert_close(two(inputs, lengths), outputs)
    ahead = TwoWays(SMALL, 4, 1, "gru", 10).double()
    ahead.load_state_dict(two.state_dict())
    torch.testing.assert_close(ahead(inputs, lengths), outputs)


@pytest.mark.parametrize("kind", ["cnn", "gru"])
def test_a_word_is_its_characters_whatever_stands_behind_them(kind: str) -> None:
    torch.manual_seed(0)
    made = CharacterEncoder(kind, 9, 3, 4, [3, 5]).double()
    spellings, lengths = torch.tensor([[2, 3, 4, 1, 1], [5, 1, 1, 1, 1]]), torch.tensor([3, 1])
    found = made(spellings, lengths)
    assert found.shape == (2, made.output_size)
    torch.testing.assert_close(made(spellings[:1, :3], lengths[:1])[0], found[0])
    assert not torch.equal(made(spellings.masked_fill(spellings == 4, 6), lengths)[0], found[0])


def test_the_filters_of_a_convolution_by_hand() -> None:
    made = CharacterEncoder("cnn", 4, 1, 1, [3]).double()
    with torch.no_grad():
        made.embedding.weight.copy_(torch.tensor([[0.0], [100.0], [1.0], [2.0]]))
        made.convolutions[0].weight.copy_(torch.tensor([[[1.0, 10.0, 100.0]]]))
        made.convolutions[0].bias.zero_()
    found = made(torch.tensor([[2, 3, 1]]), torch.tensor([2]))  # 0 + 10 * 1 + 100 * 2 and 1 + 10 * 2 + 0
    assert found.tolist() == [[210.0]]


def test_rare_words_are_read_as_unknown_now_and_then() -> None:
    made = network(word_dropout=0.25, characters="none", casing_size=0)
    made.unknown_share.fill_(1.0)
    whole = batch([5])
    plain = made(whole)
    torch.testing.assert_close(made.train()(whole), made(whole._replace(ids=torch.zeros_like(whole.ids))))
    assert not torch.allclose(made(whole), plain)
    assert torch.equal(made.eval()(whole), plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"character_widths": [2]}, "character_widths 2 must be an odd number"),
        ({"both_layers": 2}, "both_layers 2 must be at most num_layers, 1"),
        ({"lookahead": 1, "num_layers": 2, "both_layers": 2}, "both_layers 2 would look ahead several times"),
        ({"lookahead": 1, "bidirectional": False}, "need --model.bidirectional true"),
        (
            {"backward_cell": "rnn", "num_layers": 2, "connections": "residual"},
            "connections residual needs layers of one kind",
        ),
        ({"characters": "cn"}, "unknown characters 'cn': did you mean 'cnn'?"),
        ({"lookahead": 0}, "lookahead 0 must be a whole number of at least 1"),
    ],
)
def test_options_that_do_not_agree(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        replace(SMALL, **options)
    assert message in str(caught.value)

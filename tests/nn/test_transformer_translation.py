from copy import deepcopy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.decoding.beam import Beam, beam_search
from seqlab.errors import UserError
from seqlab.nn.transformer_translation import TransformerTranslation, TransformerTranslationOptions

SOURCES, TARGETS, WIDTH = 11, 13, 8
LENGTHS = torch.tensor([5, 2, 4, 1])
VALID = torch.arange(6) < torch.tensor([6, 3, 1, 5]).unsqueeze(1)
PAD, BOS, EOS = 1, 2, 3
KINDS: dict[str, dict[str, Any]] = {
    "sinusoidal": {},
    "rotary": {"positions": "rotary"},
    "as published": {"positions": "sinusoidal", "norm": "after", "activation": "relu"},
    "learned": {"positions": "learned", "context": 16},
    "swiglu": {"activation": "swiglu", "bias": False},
    "loose": {"tied": False},
    "shallow decoder": {"decoder_layers": 1},
}


def network(**options: Any) -> TransformerTranslation:
    torch.manual_seed(0)
    given = {"hidden_size": WIDTH, "num_heads": 2, "num_layers": 2, "dropout": 0.0, **options}
    made = TransformerTranslationOptions(**given).build(SOURCES, TARGETS).double()
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(8).add_(torch.randn_like(weight) * 0.05)
    return made


def ids(vocab: int, *shape: int, seed: int = 1) -> Tensor:
    return torch.randint(4, vocab, shape, generator=torch.Generator().manual_seed(seed))


SOURCE, INPUTS, WANTED = ids(SOURCES, 4, 5), ids(TARGETS, 4, 6, seed=2), ids(TARGETS, 4, 6, seed=3)


@pytest.mark.parametrize("kind", KINDS)
def test_all_steps_at_once_are_one_step_after_the_other(kind: str) -> None:
    made = network(**KINDS[kind])
    logits = made(SOURCE, LENGTHS, INPUTS)
    state = made.encode(SOURCE, LENGTHS)
    for t in range(INPUTS.shape[1]):
        log_probs, state, weights = made.step(INPUTS[:, t], state)
        torch.testing.assert_close(log_probs, logits[:, t].log_softmax(-1), rtol=0, atol=1e-10)
        assert weights is not None
        torch.testing.assert_close(weights.sum(-1), torch.ones(4).double(), rtol=0, atol=1e-12)
        assert not weights[torch.arange(5) >= LENGTHS.unsqueeze(1)].any()


def test_several_ids_after_others_equal_all_at_once() -> None:
    made = network()
    _, state, _ = made.decoder(INPUTS[:, :2], made.encode(SOURCE, LENGTHS))
    features, _, _ = made.decoder(INPUTS[:, 2:], state)
    torch.testing.assert_close(made.output(features), made(SOURCE, LENGTHS, INPUTS)[:, 2:], rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_of_any_amount_changes_no_number(kind: str) -> None:
    made = network(**KINDS[kind])
    nats = made.nats(SOURCE, LENGTHS, INPUTS, WANTED, VALID)
    wider = F.pad(SOURCE, (0, 4), value=PAD), LENGTHS
    longer = (F.pad(INPUTS, (0, 3), value=PAD), F.pad(WANTED, (0, 3), value=PAD), F.pad(VALID, (0, 3)))
    torch.testing.assert_close(made.nats(*wider, *longer), nats, rtol=0, atol=1e-10)
    dirty = torch.where(torch.arange(5) < LENGTHS.unsqueeze(1), SOURCE, 7)
    torch.testing.assert_close(made.nats(dirty, LENGTHS, INPUTS, WANTED, VALID), nats, rtol=0, atol=1e-10)
    each = made.sentence_nats(SOURCE, LENGTHS, INPUTS, WANTED, VALID)
    torch.testing.assert_close(each.sum().double(), nats.detach(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("size", [1, 3])
def test_beams_of_a_batch_are_those_of_each_sentence_alone(size: int) -> None:
    made, beam = network(), Beam(size, max_length=7, n_best=size)
    together = beam_search(made.step, made.encode(SOURCE, LENGTHS), 4, BOS, EOS, beam, (PAD, BOS), attention=True)
    for row in range(4):
        source, lengths = SOURCE[row : row + 1, : int(LENGTHS[row])], LENGTHS[row : row + 1]
        (alone,) = beam_search(made.step, made.encode(source, lengths), 1, BOS, EOS, beam, (PAD, BOS))
        assert [one.tokens for one in together[row]] == [one.tokens for one in alone]
        for one, other in zip(together[row], alone, strict=True):
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-9)
            assert one.attention is not None
            assert one.attention.shape[0] == len(one.tokens) + 1


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
def test_a_search_with_looked_up_steps_finds_what_one_with_copies_finds(positions: str) -> None:
    """In float32 by compiled code where there is some, in float64 by torch."""
    exact = network(positions=positions, hidden_size=32)
    beam, found = Beam(3, max_length=7, n_best=3), []
    for made in (exact, deepcopy(exact).float()):
        with torch.no_grad():
            state = made.encode(SOURCE, LENGTHS)
            found.append(beam_search(made.step, state, 4, BOS, EOS, beam, (PAD, BOS), attention=True))
    for own, others in zip(*found, strict=True):
        assert [one.tokens for one in own] == [one.tokens for one in others]
        for one, other in zip(own, others, strict=True):
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
            assert one.attention is not None
            assert other.attention is not None
            torch.testing.assert_close(other.attention.double(), one.attention, rtol=1e-3, atol=1e-4)


def test_a_beam_over_one_sentence_is_the_one_among_others() -> None:
    made, beam = network(hidden_size=32).float().eval(), Beam(3, max_length=7, n_best=3)
    with torch.no_grad():
        together = beam_search(made.step, made.encode(SOURCE, LENGTHS), 4, BOS, EOS, beam, (PAD, BOS))
        (alone,) = beam_search(made.step, made.encode(SOURCE[:1], LENGTHS[:1]), 1, BOS, EOS, beam, (PAD, BOS))
    assert [one.tokens for one in alone] == [one.tokens for one in together[0]]
    for one, other in zip(alone, together[0], strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)


def test_several_ids_go_on_from_one_step() -> None:
    made = network(hidden_size=32).float().eval()
    with torch.no_grad():
        _, state, _ = made.decoder(INPUTS[:, :1], made.encode(SOURCE, LENGTHS))
        features, _, _ = made.decoder(INPUTS[:, 1:], state)
        torch.testing.assert_close(made.output(features), made(SOURCE, LENGTHS, INPUTS)[:, 1:], rtol=1e-3, atol=1e-3)


def test_layers_of_the_decoder() -> None:
    def layers(**options: Any) -> tuple[int, int]:
        made = network(num_layers=3, **options)
        return len(made.encoder.layers.transformer.layers), len(made.decoder.layers.layers)

    assert layers() == (3, 3)
    assert layers(decoder_layers=1) == (3, 1)


def test_what_is_shared() -> None:
    made = network(tied=True)
    assert made.decoder.embedding.weight is made.output.weight
    made = TransformerTranslationOptions(hidden_size=WIDTH, num_heads=2, shared=True).build(TARGETS, TARGETS)
    assert made.encoder.embedding.weight is made.output.weight
    with pytest.raises(UserError, match="one vocabulary for both languages"):
        network(shared=True)


def test_it_learns_to_turn_sentences_around() -> None:
    torch.manual_seed(0)
    options = TransformerTranslationOptions(hidden_size=32, num_heads=2, num_layers=1, dropout=0.0, label_smoothing=0.0)
    made = options.build(SOURCES, SOURCES)
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3)
    lengths, valid = torch.full((32,), 5), torch.ones(32, 6, dtype=torch.bool)
    for seed in range(250):
        source = ids(SOURCES, 32, 5, seed=seed)
        target = torch.cat([torch.full((32, 1), BOS), source.flip(1), torch.full((32, 1), EOS)], 1)
        loss = made.nats(source, lengths, target[:, :-1], target[:, 1:], valid) / 192
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    made.eval()
    source = ids(SOURCES, 16, 5, seed=999)
    found = beam_search(made.step, made.encode(source, lengths[:16]), 16, BOS, EOS, Beam(max_length=8), (PAD, BOS))
    assert sum(best[0].tokens == row.flip(0).tolist() for best, row in zip(found, source, strict=True)) >= 15

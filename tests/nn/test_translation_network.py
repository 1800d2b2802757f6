import math
import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.decoding.beam import Beam, beam_search
from seqlab.errors import UserError
from seqlab.nn.translation_network import TranslationNetwork, TranslationOptions

SOURCES, TARGETS, WIDTH = 11, 13, 6
LENGTHS = torch.tensor([5, 2, 4, 1])
VALID = torch.arange(6) < torch.tensor([6, 3, 1, 5]).unsqueeze(1)
PAD, BOS, EOS = 1, 2, 3
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"attention": "none", "bidirectional": False},
    "plain, bidirectional": {"attention": "none"},
    "dot": {"attention": "dot", "bidirectional": False},
    "general": {"attention": "general"},
    "additive": {"attention": "additive"},
    "input feeding": {"attention": "general", "input_feeding": True},
    "deep": {"attention": "general", "num_layers": 3},
}


def network(**options: Any) -> TranslationNetwork:
    torch.manual_seed(0)
    given = {"hidden_size": WIDTH, "embedding_size": WIDTH, "dropout": 0.0, **options}
    return TranslationOptions(**given).build(SOURCES, TARGETS).double()


def ids(vocab: int, *shape: int, seed: int = 1) -> Tensor:
    return torch.randint(4, vocab, shape, generator=torch.Generator().manual_seed(seed))


SOURCE, INPUTS, WANTED = ids(SOURCES, 4, 5), ids(TARGETS, 4, 6, seed=2), ids(TARGETS, 4, 6, seed=3)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "mgu", "lstm_layer_norm"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_steps_at_once_are_one_step_after_the_other(kind: str, cell: str) -> None:
    made = network(cell=cell, **KINDS[kind])
    logits = made(SOURCE, LENGTHS, INPUTS)
    state = made.encode(SOURCE, LENGTHS)
    for t in range(INPUTS.shape[1]):
        log_probs, state, weights = made.step(INPUTS[:, t], state)
        torch.testing.assert_close(log_probs, logits[:, t].log_softmax(-1), rtol=0, atol=1e-12)
        if weights is not None:
            assert weights.shape == SOURCE.shape
            torch.testing.assert_close(weights.sum(-1), torch.ones(4).double(), rtol=0, atol=1e-12)
    assert (weights is None) == (KINDS[kind]["attention"] == "none")


@pytest.mark.parametrize("kind", KINDS)
def test_padding_of_any_amount_changes_no_number(kind: str) -> None:
    made = network(**KINDS[kind])
    nats = made.nats(SOURCE, LENGTHS, INPUTS, WANTED, VALID)
    wider = F.pad(SOURCE, (0, 4), value=PAD), LENGTHS
    longer = (F.pad(INPUTS, (0, 3), value=PAD), F.pad(WANTED, (0, 3), value=PAD), F.pad(VALID, (0, 3)))
    torch.testing.assert_close(made.nats(*wider, *longer), nats, rtol=0, atol=1e-11)
    dirty = torch.where(torch.arange(5) < LENGTHS.unsqueeze(1), SOURCE, 7)
    torch.testing.assert_close(made.nats(dirty, LENGTHS, INPUTS, WANTED, VALID), nats, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_alone_is_the_pair_of_a_batch(kind: str) -> None:
    made = network(**KINDS[kind])
    together = made.nats(SOURCE, LENGTHS, INPUTS, WANTED, VALID)
    alone = []
    for row in range(4):
        length, real = int(LENGTHS[row]), int(VALID[row].sum())
        cut = slice(row, row + 1), slice(real)
        pair = (SOURCE[row : row + 1, :length], LENGTHS[row : row + 1], INPUTS[cut], WANTED[cut], VALID[cut])
        alone.append(made.nats(*pair))
    torch.testing.assert_close(torch.stack(alone).sum(), together, rtol=0, atol=1e-11)


def test_the_masked_loss_by_hand() -> None:
    made = network(attention="none")
    for parameter in made.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        made.output.bias[4] = math.log(3.0)  # probabilities 3 / 15 and 1 / 15
    wanted = torch.full_like(WANTED, 5)
    wanted[0, 0] = 4
    real = int(VALID.sum())
    nats = made.nats(SOURCE, LENGTHS, INPUTS, wanted, VALID)
    assert float(nats.detach()) == pytest.approx((real - 1) * math.log(15) + math.log(5), abs=1e-12)


def test_label_smoothing_spreads_probability() -> None:
    made = network()
    given = SOURCE, LENGTHS, INPUTS, WANTED, VALID
    log_probs = made(SOURCE, LENGTHS, INPUTS).log_softmax(-1)[VALID]
    sharp = -log_probs.gather(1, WANTED[VALID].unsqueeze(1)).sum()
    even = -log_probs.mean(-1).sum()
    torch.testing.assert_close(made.nats(*given), sharp, rtol=0, atol=1e-12)
    torch.testing.assert_close(made.nats(*given, smoothing=0.1), 0.9 * sharp + 0.1 * even, rtol=0, atol=1e-12)


def test_scheduled_sampling_feeds_what_the_model_would_say() -> None:
    made = network()
    own = made._mixed(INPUTS, made.encode(SOURCE, LENGTHS), 1.0)
    expected = made(SOURCE, LENGTHS, INPUTS).argmax(-1)
    assert torch.equal(own[:, 0], INPUTS[:, 0])
    assert torch.equal(own[:, 1:], expected[:, :-1])
    given = SOURCE, LENGTHS, INPUTS, WANTED, VALID
    assert not torch.equal(made.nats(*given, sampling=0.5), made.nats(*given))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_right(kind: str) -> None:
    made = network(**KINDS[kind], embedding_size=3, hidden_size=3)
    names, weights = zip(*made.named_parameters(), strict=True)

    def run(*values: Tensor) -> Tensor:
        held = dict(zip(names, values, strict=True))
        logits: Tensor = torch.func.functional_call(made, held, (SOURCE[:2, :3], torch.tensor([3, 2]), INPUTS[:2, :3]))
        return logits.logsumexp(-1).sum()

    assert torch.autograd.gradcheck(run, weights, fast_mode=True)


@pytest.mark.parametrize("kind", ["dot", "general", "additive", "input feeding"])
def test_what_the_output_layer_sees_by_its_equation(kind: str) -> None:
    decoder = network(**KINDS[kind], cell="lstm").decoder
    encoder = network(**KINDS[kind], cell="lstm").encoder
    encoded = encoder(SOURCE, LENGTHS)
    features, state, weights = decoder(INPUTS[:, :1], decoder.first_state(encoded))
    assert decoder.combine is not None
    output = state.recurrent[0][-1]
    context = (weights[:, 0].unsqueeze(-1) * encoded.memory).sum(1)
    expected = torch.tanh(torch.cat([context, output], 1) @ decoder.combine.weight.t())
    torch.testing.assert_close(features[:, 0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_sentence_go_on_as_if_each_had_its_own_memory(kind: str) -> None:
    made, tokens = network(**KINDS[kind]), ids(TARGETS, 12)
    owner = torch.arange(4).repeat_interleave(3)
    shared = made.encode(SOURCE, LENGTHS).rows(owner, torch.arange(4))
    alone = [made.encode(SOURCE[row : row + 1], LENGTHS[row : row + 1]) for row in owner.tolist()]
    _, shared, _ = made.step(tokens, shared)
    alone = [made.step(tokens[row : row + 1], one)[1] for row, one in enumerate(alone)]
    kept = torch.tensor([5, 3, 3, 11, 9, 10])
    log_probs, _, weights = made.step(tokens[kept], shared.rows(kept, torch.tensor([1, 3])))
    for place, row in enumerate(kept.tolist()):
        wanted, _, seen = made.step(tokens[row : row + 1], alone[row])
        torch.testing.assert_close(log_probs[place], wanted[0], rtol=0, atol=1e-12)
        if weights is not None and seen is not None:
            torch.testing.assert_close(weights[place], seen[0], rtol=0, atol=1e-12)


def test_what_was_read_of_a_sentence_is_held_once() -> None:
    first = network().encode(SOURCE, LENGTHS)
    wide = first.rows(torch.arange(4).repeat_interleave(5), torch.arange(4))
    assert wide.recurrent[0].shape[1] == 20
    assert all(mine is theirs for mine, theirs in zip(wide[2:], first[2:], strict=True))
    fewer = wide.rows(torch.arange(5, 15), torch.tensor([1, 2]))
    assert [len(part) for part in fewer[1:]] == [10, 2, 2, 2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 3])
def test_decoding_does_not_depend_on_the_batch(kind: str, size: int) -> None:
    made, beam = network(**KINDS[kind]), Beam(size=size, max_length=7)
    together = beam_search(made.step, made.encode(SOURCE, LENGTHS), 4, BOS, EOS, beam)
    wide = F.pad(SOURCE, (0, 3), value=PAD)
    padded = beam_search(made.step, made.encode(wide, LENGTHS), 4, BOS, EOS, beam)
    for row in range(4):
        alone = made.encode(SOURCE[row : row + 1, : int(LENGTHS[row])], LENGTHS[row : row + 1])
        (found,) = beam_search(made.step, alone, 1, BOS, EOS, beam)
        for other in (together[row], padded[row]):
            assert [one.tokens for one in other] == [one.tokens for one in found]
            assert other[0].score == pytest.approx(found[0].score, abs=1e-10)


def test_tied_and_shared_embeddings() -> None:
    tied = network(tied=True)
    assert tied.decoder.embedding.weight is tied.output.weight
    torch.manual_seed(0)
    options: dict[str, Any] = {"hidden_size": WIDTH, "embedding_size": WIDTH}
    shared = TranslationOptions(shared=True, tied=True, **options).build(TARGETS, TARGETS)
    assert shared.encoder.embedding.weight is shared.decoder.embedding.weight is shared.output.weight


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"embedding_size": 0}, "embedding_size 0 must be a whole number of at least 1"),
        ({"dropout": 1.0}, "dropout 1.0 must be at least 0 and below 1"),
        (
            {"attention": "none", "input_feeding": True},
            "input_feeding needs attention; give --model.attention general or leave it out",
        ),
        (
            {"tied": True, "embedding_size": 4},
            "tied weights need embedding_size (4) equal to hidden_size (6); "
            "give --model.embedding_size 6 or leave out --model.tied",
        ),
        (
            {"shared": True},
            "a shared embedding needs one vocabulary for both languages; give --data.shared_vocab true",
        ),
        ({"attention": "dot"}, "attention dot needs queries (6) as wide as the memory (12); choose general"),
        ({"attention": "genral"}, "unknown attention 'genral': did you mean 'general'?"),
    ],
    ids=str,
)
def test_wrong_options(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        network(**wrong)

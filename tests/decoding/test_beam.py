import itertools
import math
import re
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from seqlab.decoding.beam import Beam, Hypothesis, beam_search
from seqlab.errors import UserError

BOS, EOS, VOCAB, POSITIONS = 0, 1, 5, 3


class Tables(NamedTuple):
    """A state: which sentence a row belongs to, and all it has read."""

    sentence: Tensor
    read: Tensor

    def rows(self, index: Tensor, sentences: Tensor) -> "Tables":
        return Tables(self.sentence[index], self.read[index])


def _distribution(sentence: int, read: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Log-probabilities and attention weights that depend on everything read so far."""
    number = sum((token + 1) * 7**place for place, token in enumerate((sentence, *read)))
    generator = torch.Generator().manual_seed(number)
    logits = torch.randn(VOCAB, generator=generator, dtype=torch.float64)
    weights = torch.randn(POSITIONS, generator=generator, dtype=torch.float64)
    return logits.log_softmax(0), weights.softmax(0)


def step(tokens: Tensor, state: Tables) -> tuple[Tensor, Tables, Tensor]:
    read = torch.cat([state.read, tokens.unsqueeze(1)], 1)
    pairs = [_distribution(int(s), tuple(row)) for s, row in zip(state.sentence, read.tolist(), strict=True)]
    log_probs, weights = (torch.stack(column) for column in zip(*pairs, strict=True))
    return log_probs, Tables(state.sentence, read), weights


def search(sentences: list[int], beam: Beam, **options: Any) -> list[list[Hypothesis]]:
    state = Tables(torch.tensor(sentences), torch.empty(len(sentences), 0, dtype=torch.int64))
    return beam_search(step, state, len(sentences), BOS, EOS, beam, **options)


def brute_force(sentence: int, beam: Beam, banned: tuple[int, ...] = (), prefix: tuple[int, ...] = ()) -> list[Any]:
    """Every sentence that may be said, with its score, best first."""
    found = []
    for length in range(beam.max_length + 1):
        for tokens in itertools.product([t for t in range(VOCAB) if t != EOS], repeat=length):
            if length < beam.min_length or tokens[: len(prefix)] != prefix or set(tokens[len(prefix) :]) & set(banned):
                continue
            grams = list(zip(*(tokens[k:] for k in range(beam.no_repeat_ngram)), strict=False))
            if beam.no_repeat_ngram and len(set(grams)) < len(grams):
                continue
            total, covered, read = 0.0, torch.zeros(POSITIONS, dtype=torch.float64), [BOS]
            for token in (*tokens, EOS):
                log_probs, weights = _distribution(sentence, tuple(read))
                total += float(log_probs[token])
                covered += weights
                read.append(token)
            penalty = ((5 + length + 1) / 6) ** beam.length_penalty
            coverage = beam.coverage_penalty * float(covered.clamp(max=1).log().sum())
            found.append((total / penalty + coverage, total, list(tokens)))
    return sorted(found, key=lambda one: -one[0])


WIDE = VOCAB**4
PENALTIES: dict[str, dict[str, Any]] = {
    "none": {},
    "length": {"length_penalty": 1.0},
    "length below zero": {"length_penalty": -0.7},
    "coverage": {"coverage_penalty": 0.4},
    "both": {"length_penalty": 0.6, "coverage_penalty": 0.2},
    "min_length": {"min_length": 2},
    "no_repeat_ngram 1": {"no_repeat_ngram": 1},
    "no_repeat_ngram 2": {"no_repeat_ngram": 2, "length_penalty": 1.0},
}


@pytest.mark.parametrize("name", PENALTIES)
def test_a_wide_beam_is_exhaustive_search(name: str) -> None:
    beam = Beam(size=WIDE, max_length=3, n_best=4, **PENALTIES[name])
    for sentence, found in enumerate(search([0, 1, 2], beam)):
        expected = brute_force(sentence, beam)[:4]
        assert [one.tokens for one in found] == [tokens for *_, tokens in expected]
        assert [one.score for one in found] == pytest.approx([score for score, *_ in expected], abs=1e-12)
        assert [one.log_probability for one in found] == pytest.approx([total for _, total, _ in expected], abs=1e-12)


def test_a_wide_beam_with_prefix_and_banned_ids() -> None:
    beam = Beam(size=WIDE, max_length=3, n_best=2)
    (found,) = search([4], beam, banned=(3, BOS), prefix=(3,))
    expected = brute_force(4, beam, banned=(3, BOS), prefix=(3,))[:2]
    assert [one.tokens for one in found] == [tokens for *_, tokens in expected]
    assert all(one.tokens[0] == 3 and 3 not in one.tokens[1:] for one in found)


def greedy(sentence: int, max_length: int) -> list[int]:
    read = [BOS]
    while len(read) <= max_length:
        token = int(_distribution(sentence, tuple(read))[0].argmax())
        if token == EOS:
            break
        read.append(token)
    return read[1:]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_beam_one_is_greedy(length_penalty: float) -> None:
    sentences = list(range(12))
    found = search(sentences, Beam(size=1, max_length=8, length_penalty=length_penalty))
    assert [one[0].tokens for one in found] == [greedy(sentence, 8) for sentence in sentences]
    assert len({len(one[0].tokens) for one in found}) > 2


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_sentence_alone_is_the_sentence_in_a_batch(size: int) -> None:
    beam = Beam(size=size, max_length=9, length_penalty=0.8, coverage_penalty=0.1, n_best=min(size, 2))
    together = search(list(range(8)), beam, attention=True)
    for sentence in range(8):
        (alone,) = search([sentence], beam, attention=True)
        assert [one.tokens for one in alone] == [one.tokens for one in together[sentence]]
        assert [one.score for one in alone] == [one.score for one in together[sentence]]


def test_wider_beams_find_likelier_sentences() -> None:
    mean = {}
    for size in (1, 4, 16, 64):
        found = search(list(range(20)), Beam(size=size, max_length=6))
        mean[size] = sum(one[0].log_probability for one in found) / 20
    assert mean[1] < mean[4] <= mean[16] <= mean[64]


def test_attention_belongs_to_its_tokens() -> None:
    found = search([3, 5], Beam(size=4, max_length=6, n_best=3), attention=True)
    for sentence, hypotheses in zip((3, 5), found, strict=True):
        for one in hypotheses:
            read = (BOS, *one.tokens)
            expected = torch.stack([_distribution(sentence, read[:k])[1] for k in range(1, len(read) + 1)])
            assert one.attention is not None
            torch.testing.assert_close(one.attention, expected, rtol=0, atol=0)


def test_finished_sentences_leave_the_batch() -> None:
    rows: list[int] = []

    def counted(tokens: Tensor, state: Tables) -> tuple[Tensor, Tables, Tensor]:
        rows.append(len(tokens))
        return step(tokens, state)

    sentences = list(range(12))
    state = Tables(torch.tensor(sentences), torch.empty(12, 0, dtype=torch.int64))
    beam_search(counted, state, 12, BOS, EOS, Beam(size=2, max_length=20))
    assert rows[0] == 12  # before the first token a sentence is one row
    assert 12 < rows[1] <= 24
    assert rows[1:] == sorted(rows[1:], reverse=True)
    assert rows[-1] < 24
    assert len(rows) < 21


def test_max_length_forces_the_end() -> None:
    (found,) = search([7], Beam(size=3, max_length=2, min_length=2, n_best=3))
    assert all(len(one.tokens) == 2 for one in found)
    assert all(math.isfinite(one.score) for one in found)


def test_a_model_without_attention() -> None:
    def bare(tokens: Tensor, state: Tables) -> tuple[Tensor, Tables, None]:
        log_probs, state, _ = step(tokens, state)
        return log_probs, state, None

    state = Tables(torch.tensor([0]), torch.empty(1, 0, dtype=torch.int64))
    assert beam_search(bare, state, 1, BOS, EOS, Beam())[0][0].attention is None
    with pytest.raises(UserError, match="need a model with attention"):
        beam_search(bare, state, 1, BOS, EOS, replace(Beam(), coverage_penalty=0.1))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": 0}, "beam_size 0 must be a whole number of at least 1"),
        ({"max_length": 0}, "max_length 0 must be a whole number of at least 1"),
        ({"n_best": 2}, "n_best 2 must be at most beam_size 1"),
        ({"min_length": 9, "max_length": 3}, "min_length 9 must be at most max_length 3"),
        ({"coverage_penalty": -1.0}, "coverage_penalty -1.0 must be at least 0"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram -1 must be a whole number of at least 0"),
    ],
    ids=str,
)
def test_wrong_options(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        Beam(**wrong)


MANY = 1500


def wide_step(tokens: Tensor, state: Tables) -> tuple[Tensor, Tables, Tensor]:
    """As ``step``, of many ids: the last token, how many came before it and the sentence say which follow."""
    read = torch.cat([state.read, tokens.unsqueeze(1)], 1)
    names = zip(state.sentence.tolist(), tokens.tolist(), strict=True)
    seeds = [sentence * 10**6 + read.shape[1] * 10**4 + token for sentence, token in names]
    draws = [torch.randn(MANY, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in seeds]
    logits = 3 * torch.stack(draws)
    logits[:, EOS] += 6
    return logits.log_softmax(1), Tables(state.sentence, read), logits[:, :POSITIONS].softmax(1)


def one_at_a_time(sentence: int, beam: Beam, banned: tuple[int, ...]) -> list[Any]:
    """The search as a loop over hypotheses, all continuations of which are sorted."""
    live: list[Any] = [(0.0, [], torch.zeros(POSITIONS).double())]
    done: list[Any] = []
    for length in range(beam.max_length + 1):
        found = []
        for total, tokens, covered in live:
            read = torch.tensor([[BOS, *tokens][:-1]], dtype=torch.int64)
            last = torch.tensor([[BOS, *tokens][-1]])
            log_probs, _, weights = wide_step(last, Tables(torch.tensor([sentence]), read))
            for token, log_prob in enumerate(log_probs[0].tolist()):
                ends = token == EOS
                if token in banned or (length == beam.max_length and not ends) or (length < beam.min_length and ends):
                    continue
                if not (beam.no_repeat_ngram == 1 and token in tokens):
                    found.append((total + log_prob, [*tokens, token], covered + weights[0]))
        found.sort(key=lambda one: -one[0])
        for total, tokens, covered in found[: beam.size]:
            if tokens[-1] == EOS:
                coverage = beam.coverage_penalty * float(covered.clamp(max=1).log().sum())
                done.append((total / beam.lengthened(length + 1) + coverage, tokens[:-1]))
        live = [one for one in found if one[1][-1] != EOS][: beam.size]
        worst = sorted((score for score, _ in done), reverse=True)[beam.n_best - 1 : beam.n_best]
        if len(done) >= beam.size or not live:
            break
        if worst and beam.bound(live[0][0], length + 2, beam.max_length) <= worst[0]:
            break
    return sorted(done, key=lambda one: -one[0])[: beam.n_best]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("none", "both", "min_length") else [pytest.mark.slow])
        for name in PENALTIES
        if name != "no_repeat_ngram 2"
    ],
)
def test_the_search_of_many_words_is_the_search_one_hypothesis_at_a_time(name: str) -> None:
    beam = Beam(size=4, max_length=6, n_best=3, **PENALTIES[name])
    state = Tables(torch.arange(3), torch.empty(3, 0, dtype=torch.int64))
    together = beam_search(wide_step, state, 3, BOS, EOS, beam, banned=(BOS, 7))
    assert len({len(found[0].tokens) for found in together}) > 1
    for sentence, found in enumerate(together):
        expected = one_at_a_time(sentence, beam, (BOS, 7))
        assert [one.tokens for one in found] == [tokens for _, tokens in expected]
        assert [one.score for one in found] == pytest.approx([score for score, _ in expected], abs=1e-12)


@pytest.mark.parametrize("size", [1, 3])
def test_where_all_that_may_follow_is_forbidden_the_best_so_far_stands_incomplete(size: int) -> None:
    beam = Beam(size=size, max_length=9, min_length=8, no_repeat_ngram=1, n_best=size)
    for sentence, found in enumerate(search([0, 1, 2], beam, banned=(BOS,), attention=True)):
        assert len(found) == size
        for one in found:
            assert not one.complete
            assert sorted(one.tokens) == [2, 3, 4]
            steps = [_distribution(sentence, (BOS, *one.tokens[:k]))[0][one.tokens[k]] for k in range(3)]
            assert one.log_probability == pytest.approx(float(sum(steps)), abs=1e-12)
            assert one.attention is not None
            assert one.attention.shape == (4, POSITIONS)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_one_sentence_at_a_dead_end_leaves_the_others_as_they_are() -> None:
    def dead_end(tokens: Tensor, state: Tables) -> tuple[Tensor, Tables, Tensor]:
        log_probs, state, weights = step(tokens, state)
        blocked = (state.sentence == 1) & (state.read.shape[1] > 2)
        return log_probs.masked_fill(blocked.unsqueeze(1), -torch.inf), state, weights

    beam, sentences = Beam(size=2, max_length=6, min_length=3, n_best=2), torch.arange(3)
    found = beam_search(dead_end, Tables(sentences, torch.empty(3, 0, dtype=torch.int64)), 3, BOS, EOS, beam)
    alone = search([0, 1, 2], beam)
    assert [found[0], found[2]] == [alone[0], alone[2]]
    assert all(one.complete for one in (*found[0], *found[2]))
    assert [(len(one.tokens), one.complete) for one in found[1]] == [(2, False)] * 2


def test_a_model_without_words_says_nothing() -> None:
    (found,) = search([0], Beam(min_length=2, max_length=3), banned=(BOS, 2, 3, 4))
    assert [(one.tokens, one.complete) for one in found] == [([], False)]


def test_a_model_that_gives_no_numbers_is_refused() -> None:
    def broken(tokens: Tensor, state: Tables) -> tuple[Tensor, Tables, Tensor]:
        log_probs, state, weights = step(tokens, state)
        return log_probs * torch.nan, state, weights

    with pytest.raises(UserError, match=r"gives no numbers \(NaN\)"):
        beam_search(
            broken, Tables(torch.tensor([0]), torch.empty(1, 0, dtype=torch.int64)), 1, BOS, EOS, Beam(2, max_length=3)
        )


def test_the_source_gives_room_beyond_max_length_and_what_is_cut_is_marked() -> None:
    def endless(tokens: Tensor, state: Tables) -> tuple[Tensor, Tables, Tensor]:
        log_probs, state, weights = step(tokens, state)
        likely = torch.where((state.read.shape[1] > 3) & (state.sentence == 2), 0.0, -9.0).double()
        return log_probs.index_copy(1, torch.tensor([EOS]), likely.unsqueeze(1)), state, weights

    beam, sentences = Beam(max_length=3, length_factor=1.5, length_addend=1), torch.arange(3)
    state = Tables(sentences, torch.empty(3, 0, dtype=torch.int64))
    found = beam_search(endless, state, 3, BOS, EOS, beam, source_lengths=[1, 5, 5])
    assert [(len(one.tokens), one.complete) for (one,) in found] == [(3, False), (9, False), (3, True)]
    assert [beam.most(source) for source in (0, 1, 2, 3)] == [3, 3, 4, 6]


def test_a_sentence_that_would_end_where_it_must_is_complete() -> None:
    sentence = next(one for one in range(99) if len(greedy(one, 9)) == 4)
    (whole,), (cut,) = (search([sentence], Beam(max_length=most))[0] for most in (4, 3))
    assert (whole.tokens, whole.complete) == (greedy(sentence, 9), True)
    assert (cut.tokens, cut.complete) == (whole.tokens[:3], False)

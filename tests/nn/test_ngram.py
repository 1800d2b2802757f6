from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.errors import UserError
from seqlab.nn.gram_levels import FALLBACK, discounts
from seqlab.nn.ngram import NGram

VOCAB = 6


def counted(ids: Sequence[int], order: int, smoothing: str, vocab_size: int = VOCAB) -> NGram:
    model = NGram(vocab_size, order, smoothing)
    model.count(torch.tensor(ids))
    return model


def after(model: NGram, contexts: Tensor) -> Tensor:
    """p of every token ``(rows, vocab_size)`` after contexts ``(rows, order - 1)``."""
    return model.after(F.pad(contexts, (1, 0), value=-1))[0][:, -1]


def p(model: NGram, context: Sequence[int], target: int) -> float:
    return float(after(model, torch.tensor([context]))[0, target])


def random_text(size: int = 400) -> list[int]:
    weights = torch.tensor([0.0, 8.0, 4.0, 2.0, 1.0, 0.3])
    return torch.multinomial(weights, size, replacement=True, generator=torch.Generator().manual_seed(3)).tolist()


def kneser_ney(text: list[int], order: int, context: tuple[int, ...], target: int) -> float:
    """The formulas of Chen & Goodman 1998, one count at a time."""
    m = len(context) + 1
    grams = [tuple(text[i : i + m]) for i in range(len(text) - m + 1)]
    if m < order:
        grams = [gram[1:] for gram in {tuple(text[i : i + m + 1]) for i in range(len(text) - m)}]
    counts = Counter(grams)
    lower = kneser_ney(text, order, context[1:], target) if m > 1 else 1 / VOCAB
    after = {gram[-1]: c for gram, c in counts.items() if gram[:-1] == context}
    if not after:
        return lower
    taken = discounts(torch.tensor(list(counts.values())))
    kinds: dict[int, int] = defaultdict(int)
    for c in after.values():
        kinds[min(c, 3)] += 1
    c, total = after.get(target, 0), sum(after.values())
    gamma = sum(taken[k - 1] * kinds[k] for k in (1, 2, 3)) / total
    return (max(c - taken[min(c, 3) - 1], 0) / total if c else 0.0) + gamma * lower


def test_kneser_ney_by_hand() -> None:
    model = counted([1, 2, 1, 3], 2, "kneser_ney", 4)  # "a b a c" and <unk>; each discount is 1/2
    assert p(model, [2], 1) == pytest.approx(1 / 2 + 1 / 2 * 7 / 24)  # after "b" only "a" came, once
    assert p(model, [1], 2) == pytest.approx(1 / 4 + 1 / 2 * 7 / 24)  # p(b) = (1 - 1/2) / 3 + 1/2 * 1/4 = 7/24
    assert p(model, [1], 0) == pytest.approx(1 / 2 * 1 / 8)
    assert p(model, [3], 1) == pytest.approx(7 / 24)  # nothing followed "c"
    assert p(model, [-1], 1) == pytest.approx(7 / 24)


def test_francisco_follows_san_alone() -> None:
    """A frequent word that follows one word is less likely elsewhere than a rarer one that follows many."""
    san, francisco, glasses = 1, 2, 3
    text = [san, francisco] * 20 + [4, glasses, 5, glasses, 6, glasses, 7, glasses]
    model = counted(text, 2, "kneser_ney", 9)
    assert text.count(francisco) > text.count(glasses)
    assert p(model, [8], glasses) > p(model, [8], francisco)
    assert p(model, [san], francisco) > 0.9


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_kneser_ney_is_the_formula(order: int, packs: bool) -> None:
    text = random_text()
    model = NGram(VOCAB, order, "kneser_ney")
    model._packs = packs
    model.count(torch.tensor(text))
    unseen = torch.randint(1, VOCAB, (8, order - 1), generator=torch.Generator().manual_seed(order))
    seen = torch.tensor([text[row : row + order - 1] for row in range(0, 80, 10)], dtype=torch.int64).view(8, order - 1)
    contexts = torch.cat([unseen, seen])
    for context, row in zip(contexts.tolist(), after(model, contexts).tolist(), strict=True):
        assert row == pytest.approx([kneser_ney(text, order, tuple(context), w) for w in range(VOCAB)])


def test_the_formula_is_tested_with_estimated_discounts() -> None:
    levels = counted(random_text(), 4, "kneser_ney").levels()
    assert any(level.discounts[1:].tolist() != list(FALLBACK) for level in levels)


@pytest.mark.parametrize("smoothing", ["none", "laplace", "kneser_ney"])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_sums_to_one(smoothing: str, order: int) -> None:
    model = counted(random_text(), order, smoothing)
    contexts = torch.randint(-1, VOCAB, (50, order - 1), generator=torch.Generator().manual_seed(order))
    sums = after(model, contexts).sum(1)
    if smoothing == "none":
        sums = sums[sums > 0]
    assert len(sums)
    assert sums.tolist() == pytest.approx([1.0] * len(sums), abs=1e-12)


def test_laplace_and_frequencies_by_hand() -> None:
    text = [1, 2, 1, 3, 1, 2]
    assert p(counted(text, 2, "none"), [1], 2) == pytest.approx(2 / 3)
    assert p(counted(text, 2, "laplace"), [1], 2) == pytest.approx((2 + 1) / (3 + VOCAB))
    assert p(counted(text, 2, "laplace"), [4], 2) == pytest.approx(1 / VOCAB)
    assert p(counted(text, 3, "none"), [-1, 1], 2) == pytest.approx(2 / 3)


def test_unsmoothed_unseen_events_are_impossible() -> None:
    model = counted([1, 2, 1, 3], 2, "none")
    assert p(model, [1], 4) == 0
    assert after(model, torch.tensor([[4]])).sum() == 0


def test_counts_are_plain_tensors_and_come_back() -> None:
    model = counted(random_text(), 3, "kneser_ney")
    kept = model.state_dict()
    assert {tensor.dtype for tensor in kept.values() if tensor.numel()} == {torch.int64}
    again = NGram(VOCAB, 3, "kneser_ney")
    again.load_state_dict(kept)
    contexts = torch.tensor([[1, 2], [3, 1]])
    assert torch.equal(after(again, contexts), after(model, contexts))


def test_refusals() -> None:
    with pytest.raises(UserError, match="order 0 must be a whole number of at least 1"):
        NGram(10, 0)
    with pytest.raises(UserError, match="unknown smoothing 'kneserney': did you mean 'kneser_ney'?"):
        NGram(10, 2, "kneserney")


def nats(model: NGram, text: Sequence[int]) -> Tensor:
    """Nats of each token of a text after its first ``(1, tokens - 1)``."""
    return model.token_nats(torch.tensor([text[:-1]]), torch.tensor([text[1:]]))[0]


def test_order_5_over_a_large_vocabulary() -> None:
    vocab_size, text = 49_999 * VOCAB, random_text()
    spread = [id_ * 49_999 for id_ in text]
    large, small = counted(spread, 5, "laplace", vocab_size), counted(text, 5, "laplace", vocab_size)
    assert torch.equal(nats(large, spread), nats(small, text))
    smooth, known = counted(text, 5, "kneser_ney", vocab_size), counted(text, 4, "kneser_ney", vocab_size)
    again = NGram(vocab_size, 5, "kneser_ney")
    again.load_state_dict(smooth.state_dict())
    assert torch.equal(nats(again, text), nats(smooth, text))
    assert not torch.equal(nats(known, text), nats(smooth, text))


@pytest.mark.parametrize("smoothing", ["none", "laplace", "kneser_ney"])
def test_how_grams_are_kept_changes_no_probability(smoothing: str) -> None:
    text = random_text()
    packed, plain = NGram(VOCAB, 4, smoothing), NGram(VOCAB, 4, smoothing)
    plain._packs = False
    for model in (packed, plain):
        model.count(torch.tensor(text))
    assert not torch.equal(packed.get_buffer("keys_3"), plain.get_buffer("keys_3"))
    assert torch.equal(nats(packed, text[1:]), nats(plain, text[1:]))


def test_grams_do_not_cross_the_beginning_of_an_item() -> None:
    begin = 5
    model = NGram(VOCAB, 2, "none")
    model.count(torch.tensor([begin, 1, 2, begin, 2, 2]), begin)
    assert p(model, [begin], 1) == p(model, [begin], 2) == 0.5
    assert p(model, [2], 2) == 1
    assert p(model, [2], begin) == 0


def test_what_begins_items_is_counted_by_its_occurrences() -> None:
    """Nothing precedes <bos>, so that grams from it on follow no tokens; each of 9 items begins with 2, one with 3."""
    begin, items = 1, [[1, 2, 3, 3, 0], *[[1, 2, 3, 0]] * 8, [1, 3, 3, 0]]
    model = NGram(4, order=4)
    model.count(torch.tensor([token for item in items for token in item]), begin)
    after_begin = after(model, torch.tensor([[-1, -1, begin]]))
    assert float(after_begin[0, 2]) > 0.75
    assert float(after_begin.sum()) == pytest.approx(1)
    assert [int(count) for count in model.levels()[1].counts[model.levels()[1].keys // 4 == begin]] == [9, 1]

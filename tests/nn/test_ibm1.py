import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.nn import expectation, ibm1
from seqlab.nn.expectation import BOS, EOS, PAD, UNK
from seqlab.nn.ibm1 import LENGTH_PRIOR, PRIOR, IBM1Options

Pairs = list[tuple[list[int], list[int]]]
DAS, HAUS, BUCH, EIN = range(4, 8)
THE, HOUSE, BOOK, A = range(4, 8)
TOY: Pairs = [([DAS, HAUS], [THE, HOUSE]), ([DAS, BUCH], [THE, BOOK]), ([EIN, BUCH], [A, BOOK])]
SIZE = 8


def counted(pairs: Pairs, size: int = SIZE, iterations: int = 5, unigram: float = 0.03) -> ibm1.IBM1:
    model = IBM1Options(iterations, unigram).build(size, size)
    model.count([s for s, _ in pairs], [f for _, f in pairs])
    return model


def random_pairs(sentences: int = 60, size: int = 12) -> Pairs:
    rng = np.random.default_rng(5)
    rows = [rng.choice([UNK, *range(4, size - 1)], size=n).tolist() for n in rng.integers(1, 7, 2 * sentences)]
    return list(zip(rows[::2], rows[1::2], strict=True))


def expectation_maximization(
    pairs: Pairs, null: int, iterations: int = 5
) -> tuple[dict[tuple[int, int], float], dict[int, float]]:
    """t(f | e) and the expected number of words of each e, one word at a time."""
    t: dict[tuple[int, int], float] = defaultdict(lambda: 1.0)
    totals: dict[int, float] = {}
    for _ in range(iterations):
        counts: dict[tuple[int, int], float] = defaultdict(float)
        for source, target in pairs:
            words = [*source, null]
            for f in target:
                whole = sum(t[e, f] for e in words)
                for e in words:
                    counts[e, f] += t[e, f] / whole
        totals = defaultdict(float)
        for (e, _), count in counts.items():
            totals[e] += count
        t = defaultdict(float, {(e, f): count / totals[e] for (e, f), count in counts.items()})
    return t, totals


def end_probability(pairs: Pairs, l: int, m: int) -> float:  # noqa: E741
    shapes = [(len(s), len(f)) for s, f in pairs]
    every = len(shapes) / sum(f + 1 for _, f in shapes)
    ended, reached = sum(f - s == m - l for s, f in shapes), sum(f - s >= m - l for s, f in shapes)
    coarse = (ended + LENGTH_PRIOR * every) / (reached + LENGTH_PRIOR)
    ended, reached = sum(shape == (l, m) for shape in shapes), sum(s == l and f >= m for s, f in shapes)
    return (ended + LENGTH_PRIOR * coarse) / (reached + LENGTH_PRIOR)


def sentence_nats(pairs: Pairs, size: int, source: list[int], target: list[int], unigram: float = 0.03) -> float:
    """-log p of a sentence and its end, by the formulas of the class one word at a time."""
    t, totals = expectation_maximization(pairs, size)
    seen = Counter(f for _, words in pairs for f in words)
    words = [f for f in range(size) if f not in (PAD, BOS, EOS)]
    nats = 0.0
    for m, f in enumerate(target):
        u = (seen[f] + 1) / sum(seen[word] + 1 for word in words)
        each = [(totals.get(e, 0) * t.get((e, f), 0) + PRIOR * u) / (totals.get(e, 0) + PRIOR) for e in [*source, size]]
        p = (1 - unigram) * sum(each) / (len(source) + 1) + unigram * u
        nats -= math.log(p * (1 - end_probability(pairs, len(source), m)))
    return nats - math.log(end_probability(pairs, len(source), len(target)))


def batch(pairs: Pairs, padding: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    def padded(rows: Sequence[list[int]]) -> Tensor:
        longest = max(map(len, rows)) + padding
        return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])

    lengths = torch.tensor([len(s) + 1 for s, _ in pairs])
    targets = padded([[*f, EOS] for _, f in pairs])
    valid = torch.arange(targets.shape[1]) < torch.tensor([[len(f) + 1] for _, f in pairs])
    return padded([[*s, EOS] for s, _ in pairs]), lengths, padded([[BOS, *f] for _, f in pairs]), targets, valid


def table(model: ibm1.IBM1, size: int) -> Tensor:
    return model.t(torch.arange(size + 1).unsqueeze(1), torch.arange(size))


def test_one_pass_over_the_toy_by_hand() -> None:
    """Each of the six target words is shared evenly by its three source words."""
    model = counted(TOY, iterations=1)
    for e, f, t in ((DAS, THE, 1 / 2), (DAS, HOUSE, 1 / 4), (HAUS, THE, 1 / 2), (BUCH, BOOK, 1 / 2), (DAS, A, 0)):
        assert float(model.t(torch.tensor(e), torch.tensor(f))) == pytest.approx(t)
    assert table(model, SIZE)[SIZE, 4:].tolist() == pytest.approx([1 / 3, 1 / 6, 1 / 3, 1 / 6])


@pytest.mark.parametrize("iterations", [1, 2, 5, 20])
def test_the_toy_is_expectation_maximization(iterations: int) -> None:
    model = counted(TOY, iterations=iterations)
    t, totals = expectation_maximization(TOY, SIZE, iterations)
    expected = [[t.get((e, f), 0.0) for f in range(SIZE)] for e in range(SIZE + 1)]
    torch.testing.assert_close(table(model, SIZE), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9)
    assert model.known().totals.tolist() == pytest.approx([totals.get(e, 0.0) for e in range(SIZE + 1)])


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, size = random_pairs(), 12
    whole = counted(pairs, size)
    monkeypatch.setattr(expectation, "BLOCK", 37)
    assert len(expectation.blocks_of([s for s, _ in pairs], [f for _, f in pairs], size, size)[1]) > 10
    torch.testing.assert_close(table(counted(pairs, size), size), table(whole, size), rtol=0, atol=1e-12)
    t, _ = expectation_maximization(pairs, size)
    expected = [[t.get((e, f), 0.0) for f in range(size)] for e in range(size + 1)]
    torch.testing.assert_close(table(whole, size), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9)


def test_arrays_count_as_lists_do() -> None:
    pairs = random_pairs()
    model = IBM1Options().build(12, 12)
    model.count(*([np.array(row, dtype=np.uint8) for row in side] for side in zip(*pairs, strict=True)))
    for name, values in counted(pairs, 12).state_dict().items():
        assert torch.equal(model.state_dict()[name], values)


def test_threads_change_nothing() -> None:
    pairs, threads = random_pairs(2000, 40), torch.get_num_threads()
    states = []
    for count in (1, 3):
        torch.set_num_threads(count)
        model = counted(pairs, 40)
        states.append([*model.state_dict().values(), model.sentence_nats(*batch(pairs[:500]))])
    torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))


@pytest.mark.parametrize("source", [[], [DAS, HAUS], [EIN, 11, UNK, DAS, DAS]])
@pytest.mark.parametrize("m", [0, 2, 9])
def test_the_vocabulary_sums_to_one(source: list[int], m: int) -> None:
    size = 12
    model = counted(random_pairs(size=size), size)
    rows = torch.tensor([[*source, EOS]]).expand(size, -1)
    targets = torch.full((size, m + 1), 5)
    targets[:, m] = torch.arange(size)
    p = model.probabilities(rows, torch.full((size,), len(source) + 1), targets)[:, m]
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)
    assert p.gt(0).tolist() == [f not in (PAD, BOS) for f in range(size)]


def test_nats_are_the_formulas() -> None:
    pairs, size = random_pairs(), 12
    model = counted(pairs, size)
    held = [([5, 6], [7]), ([8], [UNK, 5, 6, 7]), ([4, 9, 11, 10], [9, 9, 11]), ([5], []), ([4] * 9, [5] * 12)]
    expected = [sentence_nats(pairs, size, s, f) for s, f in held]  # 11 never occurs in training
    assert model.sentence_nats(*batch(held)).tolist() == pytest.approx(expected, rel=1e-12)
    assert model.nats(*batch(held)).item() == pytest.approx(sum(expected), rel=1e-12)
    model.nats(*batch(held)).backward()  # a Trainer asks for it


def test_the_share_of_unigrams_counts() -> None:
    pairs = random_pairs()
    model = counted(pairs, 12, unigram=0.4)
    assert model.nats(*batch(pairs[:1])).item() == pytest.approx(sentence_nats(pairs, 12, *pairs[0], unigram=0.4))


def test_padding_and_neighbours_change_nothing() -> None:
    pairs = random_pairs()
    model = counted(pairs, 12)
    together = model.sentence_nats(*batch(pairs[:9]))
    torch.testing.assert_close(model.sentence_nats(*batch(pairs[:9], padding=4)), together, rtol=1e-13, atol=0)
    alone = torch.cat([model.sentence_nats(*batch([pair])) for pair in pairs[:9]])
    torch.testing.assert_close(alone, together, rtol=1e-13, atol=0)
    source, lengths, inputs, targets, valid = batch(pairs[:9])
    valid[0] = False
    none = model.sentence_nats(source, lengths, inputs, targets, valid)
    assert float(none[0]) == 0
    torch.testing.assert_close(none[1:], together[1:])


def test_a_known_length_ends_where_its_sentences_did() -> None:
    model = counted([([4], [5, 5])] * 1000 + [([4, 4], [5])] * 1000)
    h = model.end_probabilities(torch.tensor([[1], [2]]), torch.arange(4))
    assert h.dtype == torch.float64
    assert h[0, 3] == pytest.approx(2000 / 5000)  # no sentence got there
    assert h[0, 2] > 0.99 > 0.01 > h[0, 1]
    assert h[1, 1] > 0.99 > 0.01 > h[1, 0]
    assert ((h > 0) & (h < 1)).all()


def test_the_toy_is_translated_word_for_word() -> None:
    model = counted(TOY)
    assert model.translate_ids([[EIN, HAUS], [DAS], []]) == [[A, HOUSE], [THE], []]
    assert model.translate_ids([[BUCH, DAS, UNK, PAD, EOS]]) == [[BOOK, THE]]  # the rest never occurred


def test_what_null_says_as_well_is_left_out_and_reserved_tokens_are_never_said() -> None:
    model = counted([([4], [6]), ([4, 5], [6]), ([7], [UNK, UNK, 5])])
    t = table(model, SIZE)
    assert t[5, 6] == 1  # it says nothing else, but NULL and 4 say it too
    assert model.translate_ids([[4], [7]]) == [[6], [5]]
    assert t[7].argmax() == UNK
    alike = counted([([4], [6]), ([5], [6])])
    assert table(alike, SIZE)[[4, 5, SIZE], 6].tolist() == [1, 1, 1]
    assert alike.translate_ids([[4, 5]]) == [[]]


def test_of_equal_words_the_lower_id_is_said() -> None:
    model = counted([([4], [7, 6]), ([5], [5])])
    assert model.t(torch.tensor(4), torch.tensor([6, 7])).tolist() == pytest.approx([0.5, 0.5])
    assert model.translate_ids([[4]]) == [[6]]


def test_the_end_inside_a_sentence_is_no_word() -> None:
    model = counted([([4], [5, EOS, 6]), ([4], [5])])
    assert float(table(model, SIZE)[:, EOS].sum()) == 0


def test_state_round_trip() -> None:
    pairs = random_pairs()
    model, other = counted(pairs, 12), counted(TOY, 12)
    held = batch(pairs[:5])
    assert other.translate_ids([[4]])
    assert other.nats(*held).item() != model.nats(*held).item()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.nats(*held), model.nats(*held))
    sources = [s for s, _ in pairs]
    assert other.translate_ids(sources) == model.translate_ids(sources)


def test_a_lower_precision_keeps_the_counts() -> None:
    pairs = random_pairs()
    model = counted(pairs, 12)
    before = model.sentence_nats(*batch(pairs[:5]))
    model.load_state_dict(model.to(torch.bfloat16).state_dict())
    assert torch.equal(model.sentence_nats(*batch(pairs[:5])), before)


def test_counting_again_replaces_what_was_counted() -> None:
    model = counted(TOY)
    assert model.translate_ids([[DAS]]) == [[THE]]
    model.count([[DAS], [EIN]], [[A], [THE]])
    fresh = counted([([DAS], [A]), ([EIN], [THE])])
    assert model.translate_ids([[DAS]]) == fresh.translate_ids([[DAS]]) == [[A]]
    assert torch.equal(model.nats(*batch(TOY)), fresh.nats(*batch(TOY)))


def test_nothing_counted_is_said() -> None:
    model = IBM1Options().build(SIZE, SIZE)
    for ask in (lambda: model.translate_ids([[4]]), lambda: model.nats(*batch(TOY))):
        with pytest.raises(UserError, match="counted nothing yet; call count with the pairs of the training part"):
            ask()


def test_wrong_options_are_said() -> None:
    with pytest.raises(UserError, match="iterations 0 must be a whole number of at least 1"):
        IBM1Options(iterations=0)
    with pytest.raises(UserError, match="unigram 1.0 must be at least 0 and below 1"):
        IBM1Options(unigram=1.0)

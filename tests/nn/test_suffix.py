import torch
from torch import Tensor

from seqlab.data.tagged_batches import TaggedBatch
from seqlab.nn.suffix import Suffix, SuffixOptions, endings_of

LETTERS = {letter: number for number, letter in enumerate("_*abcdefghijklmnopqrstuvwxyz")}


def batch(*sentences: str) -> TaggedBatch:
    rows = [sentence.split() for sentence in sentences]
    words = sorted({word for row in rows for word in row})
    longest, width = max(map(len, words)), max(map(len, rows))
    places = torch.tensor([[words.index(word) for word in row] + [0] * (width - len(row)) for row in rows])
    spellings = torch.tensor([[LETTERS[sign] for sign in word] + [1] * (longest - len(word)) for word in words])
    lengths = torch.tensor([len(row) for row in rows])
    return TaggedBatch(
        ids=places,
        casing=torch.ones_like(places),
        places=places,
        spellings=spellings,
        spelling_lengths=torch.tensor([len(word) for word in words]),
        lengths=lengths,
        tags=torch.zeros_like(places),
        valid=torch.ones(len(rows), dtype=torch.bool),
        items=torch.arange(len(rows)),
    )


def counted() -> Suffix:
    """Tags: 0 runs, 1 things, 2 little words."""
    made = Suffix(3, SuffixOptions(longest=3, smoothing=1.0))
    tags = torch.tensor([[2, 1, 0, 0], [2, 1, 0, 1]])
    made.count([batch("the cats jumped walked", "the dogs barked walked")], [tags])
    return made


def said(made: Suffix, *sentences: str) -> Tensor:
    return made(batch(*sentences)).argmax(-1)


def test_a_known_word_has_its_most_frequent_tag() -> None:
    made = Suffix(2, SuffixOptions())
    made.count([batch("run run run a")], [torch.tensor([[0, 1, 1, 0]])])
    assert said(made, "run a").tolist() == [[1, 0]]


def test_an_unknown_word_has_that_of_its_longest_known_ending() -> None:
    assert said(counted(), "kicked birds the x").tolist()[0][:3] == [0, 1, 2]


def test_shares_by_hand() -> None:
    made = Suffix(2, SuffixOptions(longest=1, smoothing=2.0))
    made.count([batch("xa ya za")], [torch.tensor([[0, 0, 1]])])
    nothing = (torch.tensor([2.0, 1.0]) + 2 * 0.5) / (3 + 2)
    ending = (torch.tensor([2.0, 1.0]) + 2 * nothing) / (3 + 2)
    whole = (torch.tensor([0.0, 1.0]) + 2 * ending) / (1 + 2)
    scores = made(batch("za qa q"))[0]
    torch.testing.assert_close(scores.exp(), torch.stack([whole, ending, nothing]))


def test_what_is_longer_than_a_word_is_no_ending_of_it() -> None:
    spellings = torch.tensor([[2, 3, 4], [4, 1, 1]])
    keys = endings_of(spellings, torch.tensor([3, 1]), 5)
    assert keys.shape == (2, 7)
    assert (keys[1, 2:6] == 0).all()
    assert (keys[0, 4:6] == 0).all()
    assert keys[0, 1] == keys[1, 1], "both end in 4"
    assert len({*keys[0, :4].tolist(), *keys[:, 6].tolist()}) == 6


def test_counts_are_loaded_whatever_their_number() -> None:
    made = counted()
    again = Suffix(3, SuffixOptions(longest=3, smoothing=1.0))
    again.load_state_dict(made.state_dict())
    assert torch.equal(again(batch("the cats")), made(batch("the cats")))

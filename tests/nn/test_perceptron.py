import torch
from torch import Tensor

from seqlab.data.tagged_batches import TaggedBatch
from seqlab.nn.perceptron import Perceptron, PerceptronOptions, features_of

WORDS = ["<pad>", "the", "old", "man", "mans", "boat", "a", "boats", "sees"]


def batch(*sentences: str, padding: int = 0) -> TaggedBatch:
    rows = [[WORDS.index(word) for word in sentence.split()] for sentence in sentences]
    width = max(map(len, rows)) + padding
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    longest = max(map(len, WORDS))
    return TaggedBatch(
        ids=ids,
        casing=torch.where(ids > 0, 1, 0),
        places=ids,
        spellings=torch.tensor([[ord(sign) for sign in word] + [1] * (longest - len(word)) for word in WORDS]),
        spelling_lengths=torch.tensor([len(word) for word in WORDS]),
        lengths=torch.tensor([len(row) for row in rows]),
        tags=torch.zeros_like(ids),
        valid=torch.ones(len(rows), dtype=torch.bool),
        items=torch.arange(len(rows)),
    )


SENTENCES = ("the old man sees a boat", "the old mans the boat", "a man sees boats")
DET, ADJ, NOUN, VERB = range(4)
TAGS = [[DET, ADJ, NOUN, VERB, DET, NOUN], [DET, NOUN, VERB, DET, NOUN, -1], [DET, NOUN, VERB, NOUN, -1, -1]]


def learned(passes: int = 8) -> Perceptron:
    made = Perceptron(4, PerceptronOptions(passes=passes))
    made.count([batch(*SENTENCES)], [torch.tensor(TAGS)])
    return made


def said(made: Perceptron, given: TaggedBatch) -> list[list[int]]:
    paths: Tensor = made(given).argmax(-1)
    return [path[:length] for path, length in zip(paths.tolist(), given.lengths.tolist(), strict=True)]


def test_what_stands_around_a_word_tells_its_tags_apart() -> None:
    made = learned()
    assert said(made, batch(*SENTENCES)) == [[tag for tag in row if tag >= 0] for row in TAGS]
    assert said(made, batch("the man sees a boats")) == [[DET, NOUN, VERB, DET, NOUN]]


def test_neither_padding_nor_the_batch_changes_anything() -> None:
    made = learned()
    whole = made(batch(*SENTENCES, padding=3))
    for row, sentence in enumerate(SENTENCES):
        alone = made(batch(sentence))[0]
        torch.testing.assert_close(whole[row, : len(alone)], alone)


def test_it_learns_the_same_again() -> None:
    one, other = learned(), learned()
    assert torch.equal(one.weights, other.weights)
    assert torch.equal(one.history, other.history)


def test_a_mean_of_weights_by_hand() -> None:
    made = Perceptron(2, PerceptronOptions(passes=1))
    made.count([batch("the man")], [torch.tensor([[1, 1]])])
    features = features_of(batch("the man"))[0]
    weights = dict(zip(made.keys.tolist(), made.weights, strict=True))
    # the first word is wrong: its features change after the first of two words, half of which is the mean
    assert all(weights[key].tolist() == [-0.5, 0.5] for key in features[0].tolist())


def test_every_place_has_features_of_its_own() -> None:
    features = features_of(batch("boat boat boat"))
    assert features.shape[:2] == (1, 3)
    assert all(len({*row}) == len(row) for row in features[0].tolist())


def test_what_was_learned_is_loaded_whatever_its_size() -> None:
    made, again = learned(), Perceptron(4, PerceptronOptions(passes=8))
    again.load_state_dict(made.state_dict())
    assert torch.equal(again(batch(*SENTENCES)), made(batch(*SENTENCES)))

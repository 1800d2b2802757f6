import numpy as np
import pytest

from seqlab.data.labelled_batches import EvaluationTexts, LabelledBatches, LabelledTexts, encode_texts, tokens_of
from seqlab.data.loader import Shard
from seqlab.data.pairs import Sentences
from seqlab.text.codec import Codec
from seqlab.text.context_codec import ContextCodec
from seqlab.text.tokenize import TOKENIZERS
from seqlab.text.vocab import Vocab

PAD = 1


@pytest.fixture
def texts() -> LabelledTexts:
    """Text n has n + 1 tokens, all of them n + 3, and the label n."""
    return LabelledTexts(Sentences([[n + 3] * (n + 1) for n in range(5)], np.uint8), np.arange(5), PAD)


def test_rows_are_padded_to_the_longest(texts: LabelledTexts) -> None:
    batch = texts.batch(np.array([2, 0]), np.array([True, False]))
    assert batch.ids.tolist() == [[5, 5, 5], [3, PAD, PAD]]
    assert (batch.lengths.tolist(), batch.labels.tolist(), batch.items.tolist()) == ([3, 1], [2, 0], [2, 0])
    assert batch.valid.tolist() == [True, False]
    assert texts.batch(np.array([1])).valid.tolist() == [True]


def test_an_epoch_has_every_text_once(texts: LabelledTexts) -> None:
    batches = LabelledBatches(texts, 2, None, seed=1)
    items = [batches.batch(0, index).items.tolist() for index in range(len(batches))]
    assert sorted(item for batch in items for item in batch) == [0, 1, 2, 3, 4]
    assert batches.batch(0, 1).items.tolist() == items[1]


def test_texts_as_ids_of_two_vocabularies() -> None:
    text = Codec("lower", TOKENIZERS["word"](), Vocab({"a": 2, "b": 1}, reserved=("<unk>", "<pad>", "<sep>")), 2)
    other = Codec("raw", TOKENIZERS["word"](), Vocab({"c": 3, "a": 1}))
    texts, cut = encode_texts(["A C b", "B"], {"text": text, "context": ContextCodec(other, "recurrent", {})})
    batch = texts.batch(np.array([0, 1]))
    assert cut == 1
    assert batch.ids.tolist() == [[3, 0], [4, 1]]
    assert batch.context.tolist() == [[2, 1], [0, 0]]
    assert batch.labels.tolist() == [-1, -1]
    assert encode_texts(["A"], {"text": text})[0].batch(np.array([0])).context.numel() == 0


@pytest.mark.parametrize("world", [1, 2])
def test_every_text_is_measured_once_over_all_processes(world: int, texts: LabelledTexts) -> None:
    seen = []
    for rank in range(world):
        part = EvaluationTexts(texts, 2, Shard(rank, world))
        for index in range(len(part)):
            batch = part.batch(0, index)
            seen += batch.items[batch.valid].tolist()
    assert sorted(seen) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "longest", "ids", "cut"),
    [
        ("a b", None, "a b", False),
        ("a b a", 2, "a b", True),
        ("", 2, "<unk>", False),
        ("a <sep> b b", None, "a <sep> b b", False),
        ("a a a a <sep> b", 4, "a a <sep> b", True),  # the longer text first
        ("a <sep> b b b b", 4, "a <sep> b b", True),
        ("a a a <sep> b b b", 4, "a <sep> b b", True),  # something of both
        ("a <sep> b", 1, "<sep>", True),
    ],
)
def test_ids_of_a_text_or_a_pair(text: str, longest: int | None, ids: str, cut: bool) -> None:
    vocab = Vocab({"a": 2, "b": 1}, reserved=("<unk>", "<pad>", "<sep>"))
    codec = Codec("raw", TOKENIZERS["word"](), vocab, longest)
    found, was_cut = tokens_of(codec, text)
    assert (codec.vocab.tokens(codec.vocab.ids(found)), was_cut) == (ids.split(), cut)

"""Tagged sentences as ids, in batches of similar length, for training and for evaluation."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqlab.data.buckets import Buckets, EvaluationBatches, OnceEach, Order, TrainingBatches, taken
from seqlab.data.loader import Shard
from seqlab.data.pairs import Sentences
from seqlab.text.casing import casing_of
from seqlab.text.clean import CLEANERS
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels
from seqlab.text.schemes import converted
from seqlab.text.vocab import PAD


class TaggedBatch(NamedTuple):
    """Sentences, or parts of long ones, each padded to the longest of the batch.

    Args:
        ids: Ids of the words ``(batch, time)`` int64, with ``<pad>`` after each sentence.
        casing: Casing of each word ``(batch, time)`` int64, an index into ``CASINGS``.
        places: Row of each word in ``spellings`` ``(batch, time)`` int64.
        spellings: Characters of every different word of the batch ``(words, characters)`` int64, padded with ``<pad>``.
        spelling_lengths: Characters of each different word, at least 1: ``(words,)`` int64.
        lengths: Words of each sentence, at least 1: ``(batch,)`` int64.
        tags: ``(batch, time)`` int64, -1 where training did not have the tag, and after each sentence.
        valid: ``(batch,)`` bool, False at a sentence that only fills the batch and is ignored.
        items: Row of each sentence within its part, from 0 in the order of the file: ``(batch,)`` int64.
        context: Ids of the words for a language model ``(batch, time)`` int64, with 0 after each sentence;
            empty without a codec of context.
    """

    ids: Tensor
    casing: Tensor
    places: Tensor
    spellings: Tensor
    spelling_lengths: Tensor
    lengths: Tensor
    tags: Tensor
    valid: Tensor
    items: Tensor
    context: Tensor = torch.empty(0, 0, dtype=torch.int64)

    def to(self, device: torch.device) -> "TaggedBatch":
        """A copy on a device."""
        return TaggedBatch(*(part.to(device) for part in self))


class Piece(NamedTuple):
    """Words ``start`` to ``end - 1`` of a sentence: the whole sentence, or a part of a long one."""

    sentence: int
    start: int
    end: int


class TaggedSentences:
    """Sentences as ids, with every different word spelled once; sentences over the length limit are cut into parts.

    Args:
        words: Words of each sentence, at least one.
        codecs: ``text``, whose ``max_length`` limits a sentence, ``characters``, whose ``max_length`` limits a word by
            leaving out its middle, and ``tag``; with ``context``, batches also have the ids of a language model.
        tags: A tag for each word; None for prediction.
    """

    def __init__(
        self,
        words: Sequence[Sequence[str]],
        codecs: Mapping[str, Any],
        tags: Sequence[Sequence[str]] | None = None,
    ) -> None:
        text, characters, labels = codecs["text"], codecs["characters"], codecs["tag"]
        assert isinstance(text, Codec)
        assert isinstance(labels, Labels)
        self.pad = text.vocab.id_of(PAD)
        forms: dict[str, int] = {}
        numbers = [[forms.setdefault(word, len(forms)) for word in sentence] for sentence in words]
        clean = CLEANERS[text.cleaning]
        self._ids = np.array(text.vocab.ids(clean(form) for form in forms), dtype=np.int64)
        context = codecs.get("context")
        self._context = None if context is None else np.array(context.ids(forms), dtype=np.int64)
        self._casing = np.array([casing_of(form) for form in forms], dtype=np.int64)
        self._spellings = Sentences([spelled(characters, form) for form in forms], np.int64)
        self._character_pad = characters.vocab.id_of(PAD)
        self.pieces = [piece for row, sentence in enumerate(words) for piece in pieces_of(row, sentence, text)]
        self._forms = Sentences([numbers[row][start:end] for row, start, end in self.pieces], np.int64)
        self._tags: Sentences | None = None
        if tags is not None:
            rows = [_tags_of(tags[row], start, end, labels) for row, start, end in self.pieces]
            self._tags = Sentences([labels.ids(row) for row in rows], np.int64)

    @property
    def lengths(self) -> Order:
        """Words of each part of a sentence."""
        return self._forms.lengths

    def __len__(self) -> int:
        return len(self.pieces)

    def batch(self, rows: Order, real: npt.NDArray[np.bool_] | None = None) -> TaggedBatch:
        """The parts at ``rows``; rows that are not ``real`` are padding."""
        forms = self._forms.padded(rows, -1, (), ()).numpy()
        there = forms >= 0
        different, places = np.unique(forms[there], return_inverse=True)
        filled = [np.full(forms.shape, fill, dtype=np.int64) for fill in (self.pad, 0, 0)]
        for array, values in zip(filled, (self._ids[different], self._casing[different]), strict=False):
            array[there] = values[places]
        filled[2][there] = places
        spellings = self._spellings.padded(different, self._character_pad, (), ())
        tags = torch.full(forms.shape, -1) if self._tags is None else self._tags.padded(rows, -1, (), ())
        valid, items = taken(rows, real)
        ids, casing, where = (torch.from_numpy(array) for array in filled)
        batch = TaggedBatch(
            ids=ids,
            casing=casing,
            places=where,
            spellings=spellings,
            spelling_lengths=torch.from_numpy(self._spellings.lengths[different]),
            lengths=torch.from_numpy(self._forms.lengths[rows]),
            tags=tags,
            valid=valid,
            items=items,
        )
        if self._context is None:
            return batch
        return batch._replace(context=torch.from_numpy(np.where(there, self._context[forms], 0)))


def spelled(characters: Codec, word: str) -> list[int]:
    """The ids of the characters of a word; the middle of a long one is left out."""
    most = characters.max_length or len(word)
    if len(word) > most:
        word = word[: most // 2] + word[len(word) - (most - most // 2) :]
    return characters.vocab.ids(word)


def pieces_of(row: int, words: Sequence[str], text: Codec) -> list[Piece]:
    """A sentence as one piece, or cut into as few pieces as possible, of nearly equal length."""
    most = text.max_length or max(1, len(words))
    if not words:
        return []
    count = -(-len(words) // most)
    cuts = [round(len(words) * n / count) for n in range(count + 1)]
    return [Piece(row, start, end) for start, end in pairwise(cuts)]


def _tags_of(tags: Sequence[str], start: int, end: int, labels: Labels) -> Sequence[str]:
    """The tags of a piece; a span across the cut becomes two spans."""
    part = tags[start:end]
    return part if labels.scheme is None or len(part) == len(tags) else converted(part, labels.scheme)


class TaggedBatches(TrainingBatches[TaggedBatch]):
    """Training batches, every part of a sentence once an epoch, as ``Buckets`` makes them.

    Args:
        sentences: Sentences of the training part.
        batch_size: Sentences in a batch, over all processes.
        batch_tokens: Positions of a batch with padding, over all processes, instead of ``batch_size``.
        seed: Seed of the random orders.
        shard: The rows that this process reads.

    Raises:
        UserError: There are fewer sentences than processes, or a batch does not divide among them.
    """

    def __init__(
        self, sentences: TaggedSentences, batch_size: int, batch_tokens: int | None, seed: int, shard: Shard = Shard()
    ) -> None:
        super().__init__(sentences, Buckets((sentences.lengths,), batch_size, batch_tokens, seed, shard, "sentences"))


class EvaluationSentences(EvaluationBatches[TaggedBatch]):
    """Every part of a sentence exactly once over all processes, sorted by length, as ``OnceEach`` reads them.

    Args:
        sentences: Sentences of the part of the corpus.
        batch_size: Sentences in a batch of one process.
        shard: The sentences that this process reads.
    """

    def __init__(self, sentences: TaggedSentences, batch_size: int, shard: Shard = Shard()) -> None:
        super().__init__(sentences, OnceEach((sentences.lengths,), batch_size, shard))

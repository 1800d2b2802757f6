"""Labelled texts as ids, in batches of similar length, for training and for evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqlab.data.buckets import Buckets, EvaluationBatches, OnceEach, Order, TrainingBatches, taken
from seqlab.data.loader import Shard
from seqlab.data.pairs import Sentences
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels
from seqlab.text.vocab import PAD, UNK

SEP = "<sep>"
"""Separator of the two texts of a pair, both as a reserved token and in the raw text."""


class LabelledBatch(NamedTuple):
    """Texts with their labels, each padded to the longest of the batch.

    Args:
        ids: ``(batch, time)`` int64, with ``<pad>`` after each text.
        lengths: Tokens of each text, at least 1: ``(batch,)`` int64.
        labels: ``(batch,)`` int64, -1 where training did not have the label; with several labels per text,
            ``(batch, classes)`` float32 of 0 and 1.
        valid: ``(batch,)`` bool, False at a text that only fills the batch and is ignored.
        items: Row of each text within its part, from 0 in the order of the file: ``(batch,)`` int64.
        context: Ids of the words for a language model ``(batch, time)`` int64, with 0 after each text; empty without a
            codec of context.
    """

    ids: Tensor
    lengths: Tensor
    labels: Tensor
    valid: Tensor
    items: Tensor
    context: Tensor = torch.empty(0, 0, dtype=torch.int64)


class LabelledTexts(NamedTuple):
    """One part of a corpus.

    Args:
        sentences: Ids of its texts.
        labels: Their labels, ``(texts,)`` or ``(texts, classes)``.
        pad: The id of padding.
        context: Ids of the same words for a language model; None without a codec of context.
    """

    sentences: Sentences
    labels: npt.NDArray[Any]
    pad: int
    context: Sentences | None = None

    def batch(self, rows: Order, real: npt.NDArray[np.bool_] | None = None) -> LabelledBatch:
        """The texts at ``rows``; rows that are not ``real`` are padding."""
        ids = self.sentences.padded(rows, self.pad, (), ())
        batch = LabelledBatch(ids, *taken(rows, real, self.sentences.lengths, self.labels))
        return batch if self.context is None else batch._replace(context=self.context.padded(rows, 0, (), ()))


class LabelledBatches(TrainingBatches[LabelledBatch]):
    """Training batches, every text once an epoch, as ``Buckets`` makes them.

    Args:
        texts: Texts of the training part.
        batch_size: Texts in a batch, over all processes.
        batch_tokens: Positions of a batch with padding, over all processes, instead of ``batch_size``.
        seed: Seed of the random orders.
        shard: The rows that this process reads.

    Raises:
        UserError: There are fewer texts than processes, or a batch does not divide among them.
    """

    def __init__(
        self, texts: LabelledTexts, batch_size: int, batch_tokens: int | None, seed: int, shard: Shard = Shard()
    ) -> None:
        super().__init__(texts, Buckets((texts.sentences.lengths,), batch_size, batch_tokens, seed, shard))


class EvaluationTexts(EvaluationBatches[LabelledBatch]):
    """Every text exactly once over all processes, sorted by length, as ``OnceEach`` reads them.

    Args:
        texts: Texts of the part.
        batch_size: Texts in a batch of one process.
        shard: The texts that this process reads.
    """

    def __init__(self, texts: LabelledTexts, batch_size: int, shard: Shard = Shard()) -> None:
        super().__init__(texts, OnceEach((texts.sentences.lengths,), batch_size, shard))


def encode_texts(
    texts: Sequence[str], codecs: Mapping[str, Any], labels: npt.NDArray[Any] | None = None
) -> tuple[LabelledTexts, int]:
    """Texts as ids, the same in training and in prediction.

    Args:
        texts: The raw texts.
        codecs: ``text``; with ``context``, batches also have the ids of a language model.
        labels: Their labels; None for prediction.

    Returns:
        The texts, and how many of them were cut.
    """
    codec, context = codecs["text"], codecs.get("context")
    found = [tokens_of(codec, text) for text in texts]
    rows = [tokens for tokens, _ in found]
    encoded = LabelledTexts(
        Sentences([codec.vocab.ids(tokens) for tokens in rows], codec.dtype),
        np.full(len(rows), Labels.UNSEEN) if labels is None else labels,
        codec.vocab.id_of(PAD),
        None if context is None else Sentences([context.ids(tokens) for tokens in rows], np.int64),
    )
    return encoded, sum(cut for _, cut in found)


def tokens_of(codec: Codec, text: str) -> tuple[list[str], bool]:
    """The tokens of a text for a classifier.

    In a pair, ``first <sep> second``, the longer text is cut first, so that some of both remains. A text without tokens
    becomes one ``<unk>``.

    Args:
        codec: Codec with ``<sep>`` among its reserved tokens; ``max_length`` is the largest number of tokens.
        text: The raw text.

    Returns:
        At least one token, and whether any tokens were cut off.
    """
    first, separator, second = (part.strip() for part in text.partition(SEP))
    tokens, more = (codec.tokenize(part) for part in (first, second))
    joint = [SEP] if separator else []
    whole_length = len(tokens) + len(joint) + len(more)
    max_length = codec.max_length or whole_length
    room = max(0, max_length - len(joint))
    most = max(room - len(more), room // 2)
    kept = tokens[:most]
    whole = [*kept, *joint, *more[: room - len(kept)]][:max_length]
    return whole or [UNK], whole_length > max_length

"""The tags of whole sentences, with the parts of long sentences joined again."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from seqlab.data.loader import Loader
from seqlab.data.tagged_batches import EvaluationSentences, TaggedBatch, TaggedSentences
from seqlab.decoding.viterbi import n_best_paths
from seqlab.nn.crf import log_partition, marginals
from seqlab.nn.evaluating import evaluating

if TYPE_CHECKING:
    from seqlab.models.tagging import Tagger

TOGETHER = 64
"""Sentences in a batch of tagging."""


class Said(NamedTuple):
    """Prediction for a sentence, or for a part of one.

    Args:
        tags: Tag of each word.
        probabilities: Probability of each of these tags over all paths; zeros if not requested.
        paths: The most likely paths with their log-probabilities, the best first; empty if not requested.
    """

    tags: list[int]
    probabilities: list[float]
    paths: list[tuple[float, list[int]]]


class SentencesSaid(NamedTuple):
    """Predictions for whole sentences.

    Args:
        said: Prediction for each sentence.
        nats: Loss in nats of each sentence, summed over its words that count.
        counted: Number of words of each sentence that count in the loss.
        parts: Number of parts of each sentence; 0 for a sentence without words.
    """

    said: list[Said]
    nats: list[float]
    counted: list[int]
    parts: list[int]


@torch.no_grad()
def sentences_said(
    model: "Tagger", sentences: TaggedSentences, count: int, n_best: int = 0, probabilities: bool = False
) -> SentencesSaid:
    """Tags sentences, with dropout off.

    Args:
        model: The tagger.
        sentences: Sentences, cut into pieces.
        count: Number of sentences, including those without words.
        n_best: Number of most likely paths to list.
        probabilities: Whether to compute the probability of each tag.
    """
    pieces: dict[int, Said] = {}
    found = SentencesSaid([Said([], [], [(0.0, [])])] * count, [0.0] * count, [0] * count, [0] * count)
    with evaluating(model):
        for batch in Loader(EvaluationSentences(sentences, TOGETHER)):
            own = batch.to(model.device)
            scores = model.network(own)
            nats, counted = model.nats_of_sentences(own, scores)
            said = _said_of(model, own, scores, n_best, probabilities)
            for item, one, cost, words in zip(own.items.tolist(), said, nats.tolist(), counted.tolist(), strict=True):
                pieces[item] = one
                found.nats[sentences.pieces[item].sentence] += cost
                found.counted[sentences.pieces[item].sentence] += words
    for item, piece in enumerate(sentences.pieces):
        found.said[piece.sentence] = _joined(found.said[piece.sentence], pieces[item], n_best)
        found.parts[piece.sentence] += 1
    return found


def _joined(one: Said, other: Said, n_best: int) -> Said:
    """Joins two parts of a sentence; its best paths join the best paths of the parts, which are independent."""
    ways = [(a + b, [*path, *more]) for a, path in one.paths for b, more in other.paths]
    best = sorted(ways, key=lambda way: -way[0])[:n_best]
    return Said([*one.tags, *other.tags], [*one.probabilities, *other.probabilities], best)


def _said_of(model: "Tagger", batch: TaggedBatch, scores: Tensor, n_best: int, probabilities: bool) -> Iterator[Said]:
    said, chain, lengths = model.said(batch, scores), model.crf.chain(), batch.lengths.tolist()
    chances = said.new_zeros(said.shape, dtype=torch.float64)
    if probabilities:
        found = marginals(scores.double(), batch.lengths, chain)
        chances = found.gather(2, said.unsqueeze(2)).squeeze(2)
    ways: list[list[tuple[float, list[int]]]] = [[] for _ in lengths]
    if n_best:
        paths, reached = n_best_paths(scores, batch.lengths, chain, n_best)
        logs = reached - log_partition(scores, batch.lengths, chain).unsqueeze(1)
        ways = [
            [(log, path[:length]) for log, path in zip(row, rows, strict=True) if log > -torch.inf]
            for row, rows, length in zip(logs.tolist(), paths.tolist(), lengths, strict=True)
        ]
    rows = zip(said.tolist(), chances.tolist(), ways, lengths, strict=True)
    return (Said(tags[:length], values[:length], paths) for tags, values, paths, length in rows)

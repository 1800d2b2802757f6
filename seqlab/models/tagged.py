"""What a tagger says of sentences, those that are cut put together again."""

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
"""Sentences that are tagged at once."""


class Said(NamedTuple):
    """What was said of a sentence, or of a part of one.

    Args:
        tags: Tags of each word.
        probabilities: Probabilities of these tags over all paths; zeros where they were not asked for.
        paths: The likeliest ones with their log-probabilities, the best first; empty where they were not asked for.
    """

    tags: list[int]
    probabilities: list[float]
    paths: list[tuple[float, list[int]]]


class SentencesSaid(NamedTuple):
    """What was said of whole sentences, one each.

    Args:
        said: Of each sentence.
        nats: Summed over its words that count in the loss.
        counted: How many do.
        parts: In how many it was tagged; 0 of a sentence without words.
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
        model: That tags.
        sentences: Cut into pieces.
        count: How many sentences there are, those without words among them.
        n_best: How many of the likeliest paths to list.
        probabilities: Whether to say how likely each tag is.
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
    """Two parts of a sentence as one; its likeliest paths are those of the parts, which do not know of each other."""
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

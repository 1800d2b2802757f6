"""Scores and selection of the pieces of a unigram tokenizer."""

from collections.abc import Mapping, Sequence
from math import ceil, log

from tokenizers import Tokenizer as Library
from tokenizers import models

from seqlab.text.vocab import UNK

ROUNDS = 2
"""Recounts between two selections (as in Kudo, 2018)."""

SHRINKAGE = 0.75
"""Share of the pieces that a selection keeps (as in Kudo, 2018)."""


def fit_unigram(library: Library, candidates: Sequence[str], words: Mapping[str, int], vocab_size: int) -> None:
    """Gives a library tokenizer a unigram model, by Viterbi training.

    Kudo (2018, P18-1007), but with the best segmentation of each word instead of the expectation over all::

        score(piece) = log (count(piece) + 1) / (sum of counts + number of pieces)

    with counts from the best segmentations under the previous scores; then the least used pieces are dropped. Counts
    are whole numbers and the order of the candidates breaks ties, so that equal words give equal models. Scores are
    rounded, so that the library's JSON keeps them unchanged.

    Args:
        library: Tokenizer whose model is replaced.
        candidates: Pieces to select from, including single characters, which always stay.
        words: Occurrences of each word.
        vocab_size: Number of pieces to keep, including ``<unk>``.
    """
    spelled, weights = list(words), list(words.values())

    def recount(pieces: Mapping[str, int]) -> dict[str, int]:
        library.model = _model(pieces)
        numbered = [0] * (len(pieces) + 1)
        for encoding, weight in zip(library.encode_batch_fast(spelled), weights, strict=True):
            for index in encoding.ids:
                numbered[index] += weight
        return dict(zip(pieces, numbered[1:], strict=True))

    pieces = dict.fromkeys((piece for piece in candidates if piece != UNK), 0)
    while True:
        for _ in range(ROUNDS):
            pieces = recount(pieces)
        if len(pieces) < vocab_size:
            break
        kept = _most_used(pieces, max(vocab_size - 1, ceil(SHRINKAGE * len(pieces))))
        if len(kept) == len(pieces):
            break
        pieces = kept
    used = {piece: count for piece, count in pieces.items() if count or len(piece) == 1}
    library.model = _model(dict(sorted(used.items(), key=lambda item: -item[1])))


def _most_used(pieces: Mapping[str, int], size: int) -> dict[str, int]:
    ranked = sorted(pieces.items(), key=lambda item: (len(item[0]) > 1, -item[1]))
    characters = sum(len(piece) == 1 for piece in pieces)
    return dict(ranked[: max(size, characters)])


def _model(pieces: Mapping[str, int]) -> models.Unigram:
    total = sum(pieces.values()) + max(1, len(pieces))
    scored = [(piece, round(log((count + 1) / total), 6)) for piece, count in pieces.items()]
    return models.Unigram([(UNK, 0.0), *scored], unk_id=0)

"""The most likely next tokens of the hypotheses of each sentence."""

from typing import NamedTuple

import torch
from torch import Tensor


class Continuations(NamedTuple):
    """The best continuations of each sentence, best first, each ``(sentences, candidates)``."""

    scores: Tensor
    rows: Tensor
    tokens: Tensor

    def first(self, size: int) -> "Continuations":
        """The ``size`` best continuations."""
        return Continuations(*(part[:, :size] for part in self))

    def going(self, size: int, eos: int) -> "Continuations":
        """The ``size`` best continuations that do not end; if there are fewer, others with minus infinity."""
        scores, order = torch.where(self.tokens == eos, -torch.inf, self.scores).topk(min(size, self.scores.shape[1]))
        return Continuations(scores, self.rows.gather(1, order), self.tokens.gather(1, order))


BLOCK = 64
"""Neighbouring tokens in a block, whose maximum is computed first."""
FEW = 2**15
"""Tokens over all rows up to which sorting each row is faster."""


def best_continuations(log_probs: Tensor, scores: Tensor, k: int) -> Continuations:
    """The k most likely next tokens over all hypotheses of a sentence, fast for large vocabularies.

    The best k tokens lie in the k blocks with the largest maxima; of many tokens, only these blocks are sorted.

    Args:
        log_probs: ``(sentences, rows of each, vocab_size)``.
        scores: Scores to add to each row ``(sentences, rows of each)`` float64.
        k: At most the number of tokens of all rows.

    Returns:
        The continuations; rows count within each sentence.
    """
    (_, width, vocab_size), added = log_probs.shape, scores.unsqueeze(-1)
    whole = vocab_size // BLOCK * BLOCK
    if whole < 4 * k * BLOCK or log_probs.numel() <= FEW:
        each = min(k, vocab_size)
        values, ids = log_probs.topk(each)  # of each row
        if width == 1:
            return Continuations(values[:, 0] + scores, torch.zeros_like(ids[:, 0]), ids[:, 0])
        best, order = (values + added).flatten(1).topk(k)
        return Continuations(best, order // each, ids.flatten(1).gather(1, order))
    maxima = log_probs[..., :whole].unflatten(-1, (-1, BLOCK)).amax(-1)  # (sentences, rows of each, whole blocks)
    if whole < vocab_size:
        maxima = torch.cat([maxima, log_probs[..., whole:].amax(-1, keepdim=True)], -1)
    blocks = (maxima + added).flatten(1).topk(k, sorted=False).indices  # (sentences, k)
    rows, first = blocks // maxima.shape[-1], blocks % maxima.shape[-1] * BLOCK
    ids = first.unsqueeze(-1) + torch.arange(BLOCK, device=blocks.device)
    places = (rows * vocab_size).unsqueeze(-1) + ids.clamp(max=vocab_size - 1)  # (sentences, k, BLOCK)
    values = log_probs.flatten(1).gather(1, places.flatten(1)).view_as(places) + scores.gather(1, rows).unsqueeze(-1)
    best, order = values.masked_fill_(ids >= vocab_size, -torch.inf).flatten(1).topk(k)
    found = places.flatten(1).gather(1, order)
    return Continuations(best, found // vocab_size, found % vocab_size)


def best_of(allowed: Tensor, scores: Tensor, size: int) -> Continuations:
    """Twice as many candidates as hypotheses, so that enough remain if every hypothesis ends; rows of all sentences."""
    (sentences, width), vocab_size = scores.shape, allowed.shape[1]
    log_probs = allowed.view(sentences, width, vocab_size)
    best = best_continuations(log_probs, scores, min(2 * size, width * vocab_size))
    first_row = torch.arange(0, sentences * width, width, device=scores.device).unsqueeze(1)
    return best._replace(rows=best.rows + first_row)

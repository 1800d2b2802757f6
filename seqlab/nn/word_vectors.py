"""Base of word-vector networks: noise words, subsampled words, and the loss of true pairs against noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.native.draws import count_below
from seqlab.nn.word_blocks import Blocks, in_blocks, kept_words
from seqlab.options import Options, option

QUANTILES = 512
"""Number of noise words in the loss of a held-out part."""
ALIKE = 1e-5
"""Scores that differ by no more than this count as equal, because of rounding."""
AT_ONCE = 128
"""Blocks to evaluate at once."""


@dataclass(frozen=True)
class WordVectorOptions(Options):
    """Options of all word vectors."""

    embedding_size: int = option(100, "Size of a vector.", least=1, most=10_000)
    window: int = option(5, "Most words from the center to a context word.", least=1, most=100)


class Scored(NamedTuple):
    """Outputs of a network for the words of blocks.

    Args:
        hidden: Vector of each center ``(blocks, BLOCK, size)``.
        said: Log-odds of the true pairs ``(blocks, BLOCK, pairs)``.
        weights: Weight of each pair ``(blocks, BLOCK, pairs)``; 0 where there is no pair.
    """

    hidden: Tensor
    said: Tensor
    weights: Tensor


class Told(NamedTuple):
    """How well the network separates held-out pairs from noise.

    Args:
        nats: Loss, summed over pairs, each with its noise.
        pairs: Number of pairs, each weighted by its distance.
        ranked: Sum over pairs of the share of noise words with a lower score.
    """

    nats: Tensor
    pairs: Tensor
    ranked: Tensor


class WordVectors(nn.Module):
    """Two vectors for each word, v as a center and u as a context word; their product is a log-odds.

    The loss separates a pair (c, o) of the text from ``negatives`` pairs (c, n) with n drawn from the noise q (Mikolov
    et al. 2013, equation 4):

        -log sigmoid(v_c . u_o) - negatives * sum_n q_n log sigmoid(-v_c . u_n),    q_n ~ counts_n ** noise_power

    The loss of a held-out part takes the whole window, counts a pair at distance d window + 1 - d times, and takes the
    noise words at ``QUANTILES`` evenly spaced quantiles of q, so that nothing is random.

    Args:
        counts: Occurrences of each word in the training part ``(vocab_size,)``; an id with count 0 is no word.
        options: Options of the network.
        negatives: Noise words per pair.
        noise_power: Power of the counts in q.
    """

    def __init__(self, counts: Tensor, options: WordVectorOptions, negatives: int, noise_power: float) -> None:
        super().__init__()
        self.window, self.negatives = options.window, negatives
        self.register_buffer("counts", counts.double(), persistent=False)
        mass = torch.where(counts > 0, counts.double() ** noise_power, 0.0)
        self.register_buffer("noise", (mass / mass.sum()).cumsum(0), persistent=False)
        self.counts: Tensor
        self.noise: Tensor

    def inputs(self) -> Tensor:
        """v of all words ``(vocab_size, size)``."""
        raise NotImplementedError

    def outputs(self) -> Tensor:
        """u of all words ``(vocab_size, size)``."""
        raise NotImplementedError

    def centers(self, ids: Tensor) -> Tensor:
        """v of words.

        Args:
            ids: Ids of any shape, int64.

        Returns:
            Vectors of shape ``(*ids.shape, size)``.
        """
        return self.inputs()[ids]

    def vectors(self) -> Tensor:
        """The word vectors for use elsewhere ``(vocab_size, embedding_size)`` float32."""
        return self.inputs().detach().float()

    unseen: Callable[[Sequence[str]], Tensor] | None = None
    """Vectors ``(words, size)`` of words without an id, if the network can give them."""

    def scored(self, blocks: Blocks, weights: Tensor) -> Scored:
        """Log-odds of the pairs of blocks.

        Args:
            blocks: Blocks of words.
            weights: Weight of each pair ``(blocks, BLOCK, BLOCK + 2 window)``.
        """
        hidden = self.centers(blocks.centers)
        return Scored(hidden, hidden @ self.outputs()[blocks.around].transpose(1, 2), weights)

    def words_of(self, ids: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        """The known words of rows of text, and the row number of each, see ``kept_words``.

        Args:
            ids: ``(batch, time)`` int64.
            valid: Which are real ``(batch, time)`` bool; all if not given.
        """
        real = self.counts[ids] > 0
        return kept_words(ids, real if valid is None else real & valid)

    def blocks_of(self, ids: Tensor, valid: Tensor | None) -> Blocks:
        """The known words in blocks."""
        return in_blocks(*self.words_of(ids, valid), self.window)

    @torch.no_grad()
    def told(self, ids: Tensor, valid: Tensor | None = None, ranks: bool = True) -> Told:
        """How well the network separates the pairs of held-out rows from noise.

        Args:
            ids: ``(batch, time)`` int64.
            valid: Which are real ``(batch, time)`` bool; all if not given.
            ranks: Whether to compute the share of noise words with a lower score, which takes most of the time.
        """
        blocks = self.blocks_of(ids, valid)
        parts = zip(*(part.split(AT_ONCE) for part in blocks), strict=True)
        sums = torch.zeros(3, dtype=torch.float64, device=ids.device)
        for part in parts:
            sums += torch.stack(self._told(Blocks(*part), ranks))
        return Told(sums[0], sums[1].long(), sums[2])

    def _told(self, blocks: Blocks, ranks: bool) -> tuple[Tensor, Tensor, Tensor]:
        weights = torch.where(blocks.distance > 0, self.window + 1 - blocks.distance, 0)
        hidden, said, weights = self.scored(blocks, weights.to(self.outputs().dtype))
        against = hidden @ self.outputs()[self._quantiles()].t()
        pairs = weights.sum(-1)
        nats = (weights * F.softplus(-said)).double().sum()
        nats += (self.negatives * pairs * F.softplus(against).mean(-1)).double().sum()
        if not ranks:
            return nats, pairs.double().sum(), torch.full_like(nats, torch.nan)
        below = torch.searchsorted(against.sort(-1).values, (said - ALIKE).contiguous())
        return nats, pairs.double().sum(), (weights * below / against.shape[-1]).double().sum()

    def _quantiles(self) -> Tensor:
        """Noise words at evenly spaced quantiles ``(QUANTILES,)`` int64."""
        places = (torch.arange(QUANTILES, dtype=torch.float64, device=self.noise.device) + 0.5) / QUANTILES
        return self.drawn(places)

    def drawn(self, places: Tensor) -> Tensor:
        """The noise words at quantiles.

        Args:
            places: Quantiles between 0 and 1, of any shape, float64.

        Returns:
            Ids of the shape of ``places``, int64.
        """
        return count_below(self.noise, places).clamp(max=len(self.noise) - 1)

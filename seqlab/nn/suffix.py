"""Words -> tags by counts: of a known word, and of the longest known ending of another."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from seqlab.nn.crf import CRF
from seqlab.nn.tagger import OutputOptions, Sentences
from seqlab.options import option
from seqlab.recurrence.lengths import valid_steps

BASE = 6364136223846793005
"""Of the numbers that endings are known by, an odd number of 63 bits."""
NONE = 0
"""Of an ending longer than the word."""
EMPTY = 1
"""Of that of no character."""
CASED = 1442695040888963407
"""Times the way in which a word is written, so that endings are told apart by capitals and digits."""
WHOLE = 1 << 40
"""Stands before the first character of a word, so that a whole word is no ending of another."""


@dataclass(frozen=True)
class SuffixOptions(OutputOptions):
    """Options of ``Suffix``."""

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 3e-5

    longest: int = option(5, "Characters of the longest ending that is counted.", least=0)
    smoothing: float = option(3.0, "Weight of what is known of an ending one character shorter.", above=0)

    def build(self, vocab_size: int, characters: int, tags: int) -> "Suffix":
        """The network of these options.

        Args:
            vocab_size: Ids of words.
            characters: Ids of characters.
            tags: Scores that come out.
        """
        return Suffix(tags, self)


def endings_of(spellings: Tensor, lengths: Tensor, longest: int) -> Tensor:
    """Numbers that stand for the endings of words.

        key_k = sum over the last k characters of (id + 1) BASE^(its place from the end), modulo 2^64

    Args:
        spellings: Ids of characters ``(words, characters)`` int64.
        lengths: Characters of each word ``(words,)`` int64, at least 1.
        longest: Of the endings.

    Returns:
        ``(words, longest + 2)`` int64: the ending of no character, those of 1 to ``longest``, and the whole word. What
        is longer than the word is ``NONE``.
    """
    time = spellings.shape[1]
    keys, power, total = [], 1, torch.full_like(lengths, EMPTY)
    for place in range(max(time, longest)):
        keys.append(torch.where(lengths >= place, total, NONE))
        at = lengths - 1 - place
        sign = spellings.gather(1, at.clamp(min=0).unsqueeze(1)).squeeze(1) if place < time else torch.zeros_like(at)
        total = torch.where(at >= 0, total + (sign + 1) * power, total)
        power = _wrapped(power * BASE)
    keys.append(torch.where(lengths >= len(keys), total, NONE))
    return torch.stack([*keys[: longest + 1], total ^ WHOLE], 1)


def _wrapped(number: int) -> int:
    """A whole number as int64 holds it."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


class Suffix(nn.Module):
    """The tags that a word had in training, or else those of the words with its longest known ending.

        p_k = (counts_k + smoothing p_(k-1)) / (n_k + smoothing),    scores = log p of the longest known

    Endings are those of words that are written alike, with capitals or digits; each different word is counted once for
    each of its tags, since what is unknown is rare.

    Args:
        tags: How many there are.
        options: Of the network.
    """

    def __init__(self, tags: int, options: SuffixOptions) -> None:
        super().__init__()
        self.tags, self.options = tags, options
        self.register_buffer("keys", torch.empty(0, dtype=torch.int64))
        self.register_buffer("scores", torch.empty(0, tags))
        self.crf = CRF(tags, learned=False)
        self.nothing = nn.Parameter(torch.empty(0))  # a Trainer steps parameters; there are none to learn

    def count(self, batches: Iterable[Sentences], tags: Iterable[Tensor]) -> None:
        """Counts tagged sentences, in place of what was counted before.

        Args:
            batches: Of the sentences.
            tags: Of each batch ``(batch, time)`` int64, -1 where a word has none.
        """
        longest = self.options.longest
        known: list[Tensor] = []
        words: list[Tensor] = []
        for batch, right in zip(batches, tags, strict=True):
            there = valid_steps(batch.lengths, batch.ids.shape[1]).t() & (right >= 0)
            words.append(self._endings(batch)[there])
            known.append(right[there])
        rows, given = torch.cat(words).cpu(), torch.cat(known).cpu()
        pairs = torch.stack([rows[:, -1], given], 1)
        different, times = pairs.unique(dim=0, return_counts=True)
        endings, wanted = rows[_first_of(pairs, different)], different[:, 1]
        shares = torch.full((len(wanted), self.tags), 1 / self.tags, dtype=torch.float64)
        keys, found = [], []
        for column, key in enumerate(endings.t()):
            real = key != NONE
            weights = times[real] if column == longest + 1 else torch.ones_like(times[real])
            own, place = key[real].unique(return_inverse=True)
            counts = torch.zeros(len(own), self.tags, dtype=torch.float64)
            counts.index_put_((place, wanted[real]), weights.double(), accumulate=True)
            shorter = torch.empty_like(counts).index_put_((place,), shares[real])
            smoothing = self.options.smoothing
            own_shares = (counts + smoothing * shorter) / (counts.sum(1, keepdim=True) + smoothing)
            shares[real] = own_shares[place]
            keys.append(own)
            found.append(own_shares.log())
        together, order = torch.cat(keys).sort()
        device = self.nothing.device
        self.keys, self.scores = together.to(device), torch.cat(found)[order].float().to(device)

    def forward(self, sentences: Sentences) -> Tensor:
        """log p of the tags of each word ``(batch, time, tags)``."""
        endings = self._endings(sentences)
        place = torch.searchsorted(self.keys, endings).clamp(max=len(self.keys) - 1)
        rank = torch.arange(1, endings.shape[-1] + 1, device=endings.device)
        known = (self.keys[place] == endings) & (endings != NONE)
        longest = (known * rank).argmax(-1, keepdim=True)
        return self.scores[place.gather(-1, longest).squeeze(-1)] + self.nothing.sum()

    def _endings(self, sentences: Sentences) -> Tensor:
        """Of each word ``(batch, time, longest + 2)``."""
        endings = endings_of(sentences.spellings, sentences.spelling_lengths, self.options.longest)[sentences.places]
        written = (sentences.casing + 1).unsqueeze(-1) * CASED
        endings[..., :-1] = torch.where(endings[..., :-1] == NONE, NONE, endings[..., :-1] ^ written)
        return endings

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """What was counted has as many keys as the checkpoint says."""
        for name in ("keys", "scores"):
            setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.nothing.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _first_of(pairs: Tensor, different: Tensor) -> Tensor:
    """Where each of the different rows stands first."""
    _, inverse = pairs.unique(dim=0, return_inverse=True)
    first = torch.full((len(different),), len(pairs), dtype=torch.int64)
    return first.scatter_reduce(0, inverse, torch.arange(len(pairs)), "amin")

"""Words -> tags by counts: of a known word, or of the longest known suffix of an unknown word."""

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
"""Base of the hash of suffixes, an odd number of 63 bits."""
NONE = 0
"""Key of a suffix longer than the word."""
EMPTY = 1
"""Key of the empty suffix."""
CASED = 1442695040888963407
"""Factor of a word's casing in the key, so that capitals and digits separate suffixes."""
WHOLE = 1 << 40
"""Mark before the first character, so that a whole word is no suffix of another word."""


@dataclass(frozen=True)
class SuffixOptions(OutputOptions):
    """Options of ``Suffix``."""

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 3e-5

    longest: int = option(5, "Characters of the longest suffix.", least=0)
    smoothing: float = option(3.0, "Weight of the probabilities of a suffix one character shorter.", above=0)

    def build(self, vocab_size: int, characters: int, tags: int) -> "Suffix":
        """The network of these options.

        Args:
            vocab_size: Number of word ids.
            characters: Number of character ids.
            tags: Number of tags, one score each.
        """
        return Suffix(tags, self)


def endings_of(spellings: Tensor, lengths: Tensor, longest: int) -> Tensor:
    """Keys of the suffixes of words.

        key_k = sum over the last k characters of (id + 1) BASE^(its place from the end), modulo 2^64

    Args:
        spellings: Ids of characters ``(words, characters)`` int64.
        lengths: Characters of each word ``(words,)`` int64, at least 1.
        longest: Characters of the longest suffix.

    Returns:
        ``(words, longest + 2)`` int64: the empty suffix, those of 1 to ``longest`` characters, and the whole word. A
        suffix longer than the word is ``NONE``.
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
    """A whole number modulo 2^64, as int64."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


class Suffix(nn.Module):
    """The tags that a word had in training, or those of words with its longest known suffix.

        p_k = (counts_k + smoothing p_(k-1)) / (n_k + smoothing),    scores = log p of the longest known

    A suffix counts separately for each casing (capitals, digits). Each different word counts once for each of its
    tags, since unknown words are rare words.

    Args:
        tags: Number of tags.
        options: Options of the network.
    """

    def __init__(self, tags: int, options: SuffixOptions) -> None:
        super().__init__()
        self.tags, self.options = tags, options
        self.register_buffer("keys", torch.empty(0, dtype=torch.int64))
        self.register_buffer("scores", torch.empty(0, tags))
        self.crf = CRF(tags, learned=False)
        self.nothing = nn.Parameter(torch.empty(0))  # the Trainer needs a parameter; this model trains none

    def count(self, batches: Iterable[Sentences], tags: Iterable[Tensor]) -> None:
        """Counts tagged sentences; earlier counts are dropped.

        Args:
            batches: Batches of the sentences.
            tags: Tags of each batch ``(batch, time)`` int64, -1 where a word has none.
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
        """Keys of the suffixes of each word ``(batch, time, longest + 2)``."""
        endings = endings_of(sentences.spellings, sentences.spelling_lengths, self.options.longest)[sentences.places]
        written = (sentences.casing + 1).unsqueeze(-1) * CASED
        endings[..., :-1] = torch.where(endings[..., :-1] == NONE, NONE, endings[..., :-1] ^ written)
        return endings

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Takes the number of keys from the checkpoint."""
        for name in ("keys", "scores"):
            setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.nothing.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _first_of(pairs: Tensor, different: Tensor) -> Tensor:
    """Index of the first occurrence of each different row."""
    _, inverse = pairs.unique(dim=0, return_inverse=True)
    first = torch.full((len(different),), len(pairs), dtype=torch.int64)
    return first.scatter_reduce(0, inverse, torch.arange(len(pairs)), "amin")

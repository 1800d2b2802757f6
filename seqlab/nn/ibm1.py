"""Word-for-word translation from counts: IBM Model 1 (Brown et al. 1993, J93-2003, section 4.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.counted_tables import MOST, are_counts, check_table, is_rising
from seqlab.nn.expectation import BOS, EOS, PAD, Floats, Ints, Rows, blocks_of, expected, flat
from seqlab.options import Options, option

PRIOR = 1.0
"""Pseudo-counts from the unigram distribution, added to the expected counts of each source word."""
LENGTH_PRIOR = 10.0
"""Pseudo-counts from a coarser distribution, added to the counts of sentence ends."""
BASE = 2**31
"""More tokens than any sentence has."""


@dataclass(frozen=True)
class IBM1Options(Options):
    """Options of ``IBM1``."""

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 1e-5

    iterations: int = option(5, "Iterations of expectation maximization over all pairs.", least=1, most=10_000)
    unigram: float = option(
        0.03, "Weight of the unigram distribution in a target word's probability.", least=0, below=1
    )

    def build(self, source_vocab_size: int, target_vocab_size: int) -> "IBM1":
        """The model before counting."""
        return IBM1(source_vocab_size, target_vocab_size, self.iterations, self.unigram)


class Known(NamedTuple):
    """Counts in the form that probabilities need.

    Args:
        keys: Pairs (e, f) that occur, as e * target_vocab_size + f, rising ``(pairs,)`` int64.
        t: t(f | e) of each ``(pairs,)`` float64.
        totals: Expected number of target words of each e ``(source_vocab_size + 1,)`` float64.
        unigram: u(f) ``(target_vocab_size,)`` float64; 0 for ``<pad>``, ``<bos>`` and ``<eos>``.
        shapes: l * BASE + m of every training pair, rising ``(sentences,)`` int64.
        excess: m - l of every training pair, rising ``(sentences,)`` int64.
        end: Share of ends among all target tokens.
    """

    keys: Tensor
    t: Tensor
    totals: Tensor
    unigram: Tensor
    shapes: Tensor
    excess: Tensor
    end: float


def _ended(rising: Tensor, value: Tensor, most: Tensor) -> tuple[Tensor, Tensor]:
    """How many of rising numbers are ``value``, and how many lie between it and ``most``; float64."""
    below, above = (torch.searchsorted(rising, value, right=right).double() for right in (False, True))
    return above - below, torch.searchsorted(rising, most, right=True) - below


def _are_bits(bits: Tensor, size: int, most: float) -> bool:
    """Whether a tensor is ``(size,)`` int64 that holds the bits of float64 numbers from 0 to ``most``."""
    if bits.dtype != torch.int64 or bits.shape != (size,):
        return False
    values = bits.view(torch.float64)
    return bool(((values >= 0) & (values <= most)).all())


class IBM1(nn.Module):
    """IBM Model 1 with probabilities of whole target sentences.

    e_1 ... e_l are the l source words, e_0 is the empty word NULL. After m target words the next word or the end has

        p(f | e) = (1 - h(l, m)) ((1 - unigram) 1 / (l + 1) sum_i t'(f | e_i) + unigram u(f)),  p(<eos> | e) = h(l, m)

        t'(f | e) = (c(e) t(f | e) + PRIOR u(f)) / (c(e) + PRIOR),  u(f) = (c(f) + 1) / sum_f (c(f) + 1)

        h(l, m) = (ended(l, m) + LENGTH_PRIOR h(m - l)) / (reached(l, m) + LENGTH_PRIOR)

    where c(e) is the expected number of words that come from e, ended counts training pairs of l source words and m
    target words, and reached those of at least m; h(m - l) is counted likewise from the differences of all pairs, and
    smoothed with the share of ends among all tokens. Every word has a probability above 0, ``<pad>`` and ``<bos>``
    have 0, and the rest sums to 1. Expectation maximization finds t, from equal values for all pairs (e, f) that occur
    together.

    Args:
        source_vocab_size: Ids of the source; NULL is the one above them.
        target_vocab_size: Ids of the target.
        iterations: Iterations of expectation maximization.
        unigram: Share of u in a word's probability.
    """

    def __init__(
        self, source_vocab_size: int, target_vocab_size: int, iterations: int = 5, unigram: float = 0.03
    ) -> None:
        super().__init__()
        self.source_vocab_size, self.target_vocab_size = source_vocab_size, target_vocab_size
        self.null, self.iterations, self.unigram = source_vocab_size, iterations, unigram
        # float64 is stored as int64 bits, which neither a device without float64 nor a lower precision changes
        sizes = {"keys": 0, "t_bits": 0, "totals_bits": 0, "occurrences": target_vocab_size, "shapes": 0}
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(size, dtype=torch.int64))
        self.nothing = nn.Parameter(torch.empty(0))  # the Trainer needs a parameter; this model trains none
        self._known: Known | None = None
        self._best: Ints | None = None

    def count(self, sources: Rows, targets: Rows) -> None:
        """Counts pairs of sentences; earlier counts are dropped.

        Args:
            sources: Ids of each source, without the end.
            targets: Ids of its translation, without the end.
        """
        keys, blocks = blocks_of(sources, targets, self.null, self.target_vocab_size)
        e = keys // self.target_vocab_size
        t: Floats = np.ones(len(keys))
        totals: Floats = np.zeros(self.null + 1)
        for _ in range(self.iterations):
            counts = expected(t, blocks)
            totals = np.bincount(e, counts, minlength=self.null + 1).astype(np.float64)
            t = counts / np.where(totals > 0, totals, 1.0)[e]
        shapes = np.array([len(s) * BASE + len(f) for s, f in zip(sources, targets, strict=True)], dtype=np.int64)
        found = {
            "keys": keys,
            "t_bits": t.view(np.int64),
            "totals_bits": totals.view(np.int64),
            "occurrences": np.bincount(flat(targets)[0], minlength=self.target_vocab_size),
            "shapes": np.sort(shapes),
        }
        for name, values in found.items():
            setattr(self, name, torch.from_numpy(values).to(self.nothing.device))
        self._known = self._best = None

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in dict(self.named_buffers()):
            setattr(self, name, torch.empty_like(state_dict.get(prefix + name, torch.empty(0))))
        self._known = self._best = None
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._check()

    def _check(self) -> None:
        """Checks that every key is in its bounds and has its numbers."""
        keys, totals = self.get_buffer("keys").cpu(), self.get_buffer("totals_bits").cpu()
        shapes, t = self.get_buffer("shapes").cpu(), self.get_buffer("t_bits").cpu()
        check_table(is_rising(keys, (self.null + 1) * self.target_vocab_size), "keys")
        check_table(_are_bits(t, len(keys), 1.0 + 1e-9), "t_bits")
        check_table(_are_bits(totals, self.null + 1 if len(keys) else len(totals), MOST), "totals_bits")
        check_table(are_counts(self.get_buffer("occurrences"), self.target_vocab_size), "occurrences")
        sound = is_rising(shapes.unique() if shapes.dim() == 1 else shapes, BASE * BASE)
        check_table(sound and bool((shapes[1:] >= shapes[:-1]).all()) and bool(len(shapes) or not len(keys)), "shapes")

    def known(self) -> Known:
        """The counts.

        Raises:
            UserError: Nothing was counted.
        """
        if self._known is None:
            buffers = {name: buffer.cpu() for name, buffer in self.named_buffers()}
            if not len(buffers["keys"]):
                raise UserError("this model has counted nothing yet; call count with the pairs of the training part")
            seen = buffers["occurrences"].double() + 1
            seen[[PAD, BOS, EOS]] = 0
            shapes = buffers["shapes"]
            target_tokens = int((shapes % BASE).sum())
            self._known = Known(
                buffers["keys"],
                buffers["t_bits"].view(torch.float64),
                buffers["totals_bits"].view(torch.float64),
                seen / seen.sum(),
                shapes,
                (shapes % BASE - shapes // BASE).sort().values,
                len(shapes) / (target_tokens + len(shapes)),
            )
        return self._known

    def t(self, words: Tensor, targets: Tensor) -> Tensor:
        """t(f | e), 0 for pairs that never occurred together.

        Args:
            words: Source ids, or ``null``, int64, of a shape that broadcasts with ``targets``.
            targets: int64.

        Returns:
            float64, of the broadcast shape.
        """
        known = self.known()
        wanted = words * self.target_vocab_size + targets
        at = torch.searchsorted(known.keys, wanted).clamp(max=len(known.keys) - 1)
        return known.t[at].where(known.keys[at] == wanted, 0.0)

    def end_probabilities(self, source_words: Tensor, target_words: Tensor) -> Tensor:
        """h(l, m): how likely a target ends after m words.

        Args:
            source_words: l ``(batch, 1)`` int64.
            target_words: m ``(time,)`` int64.

        Returns:
            ``(batch, time)`` float64, above 0 and below 1.
        """
        known, most = self.known(), torch.tensor(BASE - 1)
        ended, reached = _ended(known.excess, target_words - source_words, most)
        coarse = (ended + LENGTH_PRIOR * known.end) / (reached + LENGTH_PRIOR)
        begin = source_words * BASE
        ended, reached = _ended(known.shapes, begin + target_words, begin + most)
        return (ended + LENGTH_PRIOR * coarse) / (reached + LENGTH_PRIOR)

    def probabilities(self, source: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        """p of the target token at each position. It depends on the source and on the number of earlier tokens.

        Args:
            source: ``(batch, positions)`` int64, each row ending in ``<eos>``.
            lengths: Real positions of each source, with ``<eos>``: ``(batch,)`` int64.
            targets: ``(batch, time)`` int64.

        Returns:
            ``(batch, time)`` float64.

        Raises:
            UserError: Nothing was counted.
        """
        source, lengths, targets = source.cpu(), lengths.cpu().unsqueeze(1), targets.cpu()
        place = torch.arange(source.shape[1])
        e = source.masked_fill(place == lengths - 1, self.null).unsqueeze(1)  # NULL takes the place of <eos>
        known = self.known()
        u, c = known.unigram[targets], known.totals[e]  # (batch, time), (batch, 1, positions)
        t = (c * self.t(e, targets.unsqueeze(2)) + PRIOR * u.unsqueeze(2)) / (c + PRIOR)  # (batch, time, positions)
        mean = (t * (place < lengths).unsqueeze(1)).sum(2) / lengths
        h = self.end_probabilities(lengths - 1, torch.arange(targets.shape[1]))
        return torch.where(targets == EOS, h, (1 - h) * ((1 - self.unigram) * mean + self.unigram * u))

    def sentence_nats(self, source: Tensor, lengths: Tensor, inputs: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
        """``nats`` of each sentence ``(batch,)`` float64."""
        p = self.probabilities(source, lengths, targets)
        return -p.where(valid.cpu(), 1.0).log().sum(1).to(source.device)

    def nats(self, source: Tensor, lengths: Tensor, inputs: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
        """Cross-entropy of target sentences, summed over their real tokens, ``<eos>`` included.

        Args:
            source: ``(batch, positions)`` int64, each row ending in ``<eos>``.
            lengths: Real positions of each source, with ``<eos>``: ``(batch,)`` int64.
            inputs: ``(batch, time)`` int64; not used, as no word depends on the one before it.
            targets: ``(batch, time)`` int64, each row ending in ``<eos>``.
            valid: ``(batch, time)`` bool, True at real tokens.

        Returns:
            The sum in nats, a scalar of float64.
        """
        return self.sentence_nats(source, lengths, inputs, targets, valid).sum() + self.nothing.sum()

    def translate_ids(self, sources: Sequence[Sequence[int]]) -> list[list[int]]:
        """Translates word for word, in the order of the source.

        Each e becomes the word f of the highest t(f | e), the lowest id of equal ones. e has no translation if NULL
        explains f as well, t(f | NULL) >= t(f | e), or if e never occurred in training. Reserved tokens are never
        produced.

        Args:
            sources: Ids of each sentence, without the end.

        Returns:
            Ids of each translation, without the end; empty if no word has a translation.

        Raises:
            UserError: Nothing was counted.
        """
        if self._best is None:
            self._best = self._dictionary()
        said = [self._best[np.asarray(row, dtype=np.int64)] for row in sources]
        return [words[words > EOS].tolist() for words in said]

    def _dictionary(self) -> Ints:
        """The translation of each source id, or ``<pad>`` where there is none ``(source_vocab_size + 1,)``."""
        known = self.known()
        e, f = known.keys // self.target_vocab_size, known.keys % self.target_vocab_size
        by_null = self.t(torch.tensor(self.null), f)
        t = known.t.where(f > EOS, 0.0)
        highest = t.new_zeros(self.null + 1).scatter_reduce(0, e, t, "amax")
        chosen = ((t > 0) & (t == highest[e])).nonzero().squeeze(1).flip(0)  # of equal ones the lowest f comes last
        best = np.full(self.null + 1, PAD, dtype=np.int64)
        best[e[chosen].numpy()] = f[chosen].where(t[chosen] > by_null[chosen], PAD).numpy()
        return best

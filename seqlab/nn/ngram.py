"""n-gram probabilities from counts: unsmoothed, Laplace, and interpolated modified Kneser-Ney."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.counted_tables import are_counts, check_table, is_rising
from seqlab.options import Options, option
from seqlab.recurrence.stack import State
from seqlab.recurrence.state import RowsOfState

Smoothing = Literal["none", "laplace", "kneser_ney"]
FEW_IDS = 256
"""Ids up to which tokens are characters, as a rule."""
FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where a text has no n-grams of one to four occurrences to estimate them from (Heafield et al. 2013)."""


class Level(NamedTuple):
    """The counts of m-grams, for one m; an m-gram has the number of its row.

    Args:
        keys: Number of the m-gram's first m - 1 tokens, times vocab_size, plus its last, rising ``(types,)`` int64.
        counts: Occurrences of each, or for Kneser-Ney's lower orders the tokens that it follows ``(types,)`` int64.
        totals: Sum of the counts after each beginning of m - 1 tokens ``(shorter types,)`` float64.
        left: Sum of the discounts after each of them ``(shorter types,)`` float64; what the lower order gets.
        discounts: Taken off a count of 0, 1, 2 and 3 or more ``(4,)`` float64.
    """

    keys: Tensor
    counts: Tensor
    totals: Tensor
    left: Tensor
    discounts: Tensor


def discounts(counts: Tensor) -> tuple[float, float, float]:
    """D1, D2 and D3+ of modified Kneser-Ney (Chen & Goodman 1998, equation 26).

        Y = n1 / (n1 + 2 n2),  Dk = k - (k + 1) Y n(k+1) / nk

    Args:
        counts: Of each distinct m-gram ``(types,)`` int64.

    Returns:
        The three, or ``FALLBACK`` where one of n1 to n4 is 0 or one of the three is not between 0 and k.
    """
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    if not n1 * n2 * n3 * n4:
        return FALLBACK
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return found if all(0 <= d <= k for k, d in enumerate(found, 1)) else FALLBACK


def _level(keys: Tensor, counts: Tensor, shorter: int, vocab_size: int, taken: tuple[float, float, float]) -> Level:
    beginnings = keys // vocab_size
    by_count = torch.tensor([0.0, *taken], dtype=torch.float64)
    zeros = torch.zeros(shorter, dtype=torch.float64)
    totals = zeros.index_add(0, beginnings, counts.double())
    left = zeros.index_add(0, beginnings, by_count[counts.clamp(max=3)])
    return Level(keys, counts, totals, left, by_count)


def _find(keys: Tensor, beginnings: Tensor, tokens: Tensor, vocab_size: int) -> Tensor:
    """The number of each m-gram, of its beginning's number and its last token; -1 where there is none."""
    wanted = beginnings * vocab_size + tokens
    place = torch.searchsorted(keys, wanted).clamp(max=max(0, len(keys) - 1))
    there = (beginnings >= 0) & (tokens >= 0)
    there &= keys[place] == wanted if len(keys) else torch.zeros_like(there)
    return torch.where(there, place, -1)


def _taken(values: Tensor, places: Tensor) -> Tensor:
    """The values at places; 0 at -1, and where there are no values at all."""
    return values[places.clamp(min=0)] if len(values) else torch.zeros_like(places, dtype=values.dtype)


@dataclass(frozen=True)
class NGramOptions(Options):
    """Options of ``NGram``.

    Raises:
        UserError: A value is out of its bounds.
    """

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 1e-5

    order: int | None = option(
        None,
        "Tokens in the longest n-gram: the one predicted and order - 1 before it; 7 if not given and there are at most "
        "256 ids, else 3.",
        least=1,
        most=62,
    )
    smoothing: Smoothing = option(
        "kneser_ney",
        "none (relative frequencies), laplace (one more of everything) or kneser_ney (interpolated, modified).",
    )

    def build(self, vocab_size: int) -> "NGram":
        """The network, before it has counted anything."""
        order = self.order
        if order is None:
            order = 7 if vocab_size <= FEW_IDS else 3
        return NGram(vocab_size, order, self.smoothing)


class NGram(nn.Module, RowsOfState):
    """Counts of the 1- to n-grams of a text, and the probabilities that they give.

    The distinct m-grams stand in a trie: each is found by the number of its first m - 1 tokens and its last one, so
    that time and memory grow with them and no vocabulary or order is too large. They are kept as numbers of base
    vocab_size where the longest fit into 63 bits.

    A token before the beginning of the text is -1. Laplace and unsmoothed probabilities use as much of a context as
    there is; Kneser-Ney backs off from a context that was never seen to a shorter one, and from single tokens to the
    uniform distribution, so that every token of the vocabulary has a probability above 0.

    Args:
        vocab_size: Ids.
        order: Tokens in the longest n-gram: the one predicted and order - 1 before it.
        smoothing: none, laplace or kneser_ney (Chen & Goodman 1998).

    Raises:
        UserError: A value is out of its range.
    """

    rows_axis = 0

    def __init__(self, vocab_size: int, order: int = 3, smoothing: Smoothing = "kneser_ney") -> None:
        super().__init__()
        NGramOptions(order, smoothing)
        self.vocab_size, self.order, self.smoothing = vocab_size, order, smoothing
        for m in range(1, order + 1):
            self.register_buffer(f"keys_{m}", torch.empty(0, dtype=torch.int64))
            self.register_buffer(f"counts_{m}", torch.empty(0, dtype=torch.int64))
        self._packs = vocab_size**order < 2**63
        self.nothing = nn.Parameter(torch.empty(0))  # a Trainer steps parameters; there are none to learn
        self._levels: list[Level] = []

    def count(self, ids: Tensor, begin: int | None = None) -> None:
        """Counts a text in place of what was counted before.

        Args:
            ids: ``(tokens,)`` int64.
            begin: The id that begins each item, where a text has several: nothing before it counts, nor it itself.
        """
        numbers = torch.zeros(len(ids), dtype=torch.int64)  # of the shorter gram that ends before each position
        whole = torch.ones(len(ids), dtype=torch.bool)
        spelled = torch.zeros(1, dtype=torch.int64)
        for m in range(1, self.order + 1):
            last = ids[m - 1 :]
            keys = numbers[: len(last)] * self.vocab_size + last
            whole = whole[: len(last)]
            if begin is not None and m > 1:
                whole = whole & (last != begin)
            kept, place, counts = keys[whole].unique(return_inverse=True, return_counts=True)
            numbers = torch.zeros(len(keys), dtype=torch.int64)
            numbers[whole] = place
            if begin is not None and m == 1:
                counts[kept == begin] = 0
            spelled = self._packed(kept, spelled) if self._packs else kept
            setattr(self, f"keys_{m}", spelled.to(self.nothing.device))
            setattr(self, f"counts_{m}", counts.to(self.nothing.device))
        self._levels = []

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in dict(self.named_buffers()):
            setattr(self, name, torch.empty_like(state_dict.get(prefix + name, torch.empty(0))))
        self._levels = []
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._check()

    def _check(self) -> None:
        """Checks that every key is in its bounds and has the key of its beginning."""
        shorter = torch.zeros(1, dtype=torch.int64)
        for m in range(1, self.order + 1):
            keys, counts = self.get_buffer(f"keys_{m}").cpu(), self.get_buffer(f"counts_{m}").cpu()
            end = self.vocab_size**m if self._packs else len(shorter) * self.vocab_size
            there = is_rising(keys, end)
            if there and self._packs:
                beginnings = keys // self.vocab_size
                place = torch.searchsorted(shorter, beginnings).clamp(max=max(0, len(shorter) - 1))
                there = bool((_taken(shorter, place) == beginnings).all()) and bool(len(shorter) or not len(keys))
            check_table(there, f"keys_{m}")
            check_table(are_counts(counts, len(keys)), f"counts_{m}")
            shorter = keys

    def _packed(self, keys: Tensor, shorter: Tensor) -> Tensor:
        """m-grams as numbers of base vocab_size, of their keys and the shorter ones as such numbers."""
        return shorter[keys // self.vocab_size] * self.vocab_size + keys % self.vocab_size

    def _keys(self) -> list[Tensor]:
        """The keys of 1-grams to n-grams, see ``Level``."""
        kept = [self.get_buffer(f"keys_{m}").cpu() for m in range(1, self.order + 1)]
        if not self._packs:
            return kept
        beginnings = (torch.searchsorted(shorter, longer // self.vocab_size) for shorter, longer in pairwise(kept))
        numbers = (number * self.vocab_size for number in beginnings)
        return kept[:1] + [number + keys % self.vocab_size for number, keys in zip(numbers, kept[1:], strict=True)]

    def levels(self) -> list[Level]:
        """The counts that the smoothing uses, of 1-grams to n-grams."""
        if not self._levels:
            nodes = self._keys()
            counts = [self.get_buffer(f"counts_{m}").cpu() for m in range(1, self.order + 1)]
            if self.smoothing == "kneser_ney":
                counts[:-1] = self._continuations(nodes)
            for m, (keys, seen) in enumerate(zip(nodes, counts, strict=True)):
                taken = discounts(seen) if self.smoothing == "kneser_ney" else (0.0, 0.0, 0.0)
                self._levels.append(_level(keys, seen, len(nodes[m - 1]) if m else 1, self.vocab_size, taken))
        return self._levels

    def _continuations(self, nodes: list[Tensor]) -> list[Tensor]:
        """How many tokens each gram that is shorter than the longest follows, or how often it occurs where it follows
        none, since it begins the text or an item (Heafield et al. 2013, section 3.2)."""
        found: list[Tensor] = []
        without_first = torch.zeros(len(nodes[0]), dtype=torch.int64)  # of each gram, the number of the rest of it
        for shorter, longer in pairwise(nodes):
            beginnings, last = longer // self.vocab_size, longer % self.vocab_size
            without_first = _find(shorter, without_first[beginnings], last, self.vocab_size)
            check_table(bool((without_first >= 0).all()), f"keys_{len(found) + 1}")
            follows = without_first.bincount(minlength=len(shorter))
            occurs = self.get_buffer(f"counts_{len(found) + 1}").cpu()
            found.append(torch.where(follows > 0, follows, occurs))
        return found

    def probabilities(self, contexts: Tensor, targets: Tensor) -> Tensor:
        """p(target | context) for each row; 0 for all targets of a context that an unsmoothed model never saw.

        Kneser-Ney, from p_0 = 1 / vocab_size up:

            p_m(w | h) = (c(hw) - D(c(hw)) + left(h) p_(m-1)(w | h without its first token)) / total(h)

        Args:
            contexts: The tokens before each target, -1 before the beginning ``(rows, order - 1)`` int64.
            targets: ``(rows,)`` int64.

        Returns:
            ``(rows,)`` float64.
        """
        return self._smoothed(F.pad(contexts, (1, 0), value=-1), targets.unsqueeze(1)).squeeze(1)

    def distributions(self, contexts: Tensor) -> Tensor:
        """p of every token after each of the contexts ``(rows, order - 1)``: ``(rows, vocab_size)`` float64."""
        history = F.pad(contexts, (1, 0), value=-1)
        return self._smoothed(history, torch.arange(self.vocab_size).view(1, 1, -1)).squeeze(1)

    def _smoothed(self, history: Tensor, targets: Tensor) -> Tensor:
        """p of targets after each position of rows but the first order - 1, as ``probabilities`` has it.

        Args:
            history: ``(rows, order - 1 + positions)`` int64.
            targets: Of each position ``(rows, positions)``, or several of them in a further axis, int64.

        Returns:
            float64, of the shape of ``targets``, or of what it is broadcast to.
        """
        positions = history.shape[1] - self.order + 1
        p = torch.tensor(1 / self.vocab_size, dtype=torch.float64)
        for m, (level, number) in enumerate(zip(self.levels(), self._numbers(history), strict=True), 1):
            number, first = number[:, self.order - 1 :], history[:, self.order - m + 1 :][:, :positions]
            whole = first >= 0 if m > 1 else torch.ones_like(number, dtype=torch.bool)
            if targets.ndim > number.ndim:
                number, whole = number.unsqueeze(2), whole.unsqueeze(2)
            p = self._raised(level, number, whole, targets, p)
        return p

    def _numbers(self, history: Tensor) -> Iterator[Tensor]:
        """The number of the last 0, 1, ..., order - 1 tokens up to each position of rows, -1 where there is none."""
        before = torch.zeros_like(history)
        yield before
        for level in self.levels()[:-1]:
            number = _find(level.keys, before, history, self.vocab_size)
            yield number
            before = F.pad(number[:, :-1], (1, 0), value=-1)

    def _raised(self, level: Level, number: Tensor, whole: Tensor, targets: Tensor, p: Tensor) -> Tensor:
        """p_m of p_(m-1), of the numbers of contexts of m - 1 tokens, and of whether these are tokens of the text."""
        gram = _find(level.keys, number, targets, self.vocab_size)
        known = number.clamp(min=0)
        counts = torch.where(gram >= 0, _taken(level.counts, gram), 0)
        totals = torch.where(number >= 0, _taken(level.totals, known), 0)
        if self.smoothing == "laplace":
            return torch.where(whole, (counts + 1) / (totals + self.vocab_size), p)
        if self.smoothing == "none":
            return torch.where(whole, counts / totals.clamp(min=1), p)
        rest = counts - level.discounts[counts.clamp(max=3)] + _taken(level.left, known) * p
        return torch.where(totals > 0, rest / totals.clamp(min=1), p)

    def after(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """p of every token after each position of ids ``(batch, time)``: ``(batch, time, vocab_size)`` float64, and the
        state, see ``forward``."""
        history, state = self._history(ids, state)
        return self._smoothed(history, torch.arange(self.vocab_size).view(1, 1, -1)), state

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logarithms of the probabilities of the token after each position.

        Args:
            ids: ``(batch, time)`` int64.
            state: The order - 1 tokens before the first position ``(batch, order - 1)``; none if not given.

        Returns:
            ``(batch, time, vocab_size)`` float64, and the state after the last position.

        Raises:
            UserError: An unsmoothed model never saw the last context, so that nothing can follow it.
        """
        p, state = self.after(ids, state)
        if (p[:, -1].sum(-1) == 0).any():
            raise UserError(
                f"nothing ever followed these {self.order - 1} tokens in the training text, and an unsmoothed model "
                "knows no more; give another --prefix, or train with --model.smoothing kneser_ney"
            )
        return p.log().to(ids.device), state

    def nats(
        self, ids: Tensor, targets: Tensor, valid: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, int | Tensor, State]:
        """Cross-entropy summed over tokens, infinite where one of them has probability 0.

        Args:
            ids: ``(batch, time)`` int64.
            targets: The token after each of them, ``(batch, time)`` int64.
            valid: ``(batch, time)`` bool, True at real tokens; None where all are.
            state: The order - 1 tokens before the first position ``(batch, order - 1)``; none if not given.

        Returns:
            The sum in nats, how many tokens it is over, and the state after the last position.
        """
        each, state = self.token_nats(ids, targets, state)
        real = each if valid is None else each[valid]
        return real.sum() + self.nothing.sum(), real.numel(), state

    @torch.no_grad()
    def token_nats(self, ids: Tensor, targets: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As ``nats``, of each position by itself ``(batch, time)`` float64."""
        history, state = self._history(ids, state)
        return -self._smoothed(history, targets.cpu()).log().to(ids.device), state

    def memory_in_words(self, streams: int, noun: str) -> str:
        """What a report says of the state in so many streams, or whatever the noun calls them."""
        many = f"{streams:,} {noun}{'s' * (streams > 1)}"
        return f"the {self.order - 1:,} tokens before each one, carried through {many}"

    def state_bytes(self, rows: int, tokens: int) -> int:
        """Bytes that the state of so many rows takes after so many tokens."""
        return rows * (self.order - 1) * torch.int64.itemsize

    def _history(self, ids: Tensor, state: State | None) -> tuple[Tensor, State]:
        """The tokens up to each position ``(batch, order - 1 + time)``, and the state after the last."""
        length = self.order - 1
        before = state[0].long() if state is not None else ids.new_full((len(ids), length), -1)
        history = torch.cat([before, ids], 1)
        return history.cpu(), (history[:, history.shape[1] - length :],)

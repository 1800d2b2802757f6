"""n-gram language model from counts: unsmoothed, Laplace, or interpolated modified Kneser-Ney."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.counted_tables import are_counts, check_table, is_rising
from seqlab.nn.gram_counts import count_grams
from seqlab.nn.gram_levels import Level, discounts, find, level_of, values_at
from seqlab.options import Options, option
from seqlab.recurrence.stack import State
from seqlab.recurrence.state import RowsOfState

Smoothing = Literal["none", "laplace", "kneser_ney"]
FEW_IDS = 256
"""Most ids of a vocabulary of characters, as a rule."""


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
        "Tokens in the longest n-gram: the predicted one and order - 1 before it; if not given, 7 for at most 256 ids, "
        "else 3.",
        least=1,
        most=62,
    )
    smoothing: Smoothing = option(
        "kneser_ney",
        "none (relative frequencies), laplace (add one to every count) or kneser_ney (interpolated, modified).",
    )

    def build(self, vocab_size: int) -> "NGram":
        """The model, with empty counts."""
        order = self.order
        if order is None:
            order = 7 if vocab_size <= FEW_IDS else 3
        return NGram(vocab_size, order, self.smoothing)


class NGram(nn.Module, RowsOfState):
    """Counts of the 1- to n-grams of a text, and their probabilities.

    The distinct m-grams form a trie: each is found by the number of its first m - 1 tokens and by its last token. Time
    and memory grow with the number of distinct m-grams, so that no vocabulary and no order is too large. Checkpoints
    hold them as numbers to the base vocab_size, if the longest fit into 63 bits.

    A token before the beginning of the text is -1. Laplace and unsmoothed probabilities shorten the context at the
    beginning of the text. An unsmoothed model gives 0 to all tokens after an unseen context. Kneser-Ney backs off from
    an unseen context to a shorter one, and from single tokens to the uniform distribution p_0 = 1 / vocab_size, so that
    every token of the vocabulary has a probability above 0:

        p_m(w | h) = (c(hw) - D(c(hw)) + left(h) p_(m-1)(w | h without its first token)) / total(h)

    Args:
        vocab_size: Number of ids.
        order: Tokens in the longest n-gram: the predicted one and order - 1 before it.
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
        self.nothing = nn.Parameter(torch.empty(0))  # a Trainer needs a parameter; counts are none
        self._levels: list[Level] = []

    def count(self, ids: Any, begin: int | None = None) -> None:
        """Counts a text, instead of the text before.

        Args:
            ids: Text ``(tokens,)`` of integers, as an array or a tensor on the CPU.
            begin: Id of the token that begins each item, for a text of several items, see ``count_grams``.
        """
        shorter = torch.zeros(1, dtype=torch.int64)
        for m, found in enumerate(count_grams(np.asarray(ids), self.order, self.vocab_size, begin), 1):
            keys, counts = (torch.from_numpy(part) for part in found)
            shorter = self._packed(keys, shorter) if self._packs else keys
            setattr(self, f"keys_{m}", shorter.to(self.nothing.device))
            setattr(self, f"counts_{m}", counts.to(self.nothing.device))
        self._levels = []

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in dict(self.named_buffers()):
            setattr(self, name, torch.empty_like(state_dict.get(prefix + name, torch.empty(0))))
        self._levels = []
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._check()

    def _check(self) -> None:
        """Checks that every key is in its bounds, and that the first m - 1 tokens of every m-gram are in the table."""
        shorter = torch.zeros(1, dtype=torch.int64)
        for m in range(1, self.order + 1):
            keys, counts = self.get_buffer(f"keys_{m}").cpu(), self.get_buffer(f"counts_{m}").cpu()
            end = self.vocab_size**m if self._packs else len(shorter) * self.vocab_size
            there = is_rising(keys, end)
            if there and self._packs:
                beginnings = keys // self.vocab_size
                place = torch.searchsorted(shorter, beginnings).clamp(max=max(0, len(shorter) - 1))
                there = bool((values_at(shorter, place) == beginnings).all()) and bool(len(shorter) or not len(keys))
            check_table(there, f"keys_{m}")
            check_table(are_counts(counts, len(keys)), f"counts_{m}")
            shorter = keys

    def _packed(self, keys: Tensor, shorter: Tensor) -> Tensor:
        """m-grams as numbers to the base vocab_size, from their keys and from such numbers of the (m - 1)-grams."""
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
        """The levels of 1-grams to n-grams, as the smoothing needs them."""
        if not self._levels:
            nodes = self._keys()
            counts = [self.get_buffer(f"counts_{m}").cpu() for m in range(1, self.order + 1)]
            if self.smoothing == "kneser_ney":
                counts[:-1] = self._continuations(nodes)
            for m, (keys, seen) in enumerate(zip(nodes, counts, strict=True)):
                taken = discounts(seen) if self.smoothing == "kneser_ney" else (0.0, 0.0, 0.0)
                self._levels.append(level_of(keys, seen, len(nodes[m - 1]) if m else 1, self.vocab_size, taken))
        return self._levels

    def _continuations(self, nodes: list[Tensor]) -> list[Tensor]:
        """Number of different tokens before each m-gram, for m below ``order``.

        An m-gram with none before it, at the beginning of the text or of an item, keeps its occurrences (Heafield et
        al. 2013, section 3.2).
        """
        found: list[Tensor] = []
        without_first = torch.zeros(len(nodes[0]), dtype=torch.int64)  # number of each m-gram without its first token
        for shorter, longer in pairwise(nodes):
            beginnings, last = longer // self.vocab_size, longer % self.vocab_size
            without_first = find(shorter, without_first[beginnings], last, self.vocab_size)
            check_table(bool((without_first >= 0).all()), f"keys_{len(found) + 1}")
            follows = without_first.bincount(minlength=len(shorter))
            occurs = self.get_buffer(f"counts_{len(found) + 1}").cpu()
            found.append(torch.where(follows > 0, follows, occurs))
        return found

    def _smoothed(self, history: Tensor, targets: Tensor) -> Tensor:
        """p of the targets at each position of several rows.

        Args:
            history: Tokens up to each position, from order - 1 before the first on
                ``(rows, order - 1 + positions)`` int64.
            targets: Target at each position ``(rows, positions)``, or several of them on a further axis, int64.

        Returns:
            Probabilities in the (broadcast) shape of ``targets``, float64.
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
        """Number of the m-gram that ends at each position, for m from 0 to order - 1; -1 for an unseen one."""
        before = torch.zeros_like(history)
        yield before
        for level in self.levels()[:-1]:
            number = find(level.keys, before, history, self.vocab_size)
            yield number
            before = F.pad(number[:, :-1], (1, 0), value=-1)

    def _raised(self, level: Level, number: Tensor, whole: Tensor, targets: Tensor, p: Tensor) -> Tensor:
        """p_m from p_(m-1).

        Args:
            level: Counts of the m-grams.
            number: Number of the context of m - 1 tokens at each position.
            whole: Whether all tokens of that context are tokens of the text.
            targets: See ``_smoothed``.
            p: p_(m-1).
        """
        gram = find(level.keys, number, targets, self.vocab_size)
        known = number.clamp(min=0)
        counts = torch.where(gram >= 0, values_at(level.counts, gram), 0)
        totals = torch.where(number >= 0, values_at(level.totals, known), 0)
        if self.smoothing == "laplace":
            return torch.where(whole, (counts + 1) / (totals + self.vocab_size), p)
        if self.smoothing == "none":
            return torch.where(whole, counts / totals.clamp(min=1), p)
        rest = counts - level.discounts[counts.clamp(max=3)] + values_at(level.left, known) * p
        return torch.where(totals > 0, rest / totals.clamp(min=1), p)

    def after(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Probabilities ``(batch, time, vocab_size)`` float64 of the token after each position, and the state.

        The arguments are those of ``forward``; an id before the beginning of the text is -1.
        """
        history, state = self._history(ids, state)
        return self._smoothed(history, torch.arange(self.vocab_size).view(1, 1, -1)), state

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Log-probabilities of the token after each position.

        Args:
            ids: ``(batch, time)`` int64.
            state: The order - 1 tokens before the first position ``(batch, order - 1)``; none if not given.

        Returns:
            ``(batch, time, vocab_size)`` float64, and the state after the last position.

        Raises:
            UserError: The last context is unseen, and the model is unsmoothed: no token can follow.
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
        """Cross-entropy, summed over the tokens; infinite if a token has probability 0.

        Args:
            ids: ``(batch, time)`` int64.
            targets: The token after each of them ``(batch, time)`` int64.
            valid: ``(batch, time)`` bool, True at real tokens; None if all are real.
            state: The order - 1 tokens before the first position ``(batch, order - 1)``; none if not given.

        Returns:
            The sum in nats, the number of tokens, and the state after the last position.
        """
        each, state = self.token_nats(ids, targets, state)
        real = each if valid is None else each[valid]
        return real.sum() + self.nothing.sum(), real.numel(), state

    @torch.no_grad()
    def token_nats(self, ids: Tensor, targets: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Cross-entropy of each token in nats ``(batch, time)`` float64, and the state, see ``nats``."""
        history, state = self._history(ids, state)
        return -self._smoothed(history, targets.cpu()).log().to(ids.device), state

    def memory_in_words(self, streams: int, noun: str) -> str:
        """A phrase for reports about the state of so many streams (or of what the noun says)."""
        many = f"{streams:,} {noun}{'s' * (streams > 1)}"
        return f"the {self.order - 1:,} tokens before each one, carried through {many}"

    def state_bytes(self, rows: int, tokens: int) -> int:
        """Bytes of the state of so many rows, after so many tokens."""
        return rows * (self.order - 1) * torch.int64.itemsize

    def _history(self, ids: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Tokens up to each position ``(batch, order - 1 + time)``, and the state after the last."""
        length = self.order - 1
        before = state[0].long() if state is not None else ids.new_full((len(ids), length), -1)
        history = torch.cat([before, ids], 1)
        return history.cpu(), (history[:, history.shape[1] - length :],)

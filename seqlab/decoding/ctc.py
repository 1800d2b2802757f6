"""Decoding of connectionist temporal classification: paths of symbols and blanks -> strings (Graves et al. 2006).

Symbols are numbered from 0. In log-probabilities ``(batch, steps, symbols + 1)`` column 0 is the blank and column
``s + 1`` is the symbol ``s``. A path becomes a string by merging equal neighbours and then removing blanks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.recurrence.lengths import valid_steps

BLANK = 0
BASE = 6364136223846793005
"""Base of the hash of prefixes, an odd number of 63 bits."""
EMPTY, NOTHING, NOBODY = 1, 0, -1
"""Keys of the empty prefix, of its parent and of free places, and of the parent of free places."""


class Reading(NamedTuple):
    """A predicted string.

    Args:
        symbols: Its ids.
        log_probability: Log-probability given the picture, in nats, over the paths that the search kept.
        score: Score of the ranking: with an n-gram, ``log_probability`` plus the weighted n-gram log-probability.
    """

    symbols: list[int]
    log_probability: float
    score: float


class Span(NamedTuple):
    """Position of a symbol.

    Args:
        first: First step, from 0.
        last: Last step.
        probability: Highest probability of the symbol in these steps.
    """

    first: int
    last: int
    probability: float


def best_path(log_probs: Tensor, lengths: Tensor) -> list[list[int]]:
    """The string of the most likely path of each row, which may differ from the most likely string.

    Args:
        log_probs: ``(batch, steps, symbols + 1)``.
        lengths: Real steps of each row ``(batch,)`` int64.
    """
    path = log_probs.argmax(-1).masked_fill(~valid_steps(lengths, log_probs.shape[1]).t(), BLANK)
    said = (path != BLANK) & (path != F.pad(path, (1, 0), value=BLANK)[:, :-1])
    return [[one - 1 for one in row[kept].tolist()] for row, kept in zip(path.cpu(), said.cpu(), strict=True)]


@torch.no_grad()
def prefix_search(
    log_probs: Tensor, lengths: Tensor, size: int, grams: Tensor | None = None, weight: float = 0.0
) -> list[list[Reading]]:
    """Prefix beam search: the most likely strings of each row, the best first (Graves et al. 2006, section 3.2).

    For each prefix y it sums the paths up to a step, separately those that end in a blank and those that do not:

        blank_t(y)  = (blank_t-1(y) + symbol_t-1(y)) p_t(blank)
        symbol_t(y) = symbol_t-1(y) p_t(y's last) + p_t(y's last) * sum of y without its last symbol: both kinds of
                      paths, or only those with a blank at the end if the last two symbols of y are equal

    The score of a prefix is log(blank + symbol) + weight * its n-gram log-probability, which includes the end after the
    last step. A beam that drops nothing finds the string with the highest score.

    Args:
        log_probs: ``(batch, steps, symbols + 1)``.
        lengths: Real steps of each row ``(batch,)`` int64.
        size: Prefixes to keep at each step.
        grams: Result of ``seqlab.nn.string_grams.grams_of``; None for no n-gram.
        weight: Weight of its log-probabilities.
    """
    log_probs = log_probs.double()
    batch, steps, ids = log_probs.shape
    beam = _Beam(batch, size, ids - 1, log_probs.device, None if grams is None else grams.to(log_probs), weight)
    for step in range(steps):
        beam.step(log_probs[:, step], step < lengths)
    return beam.readings()


class _Beam:
    """Prefixes of each row, best first; free places have probability 0.

    Attributes:
        blank, symbol: Log-probability of the paths that end in a blank, or in a symbol ``(batch, size)``.
        last: Column of the last symbol, 0 for the empty prefix ``(batch, size)``.
        key, parent: Hash keys of a prefix, and of the prefix without its last symbol.
        spoken: Log-probability by the n-gram; ``context`` is its context.
        tokens: Columns of the symbols ``(batch, size, steps)``, 0 where a step added none.
    """

    def __init__(
        self, batch: int, size: int, symbols: int, device: torch.device, grams: Tensor | None, weight: float
    ) -> None:
        self.size, self.symbols, self.weight = size, symbols, weight
        self.grams = torch.zeros(1, symbols + 1, dtype=torch.float64, device=device) if grams is None else grams
        whole = torch.zeros(batch, size, dtype=torch.int64, device=device)
        self.last, self.context, self.key, self.parent = whole, whole, whole.clone(), torch.full_like(whole, NOBODY)
        self.key[:, 0], self.parent[:, 0] = EMPTY, NOTHING
        self.symbol = torch.full((batch, size), -torch.inf, dtype=torch.float64, device=device)
        self.blank, self.spoken = self.symbol.clone(), torch.zeros_like(self.symbol)
        self.blank[:, 0] = 0.0
        self.tokens = whole.unsqueeze(2)[:, :, :0]

    def step(self, log_probs: Tensor, real: Tensor) -> None:
        """Reads one step ``(batch, symbols + 1)`` of the rows that are ``real`` ``(batch,)``."""
        total = torch.logaddexp(self.blank, self.symbol)
        stays_blank = total + log_probs[:, :1]
        stays_symbol = self.symbol + log_probs.gather(1, self.last)
        columns = torch.arange(1, self.symbols + 1, device=total.device)
        begins = torch.where(self.last.unsqueeze(2) == columns, self.blank.unsqueeze(2), total.unsqueeze(2))
        grows = begins + log_probs[:, None, 1:]  # (batch, size, symbols)
        child = self.key.unsqueeze(2) == self.parent.unsqueeze(1)  # (batch, prefix, the same and a symbol)
        ends = self.last.unsqueeze(1).expand_as(child)
        gained = grows.gather(2, (ends - 1).clamp(min=0)).masked_fill(~child, -torch.inf).amax(1)
        stays_symbol = torch.logaddexp(stays_symbol, gained)
        there = torch.zeros(*total.shape, self.symbols + 1, device=total.device).scatter_add_(2, ends, child.float())
        grows = grows.masked_fill(there[:, :, 1:] > 0, -torch.inf)
        spoken = self.spoken.unsqueeze(2) + self.grams[self.context][:, :, : self.symbols]
        ranked = torch.cat(
            [
                torch.logaddexp(stays_blank, stays_symbol) + self.weight * self.spoken,
                (grows + self.weight * spoken).flatten(1),
            ],
            1,
        )
        scores, places = ranked.topk(self.size, 1)
        stays, free = places < self.size, scores == -torch.inf
        row = torch.where(stays, places, (places - self.size).clamp(min=0) // self.symbols)
        grown = (places - self.size).clamp(min=0)
        column = grown % self.symbols + 1

        def chosen(stay: Tensor, grow: Tensor) -> Tensor:
            return torch.where(stays, stay.gather(1, row), grow)

        key = self.key.gather(1, row)
        token = torch.where(stays, 0, column)
        self._take(
            real,
            blank=chosen(stays_blank, torch.full_like(scores, -torch.inf)).masked_fill(free, -torch.inf),
            symbol=chosen(stays_symbol, grows.flatten(1).gather(1, grown)).masked_fill(free, -torch.inf),
            last=chosen(self.last, column),
            parent=chosen(self.parent, key).masked_fill(free, NOBODY),
            key=torch.where(stays, key, key * BASE + column + 1).masked_fill(free, NOTHING),
            spoken=chosen(self.spoken, spoken.flatten(1).gather(1, grown)),
            context=chosen(self.context, (self.context.gather(1, row) * (self.symbols + 1) + column) % len(self.grams)),
        )
        rows = torch.where(real.unsqueeze(1), row, torch.arange(self.size, device=row.device))
        kept = self.tokens.gather(1, rows.unsqueeze(2).expand_as(self.tokens))
        self.tokens = torch.cat([kept, (token * real.unsqueeze(1)).unsqueeze(2)], 2)

    def _take(self, real: Tensor, **values: Tensor) -> None:
        for name, value in values.items():
            setattr(self, name, torch.where(real.unsqueeze(1), value, getattr(self, name)))

    def readings(self) -> list[list[Reading]]:
        """The strings after the last step."""
        total = torch.logaddexp(self.blank, self.symbol)
        ended = self.spoken + self.grams[self.context][:, :, self.symbols]
        scores, order = (total + self.weight * ended).sort(dim=1, descending=True, stable=True)
        tokens = self.tokens.gather(1, order.unsqueeze(2).expand_as(self.tokens))
        rows = zip(tokens.tolist(), total.gather(1, order).tolist(), scores.tolist(), strict=True)
        return [
            [
                Reading([one - 1 for one in path if one], log, score)
                for path, log, score in zip(*row, strict=True)
                if score > -torch.inf
            ]
            for row in rows
        ]


@torch.no_grad()
def spans(log_probs: Tensor, lengths: Tensor, strings: Sequence[Sequence[int]]) -> list[list[Span]]:
    """Position of each symbol of a string on its most likely path (Viterbi 1967 over symbols with blanks between).

    The path goes through the states blank, first symbol, blank, second symbol ... blank: from each state to itself, to
    the next state, or over a blank to the next symbol if that differs.

    Args:
        log_probs: ``(batch, steps, symbols + 1)``.
        lengths: Real steps of each row ``(batch,)`` int64.
        strings: Ids of the symbols of each row.

    Returns:
        One span per symbol; empty for a string that needs more steps than there are.
    """
    log_probs = log_probs.double()
    batch, steps, _ = log_probs.shape
    longest, device = max(map(len, strings), default=0), log_probs.device
    if not steps:
        return [[] for _ in strings]
    columns = torch.tensor([[one + 1 for one in row] + [BLANK] * (longest - len(row)) for row in strings]).to(device)
    states = torch.full((batch, 2 * longest + 1), BLANK, device=device)
    states[:, 1::2] = columns.view(batch, longest)
    emitted = log_probs.gather(2, states.unsqueeze(1).expand(-1, steps, -1))  # (batch, steps, states)
    skips = torch.zeros_like(states, dtype=torch.bool)
    skips[:, 2:] = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    best = torch.full_like(emitted[:, 0], -torch.inf)
    best[:, :2] = emitted[:, 0, :2]
    came = []
    for step in range(1, steps):
        over = F.pad(best, (2, 0), value=-torch.inf)[:, :-2].masked_fill(~skips, -torch.inf)
        ways = torch.stack([best, F.pad(best, (1, 0), value=-torch.inf)[:, :-1], over])
        reached, back = ways.max(0)
        real = (step < lengths).unsqueeze(1)
        best = torch.where(real, reached + emitted[:, step], best)
        came.append(torch.where(real, back, 0))
    ends = 2 * torch.tensor([len(row) for row in strings], device=device)
    pair = torch.stack([best.gather(1, (ends - 1).clamp(min=0).unsqueeze(1)), best.gather(1, ends.unsqueeze(1))], 2)
    before = (pair[:, 0, 0] > pair[:, 0, 1]) & (ends > 0)
    possible = pair.amax(2)[:, 0] > -torch.inf
    place = ends - before.long()
    path = [place]
    for back in reversed(came):
        place = place - back.gather(1, place.unsqueeze(1)).squeeze(1)
        path.append(place)
    way = torch.stack(path[::-1], 1)  # (batch, steps)
    chances = emitted.gather(2, way.unsqueeze(2)).squeeze(2).exp()
    found = zip(way.tolist(), chances.tolist(), lengths.tolist(), strings, possible.tolist(), strict=True)
    return [_spans(one[:length], p[:length], len(row)) if able else [] for one, p, length, row, able in found]


def _spans(way: Sequence[int], chances: Sequence[float], count: int) -> list[Span]:
    places: list[list[int]] = [[] for _ in range(count)]
    for step, state in enumerate(way):
        if state % 2:
            places[state // 2].append(step)
    return [Span(steps[0], steps[-1], max(chances[step] for step in steps)) for steps in places]

"""Sampling of tokens one by one from a step function."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.native import draws
from seqlab.nn.one_step import OneStep

StateT = TypeVar("StateT")
Step = Callable[[Tensor, StateT | None], tuple[Tensor, StateT]]
"""Function: (ids ``(batch, time)`` int64, state) -> (logits ``(batch, time, vocab_size)``, state)."""

SMALLEST = 1e-300
"""Smallest divisor of the logits for a temperature above 0."""

DRAWN = 256
"""Tokens whose random numbers are drawn at once; the numbers of a seed do not depend on this."""

AHEAD = 16
"""Tokens that compiled code draws before the first of them is given."""


@dataclass(frozen=True)
class Sampling:
    """Options of sampling the next token.

    Args:
        temperature: Divides the logits; 0 takes the most likely token. A list has one value above 0 for each row.
        top_k: Draw among the k most likely tokens only.
        top_p: Draw among the fewest tokens whose probabilities sum to at least p (Holtzman et al. 2020).
        banned: Ids that are never drawn.

    Raises:
        UserError: A value is out of its range.
    """

    temperature: float | Sequence[float] = 1.0
    top_k: int | None = None
    top_p: float | None = None
    banned: Sequence[int] = ()

    def __post_init__(self) -> None:
        for value in self._temperatures:
            if not 0 <= value < math.inf:
                raise UserError(f"temperature {value} must be finite and at least 0 (0 takes the most likely token)")
            if value == 0 and len(self._temperatures) > 1:
                raise UserError("temperature 0 cannot stand among several; give it alone")
        if self.top_k is not None and self.top_k < 1:
            raise UserError(f"top_k {self.top_k} must be a whole number of at least 1, or left out")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UserError(f"top_p {self.top_p} must be above 0 and at most 1, or left out")

    def probabilities(self, logits: Tensor) -> Tensor:
        """The distribution to draw from, ``(batch, vocab_size)`` float64, for logits of the same shape."""
        weights = self._weights(self._allowed(logits))
        return weights / weights.sum(-1, keepdim=True)

    def choose(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """One id for each row, by inverting the cumulative distribution over ids.

        Args:
            logits: ``(batch, vocab_size)``.
            uniform: ``(batch,)`` float64 in [0, 1).

        Returns:
            Ids ``(batch,)`` int64.

        Raises:
            UserError: A row holds NaN or infinity, or has no possible token.
        """
        if draws.able(logits):
            chosen = draws.draw(logits, self.shares(uniform), self.limits(len(logits)))
            if chosen is not None:
                return chosen
        values = self._allowed(logits)
        weights = self._weights(values)
        sums = weights.cumsum(-1)
        total = sums[:, -1:]
        if not math.isfinite(total.sum()):
            raise _no_distribution(values)
        place = torch.searchsorted(sums, self.shares(uniform).unsqueeze(-1) * total, right=True).squeeze(-1)
        if int(place.max()) == sums.shape[1]:  # rounding may exceed the last token
            return place.minimum((sums < total).sum(-1))
        return place

    def limits(self, rows: int) -> draws.Limits:
        """The options as the compiled code has them."""
        each = self._divisors.flatten().tolist()
        return draws.Limits(each * rows if len(each) == 1 else each, self.banned, self.top_k, self.top_p)

    def shares(self, uniform: Tensor) -> Tensor:
        """Where the cumulative distribution is inverted: at 0 for the most likely token."""
        return torch.zeros_like(uniform) if self.temperature == 0 else uniform

    def _allowed(self, logits: Tensor) -> Tensor:
        """The logits ``(batch, vocab_size)`` float64 on the CPU, with minus infinity for banned tokens."""
        values = logits.to("cpu", torch.float64, copy=True)
        return values.index_fill_(-1, self._banned, -math.inf) if self.banned else values

    @cached_property
    def _banned(self) -> Tensor:
        return torch.tensor(self.banned)

    @property
    def _temperatures(self) -> Sequence[float]:
        return [self.temperature] if isinstance(self.temperature, int | float) else self.temperature

    @cached_property
    def _divisors(self) -> Tensor:
        """Divisor of the logits of all rows, or of each, ``(1 or batch, 1)``; a smaller temperature acts like zero."""
        return torch.tensor(self._temperatures, dtype=torch.float64).clamp(min=SMALLEST).unsqueeze(-1)

    def _weights(self, values: Tensor) -> Tensor:
        """Weights of allowed values, 0 for those cut off; the weights need not sum to one."""
        largest = values.amax(-1, keepdim=True)
        weights = self._relative(values, largest)
        if self.top_k is not None or self.top_p is not None:
            weights.masked_fill_(~self._kept(values, largest), 0)
        return weights

    def _kept(self, values: Tensor, largest: Tensor) -> Tensor:
        """Which tokens ``top_k`` and ``top_p`` leave; of equal values those of lower ids."""
        falling = values.topk(min(self.top_k or values.shape[1], values.shape[1]), -1).values
        count = torch.full((len(values), 1), falling.shape[1])
        if self.top_p is not None:
            weights = self._relative(falling, largest)
            sums = weights.cumsum(-1)
            count = (sums - weights < self.top_p * sums[:, -1:]).sum(-1, keepdim=True).clamp(min=1)
        least = falling.gather(-1, count - 1)
        kept = values >= least
        more = kept.sum(-1, keepdim=True) - count
        if more.any():
            equal = values == least
            kept &= ~equal | (equal.cumsum(-1) <= equal.sum(-1, keepdim=True) - more)
        return kept

    def _relative(self, values: Tensor, largest: Tensor) -> Tensor:
        """Exponentials of values, divided by the temperature, relative to the largest of each row ``(batch, 1)``."""
        return (values - largest).div_(self._divisors).exp_()


def _no_distribution(values: Tensor) -> UserError:
    """Says why values ``(batch, vocab_size)`` have none."""
    if bool(values.isnan().any()) or bool((values == math.inf).any()):
        return UserError("the model gives no numbers here (NaN); use a checkpoint from before it diverged")
    return UserError(
        "every token has probability 0 here; give another --prefix, or train n-grams with --model.smoothing kneser_ney"
    )


@torch.inference_mode()
def sample(
    step: Step[StateT], prefix: Tensor, num_tokens: int, sampling: Sampling, seeds: Sequence[int]
) -> Iterator[Tensor]:
    """Continues each row of a batch, a token at a time.

    Row b depends only on ``seeds[b]`` and its own prefix, not on the other rows.

    Args:
        step: Predicts the next token.
        prefix: Ids ``(batch, time)`` int64 that every row starts with, ``time`` at least 1.
        num_tokens: Tokens to draw.
        sampling: Options of the sampling.
        seeds: A seed for each row.

    Yields:
        The next id of each row, ``(batch,)`` int64 on the CPU.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    state: Any
    logits, state = step(prefix, None)
    compiled = step.compiled if isinstance(step, OneStep) and draws.able(logits[:, -1]) else None
    for first in range(0, num_tokens, DRAWN):
        count, place = min(DRAWN, num_tokens - first), 0
        uniform = torch.stack([torch.rand(count, generator=g, dtype=torch.float64) for g in generators], 1)
        while place < count:
            if compiled is not None:
                some = sampling.shares(uniform[place : place + AHEAD])
                several, last, state = compiled.drawn(logits[:, -1], state, some, sampling.limits(len(seeds)))
                logits, place = last.unsqueeze(1), place + len(several)
                yield from several
                if len(several):
                    continue
            ids = sampling.choose(logits[:, -1], uniform[place])
            yield ids
            place += 1
            if first + place < num_tokens:
                logits, state = step(ids.unsqueeze(-1).to(prefix.device), state)

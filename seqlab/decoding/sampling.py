"""Sampling of tokens one by one from a step function."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.native import draws
from seqlab.nn.one_step import OneStep

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

StateT = TypeVar("StateT")
Step = Callable[[Tensor, StateT | None], tuple[Tensor, StateT]]
"""Function: (ids ``(batch, time)`` int64, state) -> (logits ``(batch, time, vocab_size)``, state)."""

SMALLEST = 1e-300
"""Smallest divisor of the logits for a temperature above 0."""

LIKELIEST = 128
"""Number of most likely tokens, which contain nearly every draw from a large vocabulary."""

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
        temperatures = [self.temperature] if isinstance(self.temperature, int | float) else self.temperature
        for value in temperatures:
            if not 0 <= value < math.inf:
                raise UserError(f"temperature {value} must be finite and at least 0 (0 takes the most likely token)")
            if value == 0 and len(temperatures) > 1:
                raise UserError("temperature 0 cannot stand among several; give it alone")
        if self.top_k is not None and self.top_k < 1:
            raise UserError(f"top_k {self.top_k} must be a whole number of at least 1, or left out")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UserError(f"top_p {self.top_p} must be above 0 and at most 1, or left out")

    def probabilities(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The distribution to draw from.

        Args:
            logits: ``(batch, vocab_size)``.

        Returns:
            Probabilities in descending order ``(batch, vocab_size)`` float64, and their ids.
        """
        values = self._allowed(logits)
        ids, falling = _sorted(values)
        weights = self._weights(falling)
        _check(values, weights.sum(-1))
        return torch.from_numpy(weights / weights.sum(-1, keepdims=True)), torch.from_numpy(ids)

    def choose(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """One id for each row, by inverting the cumulative distribution.

        Args:
            logits: ``(batch, vocab_size)``.
            uniform: ``(batch,)`` float64 in [0, 1).

        Returns:
            Ids ``(batch,)`` int64.
        """
        if draws.able(logits):
            chosen = draws.draw(logits, self.shares(uniform), self.limits(len(logits)))
            if chosen is not None:
                return chosen
        values = self._allowed(logits)
        if self.temperature == 0:
            _check(values, values.max(-1))
            return torch.from_numpy(values.argmax(-1))
        shares = uniform.numpy()[:, None]
        few = values.shape[1] > 4 * LIKELIEST and self.top_p is None and (self.top_k or 0) <= LIKELIEST
        likeliest = self._among_likeliest(values, shares) if few else None
        return torch.from_numpy(self._among_all(values, shares) if likeliest is None else likeliest)

    def limits(self, rows: int) -> draws.Limits:
        """The options as the compiled code has them."""
        given = [self.temperature] if isinstance(self.temperature, int | float) else self.temperature
        each = [max(one, SMALLEST) for one in given]
        return draws.Limits(each * rows if len(each) == 1 else each, self.banned, self.top_k, self.top_p)

    def shares(self, uniform: Tensor) -> Tensor:
        """Where the compiled code inverts the cumulative distribution: at 0 for the most likely token."""
        return torch.zeros_like(uniform) if self.temperature == 0 else uniform

    def _among_all(self, values: Floats, shares: Floats) -> Ints:
        ids, falling = _sorted(values)
        weights = self._weights(falling)
        sums = weights.cumsum(-1)
        total = sums[:, -1:]
        _check(values, total)
        place = (sums <= shares * total).sum(-1)
        if place.max() == values.shape[1]:  # rounding may exceed the last token
            place = np.minimum(place, (weights > 0).sum(-1) - 1)
        chosen: Ints = ids[np.arange(len(ids)), place]
        return chosen

    def _among_likeliest(self, values: Floats, shares: Floats) -> Ints | None:
        """``_among_all`` that sorts only the most likely tokens; None if a draw may fall outside them."""
        some = np.sort(np.argpartition(-values, LIKELIEST, -1)[:, :LIKELIEST], -1)
        order, falling = _sorted(np.take_along_axis(values, some, -1))
        sums = self._weights(falling).cumsum(-1)
        total = sums[:, -1] if self.top_k is not None else self._shares(values, falling[:, :1]).sum(-1)
        _check(values, total)
        place, rows = (sums <= shares * total[:, None]).sum(-1), np.arange(len(values))
        if (place == LIKELIEST).any() or (falling[rows, place] == falling[:, -1]).any():  # equal values may lie outside
            return None
        chosen: Ints = some[rows, order[rows, place]]
        return chosen

    def _allowed(self, logits: Tensor) -> Floats:
        """The logits ``(batch, vocab_size)``, with minus infinity for banned tokens."""
        values: Floats = logits.to("cpu", torch.float64, copy=True).numpy()
        if self.banned:
            values[:, self.banned] = -np.inf
        return values

    def _weights(self, falling: Floats) -> Floats:
        """Weights of values in descending order, 0 for those cut off; the weights need not sum to one."""
        weights = self._shares(falling, falling[:, :1])
        if self.top_k is not None:
            weights[:, self.top_k :] = 0
        if self.top_p is not None:
            sums = weights.cumsum(-1)
            weights[sums - weights >= self.top_p * sums[:, -1:]] = 0
        return weights

    def _shares(self, values: Floats, largest: Floats) -> Floats:
        """Exponentials of values, divided by the temperature, relative to the largest of each row ``(batch, 1)``."""
        divisor = np.maximum(self.temperature, SMALLEST)  # a smaller temperature acts like zero
        with np.errstate(over="ignore", invalid="ignore"):
            shares: Floats = np.exp((values - largest) / (divisor[:, None] if divisor.ndim else divisor))
        return shares


def _sorted(values: Floats) -> tuple[Ints, Floats]:
    """Indices and values of each row in descending order, stable for equal values."""
    order: Ints = np.argsort(-values, -1, kind="stable")
    return order, values[np.arange(len(values))[:, None], order]


def _check(values: Floats, of_rows: Floats) -> None:
    """Refuses rows ``(batch, vocab_size)`` with sums of weights, or largest values, that are not finite.

    Raises:
        UserError: A row holds NaN, or has no possible token.
    """
    if np.isfinite(of_rows).all():
        return
    if np.isnan(values).any() or (values == np.inf).any():
        raise UserError("the model gives no numbers here (NaN); use a checkpoint from before it diverged")
    raise UserError(
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

"""Drawing tokens one by one from what a step function predicts."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from seqlab.errors import UserError

StateT = TypeVar("StateT")
Step = Callable[[Tensor, StateT | None], tuple[Tensor, StateT]]
"""(ids ``(batch, time)`` int64, state) -> (logits ``(batch, time, vocab_size)``, state)."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    Args:
        temperature: Divides the logits; 0 takes the most likely token. Or one for each row, all above 0.
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
        """What to draw from.

        Args:
            logits: ``(batch, vocab_size)``.

        Returns:
            Probabilities in falling order ``(batch, vocab_size)`` float64 and the ids that they belong to.
        """
        logits, ids = self._allowed(logits.double()).sort(dim=-1, descending=True, stable=True)
        if self.top_k is not None:
            logits[:, self.top_k :] = -torch.inf
        divisor = torch.as_tensor(self.temperature, dtype=logits.dtype, device=logits.device).unsqueeze(-1)
        probabilities = ((logits - logits[:, :1]) / divisor).softmax(-1)
        if self.top_p is not None:
            before = probabilities.cumsum(-1) - probabilities
            probabilities = probabilities.where(before < self.top_p, 0)
        return probabilities / probabilities.sum(-1, keepdim=True), ids

    def _allowed(self, logits: Tensor) -> Tensor:
        if self.banned:
            logits = logits.index_fill(-1, torch.tensor(self.banned, device=logits.device), -torch.inf)
        likeliest = logits.amax(-1)
        if likeliest.isnan().any():
            raise UserError("the model gives no numbers here (NaN); use a checkpoint from before it diverged")
        if (likeliest == -torch.inf).any():
            raise UserError(
                "no token that may be drawn has a chance here; give another --prefix, or train n-grams with "
                "--model.smoothing kneser_ney"
            )
        return logits

    def choose(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """One id for each row, by inverting the cumulative distribution.

        Args:
            logits: ``(batch, vocab_size)``.
            uniform: ``(batch,)`` float64 in [0, 1).

        Returns:
            Ids ``(batch,)`` int64.
        """
        if self.temperature == 0:
            return self._allowed(logits).argmax(-1)
        probabilities, ids = self.probabilities(logits)
        cumulative = probabilities.cumsum(-1)
        place = torch.searchsorted(cumulative, uniform.unsqueeze(-1), right=True)
        last = (probabilities > 0).sum(-1, keepdim=True) - 1
        return ids.gather(-1, place.minimum(last)).squeeze(-1)


@torch.no_grad()
def sample(
    step: Step[StateT], prefix: Tensor, num_tokens: int, sampling: Sampling, seeds: Sequence[int]
) -> Iterator[Tensor]:
    """Continues each row of a batch, a token at a time.

    Row b depends on ``seeds[b]`` and its own prefix alone, not on what else is in the batch.

    Args:
        step: Predicts the next token.
        prefix: Ids ``(batch, time)`` int64 that every row starts with, ``time`` at least 1.
        num_tokens: Tokens to draw.
        sampling: How to draw.
        seeds: One for each row.

    Yields:
        The next id of each row, ``(batch,)`` int64.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    logits, state = step(prefix, None)
    for position in range(num_tokens):
        uniform = torch.cat([torch.rand(1, generator=g, dtype=torch.float64) for g in generators])
        ids = sampling.choose(logits[:, -1], uniform.to(logits.device))
        yield ids
        if position + 1 < num_tokens:
            logits, state = step(ids.unsqueeze(-1), state)

"""Viterbi and the forward algorithm of a CRF in compiled code."""

import torch
from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, portable, threads_for

EACH = 50_000
"""Scores per thread, counting every pair of tags; with fewer, a thread costs more than it saves."""

BEST_PATHS = (*[POINTER] * 6, NUMBER, NUMBER, NUMBER, NUMBER)
SCALED_SUMS = (*[POINTER] * 5, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER)
"""Arguments of the functions in chains.cpp."""


def able(scores: Tensor, dtype: torch.dtype) -> bool:
    """Whether compiled code is available and can read these scores: of this dtype, on a CPU."""
    return scores.device.type == "cpu" and scores.dtype == dtype and portable().library is not None


def best_paths(emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The best path of each sentence, see ``seqlab.decoding.viterbi``. Needs ``able`` for float32."""
    batch, steps, tags = emissions.shape
    path = torch.empty(batch, steps, dtype=torch.int64)
    scores = [part.contiguous() for part in (emissions, lengths, transitions, start, end)]
    threads = threads_for(emissions.numel() * tags, EACH)
    call("best_paths", BEST_PATHS, *scores, path, batch, steps, tags, threads, library=portable().library)
    return path


def scaled_sums(emitted: Tensor, moves: Tensor, arrived: Tensor, kept: Tensor, factors: Tensor) -> None:
    """Computes the scaled sums over paths of ``seqlab.nn.crf``. Needs ``able`` for float64.

    Args:
        emitted: Weights of the tags ``(steps, ways, batch, tags)``.
        moves: Weights of the transitions in each direction ``(ways, tags, tags)``.
        arrived: Sums at each step before its emission ``(steps, ways, batch, tags)``; written, but for the first step.
        kept: Sums at each step, divided so that they add up to 1 ``(steps, ways, batch, tags)``; written.
        factors: The divisors ``(steps, ways, batch, 1)``; written.
    """
    threads = threads_for(emitted.numel() * moves.shape[-1], EACH)
    given = emitted, moves, arrived, kept, factors, *emitted.shape, threads
    call("scaled_sums", SCALED_SUMS, *given, library=portable().library)

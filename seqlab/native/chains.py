"""Chains of tags by compiled code, where there is some."""

import torch
from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, portable, threads_for

EACH = 50_000
"""Scores, of every tag after every tag, for which a thread is worth waking."""

BEST_PATHS = (*[POINTER] * 6, NUMBER, NUMBER, NUMBER, NUMBER)
SCALED_SUMS = (*[POINTER] * 5, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER)
"""Arguments of the functions in chains.cpp."""


def able(scores: Tensor, dtype: torch.dtype) -> bool:
    """Whether compiled code can take scores: there is some, and they are of its type and on a CPU."""
    return scores.device.type == "cpu" and scores.dtype == dtype and portable().library is not None


def best_paths(emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The best path of each sentence; only where ``able`` says so of float32. See ``seqlab.decoding.viterbi``."""
    batch, steps, tags = emissions.shape
    path = torch.empty(batch, steps, dtype=torch.int64)
    scores = [part.contiguous() for part in (emissions, lengths, transitions, start, end)]
    threads = threads_for(emissions.numel() * tags, EACH)
    call("best_paths", BEST_PATHS, *scores, path, batch, steps, tags, threads, library=portable().library)
    return path


def scaled_sums(emitted: Tensor, moves: Tensor, arrived: Tensor, kept: Tensor, factors: Tensor) -> None:
    """Fills what ``seqlab.nn.crf`` sums over paths; only where ``able`` says so of float64.

    Args:
        emitted: Weights of the tags ``(steps, ways, batch, tags)``.
        moves: Weights of the moves of each way ``(ways, tags, tags)``.
        arrived: Of each step before its emission, the first given ``(steps, ways, batch, tags)``.
        kept: Of each step, adding up to 1 ``(steps, ways, batch, tags)``.
        factors: What they were divided by ``(steps, ways, batch, 1)``.
    """
    threads = threads_for(emitted.numel() * moves.shape[-1], EACH)
    given = emitted, moves, arrived, kept, factors, *emitted.shape, threads
    call("scaled_sums", SCALED_SUMS, *given, library=portable().library)

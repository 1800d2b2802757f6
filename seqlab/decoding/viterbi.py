"""The best paths through a linear chain of tags (Viterbi 1967; n best after Soong & Huang 1991)."""

import torch
from torch import Tensor

from seqlab.native import chains
from seqlab.nn.crf import Chain
from seqlab.recurrence.lengths import backwards, valid_steps


def best_paths(emissions: Tensor, lengths: Tensor, chain: Chain) -> Tensor:
    """The path with the highest score for each sentence; see ``seqlab.nn.crf``.

    The forward pass only keeps scores, ``scores[t, j] = emissions[t, j] + max over i of (scores[t - 1, i] +
    transitions[i, j])``; the backward pass finds the previous tag at each step, only for the best path.

    Args:
        emissions: ``(batch, time, tags)``.
        lengths: Real words of each sentence ``(batch,)`` int64, at least 1.
        chain: Chain of the tags.

    Returns:
        ``(batch, time)`` int64, with zeros after each sentence.
    """
    emissions = emissions.detach()
    transitions, start, end = (part.detach().to(emissions.dtype) for part in chain)
    if chains.able(emissions, torch.float32):
        return chains.best_paths(emissions, lengths, transitions, start, end)
    scores = emissions.transpose(0, 1).contiguous()  # (time, batch, tags)
    steps, batch, tags = scores.shape
    into = transitions.t().contiguous()  # (to, from)
    scores[0] += start
    candidates = scores.new_empty(batch, tags, tags)
    best = scores.new_empty(batch, tags)
    for step in range(1, steps):
        torch.add(scores[step - 1].unsqueeze(1), into, out=candidates)
        scores[step] += torch.amax(candidates, 2, out=best)
    return _traced(scores, lengths, into, end)


def _traced(scores: Tensor, lengths: Tensor, into: Tensor, end: Tensor) -> Tensor:
    """Traces the path from the end of each sentence to its start."""
    steps = len(scores)
    backward = backwards(scores, lengths)  # the last word of each sentence first
    path = torch.empty(scores.shape[:2], dtype=torch.int64, device=scores.device)
    path[0] = (backward[0] + end).argmax(-1)
    for step in range(1, steps):
        torch.argmax(into[path[step - 1]].add_(backward[step]), -1, out=path[step])
    path = backwards(path, lengths)
    return torch.where(valid_steps(lengths, steps), path, 0).t()


def n_best_paths(emissions: Tensor, lengths: Tensor, chain: Chain, n: int) -> tuple[Tensor, Tensor]:
    """The n paths with the highest scores for each sentence, the best first.

    Args:
        emissions: ``(batch, time, tags)``.
        lengths: Real words of each sentence ``(batch,)`` int64, at least 1.
        chain: Chain of the tags.
        n: Number of paths.

    Returns:
        Paths ``(batch, n, time)`` int64, with zeros after each sentence, and their scores ``(batch, n)`` float64; -inf
        if a sentence has fewer paths.
    """
    emitted = emissions.detach().double()
    transitions, start, end = (part.detach().double() for part in chain)
    batch, steps, tags = emitted.shape
    rows = torch.arange(batch, device=emitted.device)
    scores = emitted.new_full((batch, tags, n), -torch.inf)
    scores[:, :, 0] = start + emitted[:, 0]
    kept, came = [scores], [torch.zeros_like(scores, dtype=torch.int64)]
    for step in range(1, steps):
        ways = kept[-1].unsqueeze(3) + transitions.unsqueeze(1)  # (batch, from, rank, to)
        scores, places = ways.flatten(1, 2).topk(n, dim=1)  # (batch, n, to)
        kept.append(scores.transpose(1, 2) + emitted[:, step].unsqueeze(2))
        came.append(places.transpose(1, 2))
    all_scores, all_places = torch.stack(kept, 1), torch.stack(came, 1)  # (batch, time, tags, n)
    final = all_scores[rows, lengths - 1] + end.unsqueeze(1)
    best, place = final.flatten(1).topk(min(n, final.shape[1] * final.shape[2]), dim=1)  # tag * n + rank
    paths = torch.zeros(batch, n, steps, dtype=torch.int64, device=emitted.device)
    for step in range(steps - 1, -1, -1):
        inside = (step < lengths).unsqueeze(1)
        paths[:, :, step] = torch.where(inside, place // n, 0)
        before = all_places[:, step].flatten(1).gather(1, place)
        place = torch.where((step < lengths).unsqueeze(1), before, place)
    return paths, best

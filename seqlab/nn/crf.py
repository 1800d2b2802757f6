"""Linear-chain conditional random fields: the score of a path of tags, and the sum over all paths.

    score(y) = start[y_1] + sum over t of emissions[t, y_t] + sum over t > 1 of transitions[y_(t-1), y_t] + end[y_L]
    p(y) = exp(score(y) - log Z),    Z = sum over all paths y of exp(score(y))

Lafferty et al. 2001; forward-backward as in Rabiner 1989, scaled at each step, in float64. A path with less than
about 1e-300 of the best path's weight is lost to rounding.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from seqlab.native.chains import able, scaled_sums
from seqlab.recurrence.lengths import backwards, valid_steps


class Chain(NamedTuple):
    """Transition scores; -inf for a forbidden transition.

    Args:
        transitions: From each tag (row) to each tag (column) ``(tags, tags)``.
        start: Score of each first tag ``(tags,)``.
        end: Score of each last tag ``(tags,)``.
    """

    transitions: Tensor
    start: Tensor
    end: Tensor


class _Sums(NamedTuple):
    """Forward-backward of a batch, time first.

    Args:
        log_partition: ``(batch,)`` float64.
        before: Forward weights up to each tag, its emission included ``(time, batch, tags)``, each step scaled by its
            own factor.
        behind: Backward weights from each tag on, its emission included, scaled likewise; None if not computed.
        after: Backward weights after each tag, scaled likewise; None if not computed.
    """

    log_partition: Tensor
    before: Tensor
    behind: Tensor | None
    after: Tensor | None


def _sums(emissions: Tensor, lengths: Tensor, chain: Chain, both: bool) -> _Sums:
    """Both directions in one loop: the backward pass is the forward pass of the reversed chain."""
    scores = emissions.transpose(0, 1).double()  # (time, batch, tags)
    steps, batch, _ = scores.shape
    top = scores.amax(-1, keepdim=True)
    weights = (scores - top).exp_()
    transitions, start, end = (part.double() for part in chain)
    tops = [part.amax() for part in (transitions, start, end)]
    moves, first, last = ((part - most).exp() for part, most in zip((transitions, start, end), tops, strict=True))
    ways = [(weights, moves, first)]
    if both:
        ways.append((backwards(weights, lengths), moves.t(), last))
    emitted = torch.stack([way[0] for way in ways], 1)  # (time, ways, batch, tags)
    matrix = torch.stack([way[1] for way in ways])
    arrived, kept = torch.empty_like(emitted), torch.empty_like(emitted)
    factors = emitted.new_empty(steps, len(ways), batch, 1)
    arrived[0] = torch.stack([way[2] for way in ways]).unsqueeze(1)
    if able(emitted, torch.float64):
        scaled_sums(emitted, matrix, arrived, kept, factors)
    else:
        _step_by_step(emitted, matrix, arrived, kept, factors)
    valid = valid_steps(lengths, steps)
    logs = torch.where(valid, factors[:, 0, :, 0].log() + top.squeeze(-1), 0).sum(0)
    rows = torch.arange(batch, device=lengths.device)
    ends = (kept[lengths - 1, 0, rows] * last).sum(-1).log()
    total = logs + ends + (lengths - 1) * tops[0] + tops[1] + tops[2]
    if not both:
        return _Sums(total, kept[:, 0], None, None)
    return _Sums(total, kept[:, 0], *(backwards(part[:, 1], lengths) for part in (kept, arrived)))


def _step_by_step(emitted: Tensor, matrix: Tensor, arrived: Tensor, kept: Tensor, factors: Tensor) -> None:
    """``scaled_sums`` in plain PyTorch."""
    for step in range(len(emitted)):
        if step:
            torch.bmm(kept[step - 1], matrix, out=arrived[step])
        torch.mul(arrived[step], emitted[step], out=kept[step])
        torch.sum(kept[step], -1, keepdim=True, out=factors[step])
        kept[step].div_(factors[step])


def log_partition(emissions: Tensor, lengths: Tensor, chain: Chain) -> Tensor:
    """log Z of each sentence, without its gradient.

    Args:
        emissions: ``(batch, time, tags)``.
        lengths: Real words of each sentence ``(batch,)`` int64, at least 1.
        chain: Chain of the tags.

    Returns:
        ``(batch,)`` float64.
    """
    with torch.no_grad():
        return _sums(emissions, lengths, chain, both=False).log_partition


def marginals(emissions: Tensor, lengths: Tensor, chain: Chain) -> Tensor:
    """Marginal probability of each tag of each word, over all paths.

    Args:
        emissions: ``(batch, time, tags)``.
        lengths: Real words of each sentence ``(batch,)`` int64, at least 1.
        chain: Chain of the tags.

    Returns:
        ``(batch, time, tags)`` of the emissions' dtype; values after the end of a sentence mean nothing.
    """
    with torch.no_grad():
        sums = _sums(emissions, lengths, chain, both=True)
        assert sums.after is not None
        joint = sums.before * sums.after
        return (joint / joint.sum(-1, keepdim=True)).transpose(0, 1).to(emissions.dtype)


def path_scores(emissions: Tensor, tags: Tensor, lengths: Tensor, chain: Chain) -> Tensor:
    """Scores of paths.

    Args:
        emissions: ``(batch, time, tags)``.
        tags: Tag of each word ``(batch, time)`` int64; any value after the end of a sentence.
        lengths: Real words of each sentence ``(batch,)`` int64, at least 1.
        chain: Chain of the tags.

    Returns:
        ``(batch,)`` float64.
    """
    transitions, start, end = (part.double() for part in chain)
    valid = valid_steps(lengths, tags.shape[1]).t()
    path = torch.where(valid, tags, 0)
    emitted = emissions.gather(2, path.unsqueeze(2)).squeeze(2).double()
    moved = transitions[path[:, :-1], path[:, 1:]]
    last = path.gather(1, lengths.unsqueeze(1) - 1).squeeze(1)
    inside = torch.where(valid, emitted, 0).sum(1) + torch.where(valid[:, 1:], moved, 0).sum(1)
    return inside + start[path[:, 0]] + end[last]


class _Nats(torch.autograd.Function):
    """log Z - score(y); the gradient is the expectation over all paths minus the counts in y."""

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, tags: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor
    ) -> Tensor:
        chain = Chain(transitions, start, end)
        learning = any(ctx.needs_input_grad)
        sums = _sums(emissions, lengths, chain, learning)
        if learning:
            ctx.save_for_backward(emissions, tags, lengths, *chain, *sums[1:])
        return sums.log_partition - path_scores(emissions, tags, lengths, chain)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        emissions, tags, lengths, transitions, start, end, before, behind, after = ctx.saved_tensors
        size, slope = emissions.shape[2], slope.double()
        valid = valid_steps(lengths, len(before))  # (time, batch)
        weight = torch.where(valid, slope, 0).unsqueeze(-1)
        path = torch.where(valid, tags.t(), 0)  # (time, batch)
        joint = before * after
        total = joint.sum(-1, keepdim=True)
        expected = torch.where(valid.unsqueeze(-1), joint * (weight / total), 0)
        expected.scatter_add_(2, path.unsqueeze(-1), -weight)
        moved = torch.where(valid[1:].unsqueeze(-1), before[:-1] * (weight[:-1] / total[:-1]), 0)
        moves = transitions.double()
        moves = (moves - moves.amax()).exp_()
        between = moves * (moved.flatten(0, 1).t() @ torch.where(valid[1:].unsqueeze(-1), behind[1:], 0).flatten(0, 1))
        places = (path[:-1] * size + path[1:]).flatten()
        between.view(-1).scatter_add_(0, places, -weight[1:].flatten())
        last = expected[lengths - 1, torch.arange(len(lengths), device=lengths.device)]
        gradients = expected.transpose(0, 1).to(emissions.dtype), between, expected[0].sum(0), last.sum(0)
        of_chain = (part.to(like.dtype) for part, like in zip(gradients[1:], (transitions, start, end), strict=True))
        return gradients[0], None, None, *of_chain


_nats: Callable[..., Tensor] = _Nats.apply


def sentence_nats(emissions: Tensor, tags: Tensor, lengths: Tensor, chain: Chain) -> Tensor:
    """-log p of the tags of each sentence.

    Args:
        emissions: ``(batch, time, tags)``.
        tags: ``(batch, time)`` int64; any value after the end of a sentence.
        lengths: Real words of each sentence ``(batch,)`` int64, at least 1.
        chain: Chain of the tags.

    Returns:
        ``(batch,)`` float64.
    """
    return _nats(emissions, tags, lengths, *chain)


class CRF(nn.Module):
    """The transition scores of an output layer.

    Args:
        tags: Number of tags.
        learned: Whether the scores are trained; otherwise they are zero, and all transitions are equally good.

    Attributes:
        constrained: Whether some transitions are impossible.
    """

    transitions: Tensor
    start: Tensor
    end: Tensor
    allowed: Tensor

    def __init__(self, tags: int, learned: bool = True) -> None:
        super().__init__()
        self.learned = learned
        for name, shape in (("transitions", (tags, tags)), ("start", (tags,)), ("end", (tags,))):
            if learned:
                self.register_parameter(name, nn.Parameter(torch.zeros(shape)))
            else:
                self.register_buffer(name, torch.zeros(shape), persistent=False)
        self.register_buffer("allowed", torch.ones(tags + 1, tags + 1, dtype=torch.bool))

    @property
    def constrained(self) -> bool:
        return not bool(self.allowed.all())

    def constrain(self, allowed: Tensor) -> None:
        """Forbids transitions.

        Args:
            allowed: From each tag to each, and in the last row from the start, in the last column to the end:
                ``(tags + 1, tags + 1)`` bool.
        """
        self.allowed.copy_(allowed)

    def chain(self) -> Chain:
        """The transition scores."""
        forbidden = ~self.allowed
        return Chain(
            self.transitions.masked_fill(forbidden[:-1, :-1], -torch.inf),
            self.start.masked_fill(forbidden[-1, :-1], -torch.inf),
            self.end.masked_fill(forbidden[:-1, -1], -torch.inf),
        )

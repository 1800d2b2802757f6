"""Beam search over any step function, whole batches at once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self, TypeVar

import torch
from torch import Tensor

from seqlab.decoding.continuations import Continuations, best_of
from seqlab.errors import UserError


class Rows(Protocol):
    """A decoding state with the same number of rows for each sentence, side by side; shared parts may be kept once."""

    def rows(self, index: Tensor, sentences: Tensor) -> Self:
        """Some rows of some sentences.

        Args:
            index: The rows ``(sentences * rows of each,)``, in any order within a sentence; rows may repeat.
            sentences: The sentences of these rows ``(sentences,)``, in ascending order.
        """
        ...


StateT = TypeVar("StateT", bound=Rows)
Step = Callable[[Tensor, StateT], tuple[Tensor, StateT, Tensor | None]]
"""Function: the last token of each row ``(rows,)`` and the state before it -> log-probabilities of the next token
``(rows, vocab_size)``, which the search overwrites, the new state, and attention weights ``(rows, positions)`` if there
are any."""


class Hypothesis(NamedTuple):
    """A result of the search.

    Args:
        tokens: Its ids, without ``<bos>`` and ``<eos>``.
        score: Score of the ranking.
        log_probability: Log-probability of its tokens and of the end in nats; without the end if it is incomplete.
        attention: Weights ``(tokens + 1, positions)``, if requested.
        complete: Whether it ended by itself; False if the end was forced although another token was more likely, or if
            all next tokens were forbidden.
    """

    tokens: list[int]
    score: float
    log_probability: float
    attention: Tensor | None = None
    complete: bool = True


@dataclass(frozen=True)
class Beam:
    """Options of a beam search.

    The score of a hypothesis Y of a source X is (Wu et al. 2016, arXiv 1609.08144, equation 14)

        score = log P(Y | X) / lp(Y) + cp(X, Y)
        lp(Y) = ((5 + |Y|) / 6) ** length_penalty
        cp(X, Y) = coverage_penalty * sum over positions of log(min(sum over steps of attention, 1))

    with the end counted in P and in |Y|.

    Args:
        size: Hypotheses kept at every step; 1 is greedy.
        length_penalty: Exponent of the length penalty; 0 ranks by probability, 1 nearly by probability per token.
        coverage_penalty: Weight of the coverage penalty; needs attention.
        min_length: Fewest tokens before the end.
        max_length: Most tokens before the end, which is then forced; a long source may allow more.
        length_factor: Tokens that are always allowed per source token, plus ``length_addend``.
        length_addend: Additional tokens that are always allowed.
        no_repeat_ngram: No n-gram of this length occurs twice; 0 allows all.
        n_best: Number of hypotheses to return.

    Raises:
        UserError: A value is out of its range.
    """

    size: int = 1
    length_penalty: float = 0.0
    coverage_penalty: float = 0.0
    min_length: int = 0
    max_length: int = 100
    no_repeat_ngram: int = 0
    n_best: int = 1
    length_factor: float = 0.0
    length_addend: int = 0

    def __post_init__(self) -> None:
        least = {"size": 1, "min_length": 0, "max_length": 1, "no_repeat_ngram": 0, "n_best": 1, "length_addend": 0}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                shown = "beam_size" if name == "size" else name
                raise UserError(f"{shown} {getattr(self, name)} must be a whole number of at least {bound}")
        if self.n_best > self.size:
            raise UserError(f"n_best {self.n_best} must be at most beam_size {self.size}")
        if self.min_length > self.max_length:
            raise UserError(f"min_length {self.min_length} must be at most max_length {self.max_length}")
        if not math.isfinite(self.length_penalty):
            raise UserError(f"length_penalty {self.length_penalty} must be a finite number")
        for name in ("coverage_penalty", "length_factor"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"{name} {getattr(self, name)} must be at least 0")

    def most(self, source: int) -> int:
        """Most tokens before the end, for a source of so many tokens."""
        return max(self.max_length, math.ceil(self.length_factor * source) + self.length_addend)

    def lengthened(self, length: int) -> float:
        """lp of a hypothesis of so many tokens, including the end."""
        return float(((5 + length) / 6) ** self.length_penalty)

    def bound(self, log_probability: float, length: int, most: int) -> float:
        """Upper bound of a hypothesis's final score: its probability can only fall, and coverage only costs.

        Args:
            log_probability: Log-probability of its tokens.
            length: Fewest final tokens, including the end.
            most: Most tokens before the end.
        """
        return log_probability / self.lengthened(most + 1 if self.length_penalty > 0 else length)


class _Live:
    """The unfinished hypotheses of the active sentences, the same number of rows for each, best first.

    Args:
        count: Number of sentences.
    """

    def __init__(self, count: int, bos: int, device: torch.device) -> None:
        self.sentences = [*range(count)]
        self.tokens = torch.full((count, 1), bos, device=device)  # (rows, steps)
        self.scores = torch.zeros(count, 1, dtype=torch.float64, device=device)  # (sentences, rows of each)
        self.attention: Tensor | None = None  # (rows, steps, positions)

    def go_on(self, places: Sequence[int], scores: Tensor, rows: Tensor, tokens: Tensor) -> None:
        """Keeps the sentences at ``places``; their hypotheses become those at ``rows`` extended by ``tokens``."""
        self.sentences, self.scores = [self.sentences[place] for place in places], scores
        self.tokens = torch.cat([self.tokens[rows], tokens.unsqueeze(1)], 1)
        if self.attention is not None:
            self.attention = self.attention[rows]

    def hypotheses(
        self, rows: Tensor, log_probs: Tensor, beam: Beam, attention: bool, complete: Sequence[bool]
    ) -> Iterator[Hypothesis]:
        """The hypotheses in some rows ``(rows,)``, with their log-probabilities ``(rows,)``."""
        scores = log_probs / beam.lengthened(self.tokens.shape[1])
        weights: Sequence[Tensor | None] = [None] * len(rows)
        if self.attention is not None:
            seen = self.attention[rows]
            covered = seen.double().sum(1)  # (rows, positions)
            scores += beam.coverage_penalty * covered.masked_fill(covered <= 0, 1.0).clamp(max=1).log().sum(1)
            weights = seen.unbind() if attention else weights
        tokens = self.tokens[rows, 1:].tolist()
        return map(Hypothesis, tokens, scores.tolist(), log_probs.tolist(), weights, complete)

    def unfinished(self, place: int, beam: Beam, attention: bool) -> list[Hypothesis]:
        """The current hypotheses of the sentence at a place."""
        ranks = self.scores[place].isfinite().nonzero().squeeze(1)
        rows = place * self.scores.shape[1] + ranks
        return [*self.hypotheses(rows, self.scores[place][ranks], beam, attention, [False] * len(rows))]


@torch.no_grad()
def beam_search(
    step: Step[StateT],
    state: StateT,
    count: int,
    bos: int,
    eos: int,
    beam: Beam,
    banned: Sequence[int] = (),
    prefix: Sequence[int] = (),
    source_lengths: Sequence[int] | None = None,
    attention: bool = False,
    device: torch.device | None = None,
) -> list[list[Hypothesis]]:
    """Searches for the best continuations of each of several sentences.

    A sentence is done when ``beam.size`` of its hypotheses have ended, or when no unfinished hypothesis can still be
    among the ``n_best``; then its rows leave the batch. If all next tokens are forbidden before any hypothesis has
    ended, the result is incomplete.

    Args:
        step: One step of the model.
        state: State before the first token, a row for each sentence.
        count: Number of sentences.
        bos: Id that every sentence starts with.
        eos: Id that ends a sentence.
        beam: Options of the search.
        banned: Ids that are never chosen.
        prefix: Ids that every sentence must start with.
        source_lengths: Source tokens of each sentence; if not given, only ``beam.max_length`` limits the length.
        attention: Whether to return attention weights.
        device: Device of the tokens; the CPU if not given.

    Returns:
        For each sentence its hypotheses, best first; at least one.

    Raises:
        UserError: Coverage or attention is requested from a model without attention, the prefix is too long, or the
            model's outputs are NaN.
    """
    if len(prefix) > beam.max_length:
        raise UserError(f"the prefix has {len(prefix)} tokens, but max_length {beam.max_length}; give a larger one")
    most = [beam.most(length) for length in source_lengths or [0] * count]
    live = _Live(count, bos, device or torch.device("cpu"))
    never = torch.tensor([*banned], dtype=torch.int64, device=live.tokens.device)
    done: list[list[Hypothesis]] = [[] for _ in range(count)]
    for length in range(max(most, default=0) + 1):
        log_probs, state, weights = step(live.tokens[:, -1], state)
        if weights is None and (attention or beam.coverage_penalty):
            raise UserError("coverage_penalty and attention weights need a model with attention")
        if weights is not None and (attention or beam.coverage_penalty):
            seen = weights.unsqueeze(1)
            live.attention = seen if live.attention is None else torch.cat([live.attention, seen], 1)
        allowed = _allowed(log_probs, live.tokens, length, eos, beam, never, prefix)
        cut = _end_forced(allowed, [most[sentence] == length for sentence in live.sentences], eos)
        ranked = best_of(allowed, live.scores, beam.size)
        listed = [*zip(ranked.scores.tolist(), ranked.tokens.tolist(), strict=True)]
        ending = any(eos in tokens for _, tokens in listed)
        if ending:
            for place, hypothesis in _finished(live, ranked, eos, beam, attention, cut):
                done[live.sentences[place]].append(hypothesis)
        places = []
        for place, (sentence, (scores, tokens)) in enumerate(zip(live.sentences, listed, strict=True)):
            best = next((score for score, token in zip(scores, tokens, strict=True) if token != eos), -math.inf)
            if not _is_done(done[sentence], best, length + 1, beam, most[sentence]):
                places.append(place)
            elif not done[sentence]:
                done[sentence] = live.unfinished(place, beam, attention)
        if not places:
            break
        going = ranked.going(beam.size, eos) if ending else ranked.first(beam.size)
        kept = torch.tensor(places, device=device)
        if len(places) < len(listed):
            going = Continuations(*(part[kept] for part in going))
        rows = going.rows.flatten()
        live.go_on(places, going.scores, rows, going.tokens.flatten())
        state = state.rows(rows, kept)
    if not all(done):
        raise UserError("the model gives no numbers (NaN), so nothing can be ranked; take another checkpoint of it")
    return [sorted(found, key=lambda one: -one.score)[: beam.n_best] for found in done]


def _is_done(found: list[Hypothesis], best_live: float, length: int, beam: Beam, most: int) -> bool:
    if len(found) >= beam.size or best_live == -math.inf:
        return True
    if len(found) < beam.n_best:
        return False
    worst_kept = sorted((one.score for one in found), reverse=True)[beam.n_best - 1]
    return beam.bound(best_live, length + 1, most) <= worst_kept


def _finished(
    live: _Live, ranked: Continuations, eos: int, beam: Beam, attention: bool, cut: Tensor | None
) -> Iterator[tuple[int, Hypothesis]]:
    """The ending hypotheses among the ``beam.size`` best, and the places of their sentences."""
    best = ranked.first(beam.size)
    places, ranks = ((best.tokens == eos) & best.scores.isfinite()).nonzero(as_tuple=True)
    rows = best.rows[places, ranks]
    complete = [True] * len(rows) if cut is None else (~cut[rows]).tolist()
    found = live.hypotheses(rows, best.scores[places, ranks], beam, attention, complete)
    yield from zip(places.tolist(), found, strict=True)


def _allowed(
    log_probs: Tensor, tokens: Tensor, length: int, eos: int, beam: Beam, never: Tensor, prefix: Sequence[int]
) -> Tensor:
    """Log-probabilities ``(rows, vocab_size)`` with those of forbidden tokens set to minus infinity, in place."""
    if length < len(prefix):
        forced = log_probs[:, prefix[length]].clone()
        log_probs.fill_(-torch.inf)[:, prefix[length]] = forced
        return log_probs
    log_probs.index_fill_(1, never, -torch.inf)
    if length < beam.min_length:
        log_probs[:, eos] = -torch.inf
    _forbid_repeats(log_probs, tokens[:, 1:], beam.no_repeat_ngram)
    return log_probs


def _end_forced(allowed: Tensor, last: Sequence[bool], eos: int) -> Tensor | None:
    """Forces the end of sentences at their token limit, in place.

    Args:
        allowed: ``(rows, vocab_size)``.
        last: Whether each sentence is at its limit.
        eos: Id of the end.

    Returns:
        Rows with a more likely token than the end ``(rows,)`` bool; None if no sentence is at its limit.
    """
    if not any(last):
        return None
    rows = torch.tensor(last, device=allowed.device).repeat_interleave(len(allowed) // len(last))
    cut, end = rows & (allowed.argmax(1) != eos), allowed[rows, eos]
    allowed[rows] = -torch.inf
    allowed[rows, eos] = end
    return cut


def _forbid_repeats(allowed: Tensor, tokens: Tensor, size: int) -> None:
    """Forbids every token that would repeat an n-gram of its row."""
    if not size or tokens.shape[1] < size:
        return
    grams = tokens.unfold(1, size, 1)  # (rows, places, size)
    start = tokens[:, tokens.shape[1] - size + 1 :].unsqueeze(1)  # the last size - 1 tokens
    repeats = (grams[..., :-1] == start).all(-1)
    rows, places = repeats.nonzero(as_tuple=True)
    allowed[rows, grams[rows, places, -1]] = -torch.inf

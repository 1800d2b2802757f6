"""Texts -> classes by counts: log-count ratios of n-grams, and a support vector machine on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.counted_tables import check_table, is_rising
from seqlab.options import Options, option
from seqlab.recurrence.lengths import valid_steps

STEPS = 60
"""Iterations of L-BFGS; the loss is then within a few hundredths of its minimum."""

HELD_OUT = 10
"""One text in this many is held out to choose the temperature, and beta if it is not given."""

BETAS = (0.25, 0.5, 0.75, 1.0)
TEMPERATURES = torch.logspace(-1.3, 1, 231)
"""Candidate temperatures, 0.05 to 10."""


@dataclass(frozen=True)
class NaiveBayesOptions(Options):
    """Options of ``NaiveBayes``."""

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 5e-4

    ngrams: int = option(2, "Words in the longest n-gram that is counted.", least=1, most=20)
    smoothing: float = option(1.0, "Added to the count of each n-gram in each class.", above=0)
    beta: float | None = option(
        None,
        "beta: share of the fitted weights, against their mean size; chosen on a tenth of the texts if not given.",
        least=0,
        most=1,
    )
    l2: float = option(1.0, "Weight of the L2 penalty (half the sum of squared weights) in the loss.", above=0)

    def build(self, vocab_size: int, classes: int) -> "NaiveBayes":
        """The network of these options.

        Args:
            vocab_size: Number of input ids.
            classes: Number of classes, one logit each.
        """
        return NaiveBayes(vocab_size, classes, self)


def in_a_row(texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """The ids of all texts, concatenated ``(words,)``, and the length of each text ``(texts,)``, both int64."""
    lengths = torch.tensor([len(text) for text in texts])
    return torch.tensor(list(chain.from_iterable(texts)), dtype=torch.int64), lengths


def ngrams_of(ids: Tensor, lengths: Tensor, ngrams: int, vocab_size: int) -> tuple[Tensor, Tensor]:
    """Every n-gram of 1 to ``ngrams`` words within a text, as a number of base vocab_size + 1.

        key = sum over k = 1 ... n of (id_k + 1) (vocab_size + 1)^(n - k)

    Args:
        ids: Ids of all texts, concatenated ``(words,)`` int64.
        lengths: Words of each text ``(texts,)`` int64.
        ngrams: Words in the longest n-gram.
        vocab_size: Ids.

    Returns:
        Keys and the index of each one's text, both ``(occurrences,)`` int64.
    """
    texts = torch.arange(len(lengths), device=ids.device).repeat_interleave(lengths)
    left = lengths.cumsum(0)[texts] - torch.arange(len(ids), device=ids.device)  # words from here to the text's end
    keys, found = torch.zeros_like(ids), []
    for n in range(1, ngrams + 1):
        size = max(0, len(ids) - n + 1)
        keys = keys[:size] * (vocab_size + 1) + ids[n - 1 :] + 1
        within = left[:size] >= n
        found.append((keys[within], texts[:size][within]))
    return torch.cat([keys for keys, _ in found]), torch.cat([texts for _, texts in found])


class Presence:
    """A sparse binary matrix of texts and features, and sums over it.

    Args:
        features: Feature of every occurrence ``(occurrences,)`` int64; a repeat in the same text does not count.
        texts: Text of every occurrence ``(occurrences,)`` int64.
        count: Number of texts.
        size: Number of features.
    """

    def __init__(self, features: Tensor, texts: Tensor, count: int, size: int) -> None:
        by_text = (texts * max(1, size) + features).unique()
        by_feature = (features * count + texts).unique()
        self.features, self.starts = by_text % max(1, size), _starts(by_text // max(1, size), count)
        self.texts, self.feature_starts = by_feature % count, _starts(by_feature // count, size)

    def of_texts(self, rows: Tensor) -> Tensor:
        """Sums over the features of each text of ``(features, classes)``: ``(texts, classes)``."""
        return F.embedding_bag(self.features, rows, self.starts, mode="sum")

    def of_features(self, rows: Tensor) -> Tensor:
        """Sums over the texts with each feature of ``(texts, classes)``: ``(features, classes)``."""
        return F.embedding_bag(self.texts, rows, self.feature_starts, mode="sum")


def _starts(rising: Tensor, count: int) -> Tensor:
    """Start of each of 0 ... count - 1 in a sorted list of numbers."""
    return torch.searchsorted(rising, torch.arange(count, device=rising.device))


def log_count_ratios(counts: Tensor, smoothing: float) -> Tensor:
    """How much more often each feature occurs in a class than in the others (Wang & Manning 2012, P12-2018, section 2).

        p_c = smoothing + counts of class c,    q_c = smoothing + counts of the other classes,
        r_c = log((p_c / |p_c|_1) / (q_c / |q_c|_1))

    Args:
        counts: Texts of each class with each feature ``(features, classes)``.
        smoothing: Added to both.

    Returns:
        ``(features, classes)``.
    """
    p, q = counts + smoothing, counts.sum(1, keepdim=True) - counts + smoothing
    return (p / p.sum(0)).log() - (q / q.sum(0)).log()


class Fit(NamedTuple):
    """The fitted parameters: r and w ``(features, classes)``, b ``(classes,)``."""

    ratios: Tensor
    weights: Tensor
    bias: Tensor

    def interpolated(self, beta: float) -> Tensor:
        """r (beta w + (1 - beta) mean |w|), for each class (Wang & Manning 2012, section 2.3)."""
        return self.ratios * (beta * self.weights + (1 - beta) * self.weights.abs().mean(0))


def fit(presence: Presence, ratios: Tensor, labels: Tensor, l2: float) -> Fit:
    """Linear support vector machine with squared hinge loss, one class against the rest, by L-BFGS from zero.

        logits_c = sum over the features f of a text of r_fc w_fc + b_c,     y_c = 1 in class c, -1 in the others
        minimized: sum over texts and classes of max(0, 1 - y_c logits_c)^2 + l2 / 2 (|w|^2 + |b|^2)

    L-BFGS works on w and b divided by scales, 1 / sqrt(2 n_f r_fc^2 + l2) and 1 / sqrt(2 texts + l2), with n_f texts
    that have f. All scaled weights have similar second derivatives, so frequent features converge as fast as rare ones.

    Args:
        presence: Which text has which feature.
        ratios: r ``(features, classes)``.
        labels: ``(texts,)`` int64.
        l2: Weight of the penalty.
    """
    y = 2 * F.one_hot(labels, ratios.shape[1]).to(ratios.dtype) - 1
    frequencies = presence.of_features(torch.ones_like(y[:, :1]))  # (features, 1)
    scale, bias_scale = (2 * frequencies * ratios.square() + l2).rsqrt(), (2 * len(y) + l2) ** -0.5
    w, b = torch.zeros_like(ratios, requires_grad=True), torch.zeros_like(ratios[0], requires_grad=True)

    def loss() -> float:
        scaled, bias = scale * w, bias_scale * b
        short = (1 - y * (presence.of_texts(ratios * scaled) + bias)).clamp(min=0)  # (texts, classes)
        slope = -2 * y * short
        w.grad = scale * (ratios * presence.of_features(slope) + l2 * scaled)
        b.grad = bias_scale * (slope.sum(0) + l2 * bias)
        return float((short.square().sum() + l2 / 2 * (scaled.square().sum() + bias.square().sum())).detach())

    solver = torch.optim.LBFGS([w, b], max_iter=STEPS, line_search_fn="strong_wolfe")
    with torch.no_grad():
        solver.step(loss)
        return Fit(ratios, scale * w, bias_scale * b)


class NaiveBayes(nn.Module):
    """NBSVM: a support vector machine on log-count ratios of binary n-gram features (Wang & Manning 2012, P12-2018).

        logits_c = (sum over the n-grams f of a text of r_fc w'_fc + b_c) / temperature,
        w' = beta w + (1 - beta) mean |w|

    The temperature calibrates the probabilities (Guo et al. 2017, arXiv 1706.04599). Temperature and beta minimize the
    cross-entropy on every tenth text, with weights of the other texts; then the weights are fitted to all texts.

    Args:
        vocab_size: Number of input ids.
        classes: Number of classes, one logit each.
        options: Options of the network.

    Raises:
        UserError: An n-gram does not fit in 63 bits.
    """

    def __init__(self, vocab_size: int, classes: int, options: NaiveBayesOptions) -> None:
        super().__init__()
        if (vocab_size + 1) ** options.ngrams >= 2**63:
            most = next(n for n in range(options.ngrams, -1, -1) if (vocab_size + 1) ** n < 2**63)
            raise UserError(
                f"ngrams {options.ngrams} is too high for a vocabulary of {vocab_size:,}; it can be {most} at most"
            )
        self.vocab_size, self.classes, self.options = vocab_size, classes, options
        self.register_buffer("keys", torch.empty(0, dtype=torch.int64))
        self.register_buffer("weights", torch.empty(0, classes))
        self.register_buffer("bias", torch.zeros(classes))
        self.nothing = nn.Parameter(torch.empty(0))  # the Trainer needs a parameter; this model trains none

    def count(self, texts: Sequence[Sequence[int]], labels: Sequence[int]) -> None:
        """Counts labelled texts and fits the weights; earlier counts are dropped.

        Equal texts in an equal order give equal weights.

        Args:
            texts: The ids of each text.
            labels: The class of each text.
        """
        wanted = torch.tensor(labels)
        beta, temperature = 1.0 if self.options.beta is None else self.options.beta, 1.0
        held = range(HELD_OUT - 1, len(texts), HELD_OUT)
        if held:
            rest = [i for i in range(len(texts)) if i not in held]
            keys, found = self._fit([texts[i] for i in rest], wanted[rest])
            ids, lengths = in_a_row([texts[i] for i in held])
            beta, temperature = self._calibrated(found, self._presence(keys, ids, lengths), wanted[list(held)])
        keys, found = self._fit(texts, wanted)
        device = self.nothing.device
        self.keys, self.bias = keys.to(device), (found.bias / temperature).to(device)
        self.weights = (found.interpolated(beta) / temperature).to(device)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits of texts; their softmax is a probability.

        Args:
            ids: ``(batch, time)`` int64.
            lengths: Real words of each text ``(batch,)`` int64, at least 1.

        Returns:
            ``(batch, classes)``.
        """
        words = ids[valid_steps(lengths, ids.shape[1]).t()]
        presence = self._presence(self.keys, words, lengths)
        return presence.of_texts(self.weights) + self.bias + self.nothing.sum()

    def _fit(self, texts: Sequence[Sequence[int]], labels: Tensor) -> tuple[Tensor, Fit]:
        """The distinct n-grams of texts, sorted, and the parameters fitted to them."""
        ids, lengths = in_a_row(texts)
        found, places = ngrams_of(ids, lengths, self.options.ngrams, self.vocab_size)
        keys, features = found.unique(return_inverse=True)
        presence = Presence(features, places, len(texts), len(keys))
        counts = presence.of_features(F.one_hot(labels, self.classes).float())
        ratios = log_count_ratios(counts.double(), self.options.smoothing).float()
        return keys, fit(presence, ratios, labels, self.options.l2)

    def _presence(self, keys: Tensor, ids: Tensor, lengths: Tensor) -> Presence:
        """Which of the n-grams with these keys occur in each text; ids ``(words,)`` of all texts, concatenated."""
        wanted, texts = ngrams_of(ids, lengths, self.options.ngrams, self.vocab_size)
        features = torch.searchsorted(keys, wanted).clamp(max=max(0, len(keys) - 1))
        known = keys[features] == wanted if len(keys) else torch.zeros_like(wanted, dtype=torch.bool)
        return Presence(features[known], texts[known], len(lengths), len(keys))

    def _calibrated(self, found: Fit, presence: Presence, labels: Tensor) -> tuple[float, float]:
        """The beta and the temperature with the lowest cross-entropy on held-out texts."""
        losses = []
        for beta in BETAS if self.options.beta is None else [self.options.beta]:
            logits = presence.of_texts(found.interpolated(beta)) + found.bias
            nats = torch.stack([F.cross_entropy(logits / temperature, labels) for temperature in TEMPERATURES])
            losses.append((float(nats.min()), beta, float(TEMPERATURES[nats.argmin()])))
        _, beta, temperature = min(losses)
        return beta, temperature

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in dict(self.named_buffers()):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.nothing.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        check_table(is_rising(self.keys, (self.vocab_size + 1) ** self.options.ngrams), "keys")
        check_table(self.weights.shape == (len(self.keys), self.classes), "weights")
        check_table(self.bias.shape == (self.classes,), "bias")

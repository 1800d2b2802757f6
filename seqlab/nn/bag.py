"""Texts -> classes by the mean of the vectors of their words and n-grams, in any order."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.classifier import ClassifierOptions, WordDropout, begin
from seqlab.nn.contextual import Contextual, size_of
from seqlab.nn.naive_bayes import Presence, in_a_row, log_count_ratios
from seqlab.options import option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.lengths import valid_steps

PRIME = 2**31 - 1
MULTIPLIER = 116_049_371

RATIO_WEIGHT = 8.0
"""Factor of the mean of log-count ratios. Naive Bayes takes their sum, and its probabilities are too extreme."""


def hashed(ids: Tensor, order: int, buckets: int) -> Tensor:
    """The bucket of each n-gram of ids: a polynomial of them, modulo the prime p = 2^31 - 1, modulo the buckets.

        h_1 = id_1 + 1,    h_k = (116,049,371 h_(k-1) + id_k + 1) mod p,    bucket = h_n mod buckets

    The bucket depends on nothing else, so it is the same on every machine and in every run.

    Args:
        ids: ``(batch, time)`` int64.
        order: Words in an n-gram, n.
        buckets: Number of buckets.

    Returns:
        ``(batch, time - n + 1)`` int64, or ``(batch, 0)`` where there are fewer than n steps.
    """
    steps = max(0, ids.shape[1] - order + 1)
    h = torch.zeros_like(ids[:, :steps])
    for shift in range(order):
        h = (h * MULTIPLIER + ids[:, shift : shift + steps] + 1) % PRIME
    return h % buckets


@dataclass(frozen=True)
class BagOptions(ClassifierOptions):
    """Options of ``Bag``."""

    ngrams: int = option(2, "Words in the longest n-gram that has a vector; 1 for words alone.", least=1, most=20)
    buckets: int = option(
        100_000,
        "Number of vectors that n-grams of two and more words share by hashing.",
        least=1,
        most=10**9,
        seldom=True,
    )
    ratios: bool = option(
        False,
        "Whether to initialize the vectors with the log-count ratios of naive Bayes, one unit for each class.",
        seldom=True,
    )

    def build(self, vocab_size: int, classes: int, contextual: Contextual | None = None) -> "Bag":
        return Bag(vocab_size, classes, self, contextual)


class Bag(nn.Module):
    """The mean of the vectors of all words and n-grams, and a linear layer (Joulin et al. 2017, arXiv 1607.01759).

    With a language model, the mean of the words' vectors in context is a second input of the linear layer.

    Args:
        vocab_size: Number of input ids.
        classes: Number of classes, one logit each.
        options: Options of the network.
        contextual: Language model whose states are inputs too; none if not given.

    Raises:
        UserError: ``ratios`` is on, and there are more classes than units in a vector.
    """

    def __init__(
        self, vocab_size: int, classes: int, options: BagOptions, contextual: Contextual | None = None
    ) -> None:
        super().__init__()
        if options.ratios and options.embedding_size < classes:
            raise UserError(
                f"ratios true needs an embedding_size ({options.embedding_size}) of at least one for each of the "
                f"{classes} classes; give --model.embedding_size {classes} or more"
            )
        self.options, self.classes = options, classes
        self.word_dropout = WordDropout(options.word_dropout)
        self.embedding = nn.Embedding(vocab_size, options.embedding_size)
        self.ngrams = nn.Embedding(options.buckets, options.embedding_size) if options.ngrams > 1 else None
        self.dropout = Dropout(options.dropout)
        self.output = nn.Linear(options.embedding_size + size_of(contextual), classes)
        begin(self, options)
        self.contextual = contextual

    @torch.no_grad()
    def count(self, texts: Sequence[Sequence[int]], labels: Sequence[int]) -> None:
        """Initializes the network with naive Bayes if ``ratios`` is on; otherwise does nothing.

        The first units of a vector, one for each class, become the log-count ratios of its word, or of the n-grams of
        its bucket; 0 where the texts have none. The output layer multiplies them by ``RATIO_WEIGHT``, and adds the
        logarithm of the share of the class.

        Args:
            texts: The ids of each text, at least one.
            labels: The class of each text.
        """
        if not self.options.ratios:
            return
        ids, lengths = in_a_row(texts)
        places = torch.arange(len(texts)).repeat_interleave(lengths)
        classes = F.one_hot(torch.tensor(labels), self.classes).float()  # (texts, classes)
        self._begin_with_ratios(self.embedding, ids, places, classes)
        if self.ngrams is not None:
            grams, where = [], []
            for n in range(2, self.options.ngrams + 1):
                starts = places[: max(0, len(places) - n + 1)]
                within = starts == places[n - 1 :]
                grams.append(hashed(ids.unsqueeze(0), n, self.options.buckets)[0, within])
                where.append(starts[within])
            self._begin_with_ratios(self.ngrams, torch.cat(grams), torch.cat(where), classes)
        self.output.weight[:, : self.classes] = RATIO_WEIGHT * torch.eye(self.classes)
        self.output.bias.copy_(((classes.sum(0) + 1) / (len(texts) + self.classes)).log())

    def _begin_with_ratios(self, table: nn.Embedding, rows: Tensor, texts: Tensor, classes: Tensor) -> None:
        """Ratios of rows that occur in texts, both ``(occurrences,)``, into the first units of a table."""
        counts = Presence(rows, texts, len(classes), table.num_embeddings).of_features(classes)
        ratios = log_count_ratios(counts, 1.0).masked_fill(counts.sum(1, keepdim=True) == 0, 0.0)
        table.weight[:, : self.classes] = ratios

    def forward(self, ids: Tensor, lengths: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of texts.

        Args:
            ids: ``(batch, time)`` int64.
            lengths: Real words of each text ``(batch,)`` int64, at least 1.
            context: Ids of a language model ``(batch, time)`` int64.

        Returns:
            ``(batch, classes)``.
        """
        ids, real = self.word_dropout(ids), valid_steps(lengths, ids.shape[1]).t()
        total, count = _sums(self.embedding, ids, real)
        if self.ngrams is not None:
            orders = range(2, self.options.ngrams + 1)
            grams = [hashed(ids, order, self.options.buckets) for order in orders]
            whole = [valid_steps(lengths - n + 1, each.shape[1]).t() for n, each in zip(orders, grams, strict=True)]
            more, further = _sums(self.ngrams, torch.cat(grams, 1), torch.cat(whole, 1))
            total, count = total + more, count + further
        means = total / count.unsqueeze(1)
        if self.contextual is not None:
            assert context is not None
            vectors = torch.where(real.unsqueeze(2), self.contextual(context, lengths), 0)
            means = torch.cat([means, vectors.sum(1) / lengths.unsqueeze(1)], 1)
        logits: Tensor = self.output(self.dropout(means))
        return logits


def _sums(table: nn.Embedding, rows: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of the vectors of the real entries of rows ``(batch, features)``: ``(batch, size)``, and their number."""
    count = real.sum(1)  # (batch,)
    return F.embedding_bag(rows[real], table.weight, count.cumsum(0) - count, mode="sum"), count

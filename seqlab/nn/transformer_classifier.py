"""Texts -> classes through self-attention."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from seqlab.nn.classifier import ClassifierOptions, WordDropout, draw_words
from seqlab.nn.pooling import Pooled, Pooling
from seqlab.nn.transformer import TransformerEncoder, TransformerOptions, begin
from seqlab.options import option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.lengths import valid_steps


@dataclass(frozen=True)
class TransformerClassifierOptions(ClassifierOptions, TransformerOptions):
    """Options of ``TransformerClassifier``."""

    num_layers: int = option(2, "Layers on top of each other.", least=1, most=1000)
    dropout: float = option(0.3, "Share of units zeroed of what a block adds and before the output.", least=0, below=1)
    init: Literal["gpt2", "torch", "normal", "xavier"] = option(
        "gpt2", "First weights: gpt2 (0.02, smaller where a block ends), torch, normal (0.01) or xavier."
    )
    pooling: Literal["mean", "max", "attention"] = option(
        "mean", "What of the outputs of all words is classified: mean, max or attention's weighted mean."
    )
    embedding_dropout: float = option(0.0, "Share of the units of the words' vectors zeroed.", least=0, below=1)

    def build(self, vocab_size: int, classes: int) -> "TransformerClassifier":
        return TransformerClassifier(vocab_size, classes, self)


class TransformerClassifier(nn.Module):
    """Embedding, layers of self-attention, pooling over the real words, a linear layer.

    Args:
        vocab_size: Ids that go in.
        classes: Logits that come out.
        options: Of the network.
    """

    def __init__(self, vocab_size: int, classes: int, options: TransformerClassifierOptions) -> None:
        super().__init__()
        self.options = options
        self.word_dropout = WordDropout(options.word_dropout)
        self.embedding = nn.Embedding(vocab_size, options.embedding_size)
        self.embedding_dropout = Dropout(options.embedding_dropout)
        self.encoder = TransformerEncoder(options, options.embedding_size)
        self.pooling = Pooling(options.pooling, options.hidden_size)
        self.dropout = Dropout(options.dropout)
        self.output = nn.Linear(options.hidden_size, classes)
        begin(self, options)
        draw_words(self, options)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits of texts.

        Args:
            ids: ``(batch, time)`` int64.
            lengths: Real words of each text ``(batch,)`` int64, at least 1.

        Returns:
            ``(batch, classes)``.
        """
        logits: Tensor = self.output(self.dropout(self._pooled(ids, lengths).vectors))
        return logits

    def weights(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """What each word counted in the pooling ``(batch, time)``: they add up to 1, and are 0 at padding."""
        return self._pooled(ids, lengths).weights

    def _pooled(self, ids: Tensor, lengths: Tensor) -> Pooled:
        embedded = self.embedding_dropout(self.embedding(self.word_dropout(ids)))
        pooled: Pooled = self.pooling(self.encoder(embedded, lengths), valid_steps(lengths, ids.shape[1]).t())
        return pooled

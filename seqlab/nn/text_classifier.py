"""Texts -> classes through a recurrent stack."""

from dataclasses import dataclass

from torch import Tensor, nn

from seqlab.nn.classifier import ClassifierOptions, WordDropout, begin
from seqlab.nn.norm import Norm, make_norm
from seqlab.nn.pooling import Pooled, Pooling, PoolingKind
from seqlab.options import option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.lengths import valid_steps
from seqlab.recurrence.stack import StackOptions


@dataclass(frozen=True)
class RecurrentClassifierOptions(ClassifierOptions, StackOptions):
    """Options of ``RecurrentClassifier``."""

    hidden_size: int | list[int] = option(
        128,
        "Units in each recurrent layer, of each direction; a list has one number for each layer.",
        least=1,
        most=2**20,
    )
    bidirectional: bool = option(True, "Whether every layer also reads the text from its end to its start.")
    pooling: PoolingKind = option(
        "max", "What of the outputs over time is classified: last, mean, max or attention's weighted mean."
    )
    norm: Norm = option("none", "What the pooled vector is normalized over: none, batch or layer.")
    embedding_dropout: float = option(0.0, "Share of the units of the words' vectors zeroed.", least=0, below=1)

    def build(self, vocab_size: int, classes: int) -> "RecurrentClassifier":
        return RecurrentClassifier(vocab_size, classes, self)


class RecurrentClassifier(nn.Module):
    """Embedding, recurrent stack, pooling over the real steps, a linear layer.

    Args:
        vocab_size: Ids that go in.
        classes: Logits that come out.
        options: Of the network.

    Raises:
        UserError: Two options do not agree.
    """

    def __init__(self, vocab_size: int, classes: int, options: RecurrentClassifierOptions) -> None:
        super().__init__()
        self.options = options
        self.word_dropout = WordDropout(options.word_dropout)
        self.embedding = nn.Embedding(vocab_size, options.embedding_size)
        self.embedding_dropout = Dropout(options.embedding_dropout, options.variational)
        self.recurrent = options.stack(options.embedding_size, options.bidirectional)
        width = self.recurrent.output_size
        self.pooling = Pooling(options.pooling, width, self.recurrent.directions)
        self.norm = make_norm(options.norm, width)
        self.dropout = Dropout(options.dropout)
        self.output = nn.Linear(width, classes)
        begin(self, options, options.forget_bias)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits of texts.

        Args:
            ids: ``(batch, time)`` int64.
            lengths: Real words of each text ``(batch,)`` int64, at least 1.

        Returns:
            ``(batch, classes)``.
        """
        logits: Tensor = self.output(self.dropout(self.norm(self._pooled(ids, lengths).vectors)))
        return logits

    def weights(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """What each word counted in the pooling ``(batch, time)``: they add up to 1, and are 0 at padding."""
        return self._pooled(ids, lengths).weights

    def _pooled(self, ids: Tensor, lengths: Tensor) -> Pooled:
        embedded = self.embedding_dropout(self.embedding(self.word_dropout(ids)))
        outputs, _ = self.recurrent(embedded, lengths=lengths)
        pooled: Pooled = self.pooling(outputs, valid_steps(lengths, ids.shape[1]).t())
        return pooled

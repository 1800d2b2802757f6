"""Texts -> classes through a recurrent stack."""

from dataclasses import dataclass
from typing import cast

from torch import Tensor

from seqlab.nn.classifier import ClassifierOptions, PooledClassifier, begin
from seqlab.nn.contextual import Contextual, size_of
from seqlab.nn.norm import Norm, make_norm
from seqlab.nn.pooling import Pooling, PoolingKind
from seqlab.options import option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.stack import StackOptions


@dataclass(frozen=True)
class RecurrentClassifierOptions(ClassifierOptions, StackOptions):
    """Options of ``RecurrentClassifier``."""

    hidden_size: int | list[int] = option(
        128,
        "Units in each recurrent layer and direction; a list has one number for each layer.",
        least=1,
        most=2**20,
    )
    bidirectional: bool = option(True, "Bidirectional: every layer also reads the text backwards.")
    pooling: PoolingKind = option("max", "Pooling over time: last, mean, max or attention.")
    norm: Norm = option("none", "Normalization of the pooled vector: none, batch or layer.")
    embedding_dropout: float = option(0.0, "Dropout of the word vectors.", least=0, below=1)

    def build(self, vocab_size: int, classes: int, contextual: Contextual | None = None) -> "RecurrentClassifier":
        return RecurrentClassifier(vocab_size, classes, self, contextual)


class RecurrentClassifier(PooledClassifier):
    """A classifier that pools the outputs of a recurrent stack.

    Args:
        vocab_size: Number of input ids.
        classes: Number of classes, one logit each.
        options: Options of the network.
        contextual: Language model whose states are inputs too; none if not given.

    Raises:
        UserError: Two options contradict each other.
    """

    def __init__(
        self,
        vocab_size: int,
        classes: int,
        options: RecurrentClassifierOptions,
        contextual: Contextual | None = None,
    ) -> None:
        super().__init__(vocab_size, options, Dropout(options.embedding_dropout, options.variational))
        self.recurrent = options.stack(options.embedding_size + size_of(contextual), options.bidirectional)
        width = self.recurrent.output_size
        pooling = Pooling(options.pooling, width, self.recurrent.directions)
        self.make_head(pooling, make_norm(options.norm, width), width, classes)
        begin(self, options, options.forget_bias)
        self.contextual = contextual

    def outputs(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        outputs, _ = self.recurrent(vectors, lengths=lengths)
        return cast(Tensor, outputs)

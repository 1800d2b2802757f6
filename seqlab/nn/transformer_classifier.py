"""Texts -> classes through self-attention."""

from dataclasses import dataclass
from typing import Literal, cast

from torch import Tensor, nn

from seqlab.nn.classifier import ClassifierOptions, PooledClassifier, draw_words
from seqlab.nn.contextual import Contextual, size_of
from seqlab.nn.pooling import Pooling
from seqlab.nn.transformer import TransformerEncoder, TransformerOptions, begin
from seqlab.options import option
from seqlab.recurrence.dropout import Dropout


@dataclass(frozen=True)
class TransformerClassifierOptions(ClassifierOptions, TransformerOptions):
    """Options of ``TransformerClassifier``."""

    num_layers: int = option(2, "Number of layers.", least=1, most=256)
    dropout: float = option(0.3, "Dropout of block outputs and before the output layer.", least=0, below=1)
    init: Literal["gpt2", "torch", "normal", "xavier"] = option(
        "gpt2", "Initialization: gpt2 (std 0.02, smaller for layers that end a block), torch, normal (0.01) or xavier."
    )
    pooling: Literal["mean", "max", "attention"] = option("mean", "Pooling over words: mean, max or attention.")
    embedding_dropout: float = option(0.0, "Dropout of the word vectors.", least=0, below=1)

    def build(self, vocab_size: int, classes: int, contextual: Contextual | None = None) -> "TransformerClassifier":
        return TransformerClassifier(vocab_size, classes, self, contextual)


class TransformerClassifier(PooledClassifier):
    """A classifier that pools the outputs of self-attention layers.

    Args:
        vocab_size: Number of input ids.
        classes: Number of classes, one logit each.
        options: Options of the network.
        contextual: Language model whose states are inputs too; none if not given.
    """

    def __init__(
        self,
        vocab_size: int,
        classes: int,
        options: TransformerClassifierOptions,
        contextual: Contextual | None = None,
    ) -> None:
        super().__init__(vocab_size, options, Dropout(options.embedding_dropout))
        self.encoder = TransformerEncoder(options, options.embedding_size + size_of(contextual))
        width = options.hidden_size
        self.make_head(Pooling(options.pooling, width), nn.Identity(), width, classes)
        begin(self, options)
        draw_words(self, options)
        self.contextual = contextual

    def outputs(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        return cast(Tensor, self.encoder(vectors, lengths))

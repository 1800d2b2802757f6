"""What networks that classify texts share: their options, and how ids become vectors.

Each network maps ids ``(batch, time)`` int64, padded with any ids, and lengths ``(batch,)`` int64 of at least 1 to
logits ``(batch, classes)``. Padding does not change the logits.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seqlab.nn.contextual import Contextual, beside
from seqlab.nn.label_options import LabelOptions
from seqlab.nn.pooling import Pooled, Pooling
from seqlab.options import Options, option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.lengths import valid_steps

UNK = 0
"""The id of ``<unk>`` in every vocabulary of text."""


@dataclass(frozen=True)
class WordOptions(Options):
    """Options of the word vectors of a network that classifies texts."""

    embedding_size: int = option(100, "Size of a word vector.", least=1, most=2**20)
    embedding_std: float = option(0.1, "Standard deviation of the initial word vectors.", above=0, seldom=True)
    dropout: float = option(0.5, "Dropout before the output layer.", least=0, below=1)
    word_dropout: float = option(
        0.0, "Word dropout: share of words replaced by <unk> in training.", least=0, below=1, seldom=True
    )
    vectors: str | None = option(
        None, "File of pretrained word vectors, one word per line, plain or compressed.", once=True
    )
    freeze_vectors: bool = option(False, "Freeze the word vectors, pretrained or random.", seldom=True)
    contextual: str | None = option(
        None,
        "Checkpoint or run of a language model of words whose states are inputs too (ELMo, Peters et al. 2018), or of "
        "word vectors, which also know words that the training part lacks.",
        once=True,
    )
    init: str = option(
        "torch",
        "Initialization: torch, normal (0.01), xavier or orthogonal (of recurrent weights).",
        choices=("torch", "normal", "xavier", "orthogonal"),
    )

    counts: float = option(
        0.0,
        "Weight of naive Bayes, counted on the same texts, in the log-probabilities outside training.",
        least=0,
        below=1,
        seldom=True,
    )


@dataclass(frozen=True)
class ClassifierOptions(LabelOptions, WordOptions):
    """Options of every network that classifies texts by gradients.

    Raises:
        UserError: A value is out of its bounds.
    """

    def build(self, vocab_size: int, classes: int, contextual: Contextual | None = None) -> nn.Module:
        """The network of these options.

        Args:
            vocab_size: Number of input ids.
            classes: Number of classes, one logit each.
            contextual: Language model whose states are inputs too; none if not given.
        """
        raise NotImplementedError


class WordDropout(nn.Module):
    """Replaces a share of the words by ``<unk>`` in training (Iyyer et al. 2015, P15-1162, leave the words out).

    Args:
        share: Share of the words.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, ids: Tensor) -> Tensor:
        if not self.training or not self.share:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.share, UNK)

    def extra_repr(self) -> str:
        return f"{self.share}"


class PooledClassifier(nn.Module):
    """Embedding, outputs over time, pooling over the real words, a norm, a linear layer.

    A subclass makes the layers in between after ``__init__`` and before ``make_head``, so that weights are drawn in
    the order of the forward pass.

    Args:
        vocab_size: Number of input ids.
        options: Options of the network.
        embedding_dropout: Dropout of the word vectors.
    """

    contextual: Contextual | None

    def __init__(self, vocab_size: int, options: ClassifierOptions, embedding_dropout: Dropout) -> None:
        super().__init__()
        self.options = options
        self.word_dropout = WordDropout(options.word_dropout)
        self.embedding = nn.Embedding(vocab_size, options.embedding_size)
        self.embedding_dropout = embedding_dropout

    def make_head(self, pooling: Pooling, norm: nn.Module, width: int, classes: int) -> None:
        """Makes the pooling, the norm and the linear layer over outputs ``(batch, time, width)``."""
        self.pooling, self.norm = pooling, norm
        self.dropout = Dropout(self.options.dropout)
        self.output = nn.Linear(width, classes)

    def outputs(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Outputs ``(batch, time, width)`` from the vectors of the words ``(batch, time, size)``."""
        raise NotImplementedError

    def forward(self, ids: Tensor, lengths: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of texts.

        Args:
            ids: ``(batch, time)`` int64.
            lengths: Real words of each text ``(batch,)`` int64, at least 1.
            context: Ids of a language model ``(batch, time)`` int64.

        Returns:
            ``(batch, classes)``.
        """
        logits: Tensor = self.output(self.dropout(self.norm(self._pooled(ids, lengths, context).vectors)))
        return logits

    def weights(self, ids: Tensor, lengths: Tensor, context: Tensor | None = None) -> Tensor:
        """Weight of each word in the pooling ``(batch, time)``: the weights sum to 1 and are 0 at padding."""
        return self._pooled(ids, lengths, context).weights

    def _pooled(self, ids: Tensor, lengths: Tensor, context: Tensor | None) -> Pooled:
        embedded = beside(self.embedding(self.word_dropout(ids)), self.contextual, context, lengths)
        vectors = self.embedding_dropout(embedded)
        pooled: Pooled = self.pooling(self.outputs(vectors, lengths), valid_steps(lengths, ids.shape[1]).t())
        return pooled


def begin(network: nn.Module, options: ClassifierOptions, forget_bias: float | None = None) -> None:
    """Initializes the weights of a network whose ``embedding`` holds word vectors.

    Args:
        network: Network to initialize in place.
        options: Options of the network.
        forget_bias: Forget-gate bias of LSTM cells, see ``initialize``.

    Raises:
        UserError: A forget-gate bias is given, but the cell has no forget gate.
    """
    initialize(network, options.init, forget_bias)
    draw_words(network, options)


def draw_words(network: nn.Module, options: ClassifierOptions) -> None:
    """Initializes the word vectors, and freezes them if the options say so."""
    for table in network.modules():
        if isinstance(table, nn.Embedding):
            nn.init.normal_(table.weight, std=options.embedding_std)
            table.weight.requires_grad_(not (options.freeze_vectors and table is network.embedding))

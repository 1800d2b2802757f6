"""Texts -> classes by convolutions over the words and max pooling over time."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.nn.classifier import ClassifierOptions, WordDropout, begin
from seqlab.nn.contextual import Contextual, beside, size_of
from seqlab.options import option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.lengths import valid_steps


@dataclass(frozen=True)
class TextCNNOptions(ClassifierOptions):
    """Options of ``TextCNN``."""

    widths: list[int] = option([3, 4, 5], "Widths of the filters in words, a list.", least=1, most=1000)
    filters: int = option(100, "Filters of each width.", least=1, most=2**20)
    embedding_dropout: float = option(0.0, "Dropout of the word vectors.", least=0, below=1)

    def build(self, vocab_size: int, classes: int, contextual: Contextual | None = None) -> "TextCNN":
        return TextCNN(vocab_size, classes, self, contextual)


class TextCNN(nn.Module):
    """Convolutions of several widths, ReLU, the maximum over time, a linear layer (Kim 2014, D14-1181).

        c_t = relu(w . (x_t, ..., x_(t+width-1)) + b),    feature = max over t = 1 ... max(1, length - width + 1)

    A text shorter than a filter is padded with zero vectors.

    Args:
        vocab_size: Number of input ids.
        classes: Number of classes, one logit each.
        options: Options of the network.
        contextual: Language model whose states are inputs too; none if not given.
    """

    def __init__(
        self, vocab_size: int, classes: int, options: TextCNNOptions, contextual: Contextual | None = None
    ) -> None:
        super().__init__()
        self.options = options
        self.word_dropout = WordDropout(options.word_dropout)
        self.embedding = nn.Embedding(vocab_size, options.embedding_size)
        self.embedding_dropout = Dropout(options.embedding_dropout)
        size = options.embedding_size + size_of(contextual)
        self.convolutions = nn.ModuleList(nn.Conv1d(size, options.filters, width) for width in options.widths)
        self.dropout = Dropout(options.dropout)
        self.output = nn.Linear(options.filters * len(options.widths), classes)
        begin(self, options)
        self.contextual = contextual

    def forward(self, ids: Tensor, lengths: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of texts.

        Args:
            ids: ``(batch, time)`` int64.
            lengths: Real words of each text ``(batch,)`` int64, at least 1.
            context: Ids of a language model ``(batch, time)`` int64.

        Returns:
            ``(batch, classes)``.
        """
        embedded = beside(self.embedding(self.word_dropout(ids)), self.contextual, context, lengths)
        embedded = self.embedding_dropout(embedded)
        embedded = torch.where(valid_steps(lengths, ids.shape[1]).t().unsqueeze(2), embedded, 0)
        embedded = F.pad(embedded, (0, 0, 0, max(0, max(self.options.widths) - ids.shape[1])))
        channels = embedded.transpose(1, 2)  # (batch, size, time)
        features = []
        for width, convolution in zip(self.options.widths, self.convolutions, strict=True):
            answers = convolution(channels)  # (batch, filters, time - width + 1)
            real = valid_steps((lengths - width + 1).clamp(min=1), answers.shape[2]).t()
            features.append(answers.masked_fill(~real.unsqueeze(1), -torch.inf).amax(2).relu())
        logits: Tensor = self.output(self.dropout(torch.cat(features, 1)))
        return logits

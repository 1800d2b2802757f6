"""Source ids and target ids -> the target's probability, through self-attention (Vaswani et al. 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqlab.nn.heads import Heads
from seqlab.nn.kept import Kept, Steps
from seqlab.nn.positions import Positions
from seqlab.nn.transformer import Transformer, TransformerEncoder, TransformerOptions, begin
from seqlab.nn.translator import Translator, TranslatorOptions
from seqlab.options import option
from seqlab.recurrence.lengths import valid_steps


@dataclass(frozen=True)
class TransformerTranslationOptions(TranslatorOptions, TransformerOptions):
    """Options of ``TransformerTranslation``."""

    hidden_size: int = option(256, "Size of a position's vector.", least=2, most=2**20)
    num_layers: int = option(3, "Layers of the encoder, and of the decoder.", least=1, most=256)
    decoder_layers: int | None = option(
        None,
        "Layers of the decoder, if not num_layers; with few, translation is faster (Kasai et al. 2021).",
        least=1,
        most=256,
    )
    positions: Positions = option(
        "sinusoidal", "Position encoding: rotary (only within a sentence), sinusoidal, learned or none."
    )
    label_smoothing: float = option(0.1, "Label smoothing, in training only.", least=0, below=1)
    tied: bool = option(True, "Tie the target embedding and the output layer.")

    def build(self, source_vocab_size: int, target_vocab_size: int) -> "TransformerTranslation":
        """The network with initialized weights."""
        return TransformerTranslation(source_vocab_size, target_vocab_size, self)


class Encoded(NamedTuple):
    """A batch of encoded sentences.

    Args:
        memory: Outputs at every position ``(batch, positions, hidden_size)``.
        valid: ``(batch, positions)`` bool, True at real positions.
    """

    memory: Tensor
    valid: Tensor


class Written(NamedTuple):
    """State of the decoder; the rows of one sentence are side by side, equally many for each sentence.

    Args:
        written: Keys and values of the target tokens so far in each layer, ``rows`` rows; empty before the first.
        memory: Keys and values of the source in each layer, a row for each sentence.
        valid: ``(sentences, positions)`` bool.
    """

    written: tuple[Kept | Steps, ...]
    memory: tuple[Kept, ...]
    valid: Tensor

    def rows(self, index: Tensor, sentences: Tensor) -> "Written":
        """The rows at ``index`` of the sentences at ``sentences``, see ``Rows``."""
        memory, valid = self.memory, self.valid
        if len(sentences) < len(valid):  # otherwise all of them, as they are
            memory, valid = tuple(kept.rows(sentences) for kept in memory), valid[sentences]
        return Written(tuple(kept.rows(index) for kept in self.written), memory, valid)

    def before(self, x: Tensor, heads: Sequence[Heads]) -> Sequence[Kept | Steps] | None:
        """What the self-attention of each layer goes on from, in the form that is fastest for these vectors."""
        steps = all(one.looks_up(x) for one in heads)
        if steps and not self.written:
            return [Steps.none(len(x), x.device)] * len(heads)
        if not steps:
            return [one.kept() if isinstance(one, Steps) else one for one in self.written] or None
        return self.written


class SentenceEncoder(nn.Module):
    """An embedding and layers that attend to the whole sentence.

    Args:
        embedding: Embedding of the source ids.
        options: Options of the layers.
    """

    def __init__(self, embedding: nn.Embedding, options: TransformerOptions) -> None:
        super().__init__()
        self.embedding, self.layers = embedding, TransformerEncoder(options, options.hidden_size)

    def forward(self, ids: Tensor, lengths: Tensor) -> Encoded:
        """Encodes sentences ``(batch, positions)`` of ``lengths`` ``(batch,)``."""
        return Encoded(self.layers(self.embedding(ids), lengths), valid_steps(lengths, ids.shape[1]).t())


class SentenceDecoder(nn.Module):
    """An embedding and causal layers that attend to the encoder's outputs.

    The returned attention weights are those of the last layer, the mean over its heads.

    Args:
        embedding: Embedding of the target ids.
        options: Options of the layers.

    Attributes:
        attends: True, since it returns attention weights.
    """

    attends = True

    def __init__(self, embedding: nn.Embedding, options: TransformerTranslationOptions) -> None:
        super().__init__()
        layers = options.decoder_layers or options.num_layers
        self.embedding, self.layers = embedding, Transformer(replace(options, num_layers=layers), across=True)

    @property
    def looks(self) -> list[Heads]:
        """Attention of each layer to the sentence."""
        found = [layer.look for layer in self.layers.each_layer()]
        return [one for one in found if one is not None]

    def first_state(self, encoded: Encoded) -> Written:
        """The state before the first step."""
        return Written((), tuple(look.kept(encoded.memory) for look in self.looks), encoded.valid)

    def forward(self, ids: Tensor, state: Written) -> tuple[Tensor, Written, Tensor | None]:
        """Target ids -> features for the output layer.

        Args:
            ids: ``(rows, time)`` int64.
            state: State before the first id.

        Returns:
            Features ``(rows, time, hidden_size)``, the state after the last id, and, for a single id outside training,
            the attention weights ``(rows, 1, positions)``.
        """
        last = self.looks[-1]
        last.recorded = [] if ids.shape[1] == 1 and not torch.is_grad_enabled() else None
        embedded = self.embedding(ids)
        before = state.before(embedded, [layer.attention for layer in self.layers.each_layer()])
        features, kept = self.layers(embedded, before, None, True, state.memory, state.valid)
        weights, last.recorded = last.recorded, None
        looked = None if not weights else weights[0].mean(1).reshape(len(ids), 1, -1)
        return features, state._replace(written=tuple(kept)), looked


class TransformerTranslation(Translator):
    """Encoder, decoder and output layer of self-attention.

    Args:
        source_vocab_size: Number of input ids.
        target_vocab_size: Number of target ids.
        options: Options of the network; the defaults if not given.

    Raises:
        UserError: The options do not fit together.
    """

    def __init__(
        self, source_vocab_size: int, target_vocab_size: int, options: TransformerTranslationOptions | None = None
    ) -> None:
        options = options or TransformerTranslationOptions()
        width = options.hidden_size
        encoder = SentenceEncoder(nn.Embedding(source_vocab_size, width), options)
        decoder = SentenceDecoder(nn.Embedding(target_vocab_size, width), options)
        super().__init__(encoder, decoder, nn.Linear(width, target_vocab_size), options)
        begin(self, options)
        self.share(options)

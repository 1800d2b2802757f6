"""What the heads of a translation Transformer look at."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seqlab.nn.evaluating import evaluating
from seqlab.nn.heads import recorded_weights
from seqlab.nn.transformer_translation import TransformerTranslation
from seqlab.text.codec import Codec
from seqlab.text.vocab import BOS

if TYPE_CHECKING:
    from seqlab.figures import Figure


@dataclass(frozen=True)
class TranslationAttention:
    """Attention weights of every head over a sentence and its translation, float32 on the CPU.

    Args:
        source: Tokens of the sentence, with the end.
        target: Tokens of the translation, with the end.
        encoder: ``(layers, heads, source, source)``.
        decoder: ``(decoder layers, heads, target, target)``, over the tokens that the decoder reads: the beginning, and
            the translation without its end.
        cross: ``(decoder layers, heads, target, source)``, of the decoder while it predicts each target token.
    """

    source: Sequence[str]
    target: Sequence[str]
    encoder: Tensor = field(repr=False)
    decoder: Tensor = field(repr=False)
    cross: Tensor = field(repr=False)

    def figures(self) -> "dict[str, Figure]":
        """A figure of every head of the encoder, of the decoder, and of the cross-attention between them, by name."""
        from seqlab.analysis.heads_picture import draw_first_words  # imports matplotlib, which is slow

        figures = {
            "encoder": draw_first_words(self.source, self.encoder),
            "decoder": draw_first_words([BOS, *self.target[:-1]], self.decoder),
            "cross": draw_first_words(self.source, self.cross, self.target),
        }
        for name, figure in figures.items():
            figure.suptitle("cross-attention" if name == "cross" else f"self-attention of the {name}")
        return figures


@torch.no_grad()
def attention_by_head(
    network: TransformerTranslation, source: Tensor, lengths: Tensor, inputs: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The attention weights of every head while the network reads sentence pairs, without dropout.

    Args:
        network: The network; its options do not change.
        source: ``(batch, positions)`` int64.
        lengths: Real positions of each source ``(batch,)``.
        inputs: ``(batch, time)`` int64, the target from ``<bos>`` on.

    Returns:
        Float32: of the encoder ``(layers, batch, heads, positions, positions)``, of the decoder's self-attention
        ``(decoder layers, batch, heads, time, time)`` and its cross-attention ``(decoder layers, batch, heads, time,
        positions)``.
    """
    encoder, decoder = network.encoder, network.decoder
    with (
        evaluating(network),
        torch.autocast(source.device.type, enabled=False),
        recorded_weights(encoder) as around,
        recorded_weights(decoder) as back,
        recorded_weights(decoder, across=True) as across,
    ):
        state = network.encode(source, lengths)
        decoder.layers(decoder.embedding(inputs), causal=True, memory=state.memory, valid=state.valid)
    return torch.stack(around).float(), torch.stack(back).float(), torch.stack(across).float()


def translation_attention(
    network: TransformerTranslation,
    source_codec: Codec,
    target_codec: Codec,
    source: Sequence[str],
    target: Sequence[str],
) -> TranslationAttention:
    """The attention weights of every head over a sentence and its translation.

    Args:
        network: The network.
        source_codec: Codec of the source text.
        target_codec: Codec of the target text.
        source: Tokens of the sentence, with the end.
        target: Tokens of the translation, with the end.
    """
    device = network.output.weight.device
    read, said = source_codec.vocab.ids(source), target_codec.vocab.ids([BOS, *target[:-1]])
    ids, lengths, inputs = (torch.tensor(row, device=device) for row in ([read], [len(read)], [said]))
    weights = attention_by_head(network, ids, lengths, inputs)
    return TranslationAttention(source, target, *(one[:, 0].cpu() for one in weights))

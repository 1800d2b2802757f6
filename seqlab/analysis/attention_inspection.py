"""Attention of a Transformer's heads, in numbers and figures."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from torch import Tensor

from seqlab.analysis.activations import windows
from seqlab.analysis.inspection import (
    ROWS,
    SHOWN_LAGS,
    LanguageInspection,
    check_length,
    layer_lines,
    neighbour_lines,
    neighbours_of,
)
from seqlab.analysis.looking_back import attention_of, by_lag, distances, gradient_by_lag_of_layers
from seqlab.nn.transformer_language import TransformerLanguage
from seqlab.text.codec import Codec

if TYPE_CHECKING:
    from seqlab.figures import Figure

SHOWN_TOKENS = 32
"""Number of tokens in the figure of attention weights."""


@dataclass(frozen=True)
class AttentionInspection(LanguageInspection):
    """Attention of one model.

    Args:
        name: Name of the run that trained it.
        model: Sizes and parameters, in words.
        corpus: The text and its pieces, in words.
        flops: FLOPs of a token going forward, by part.
        gradients: Norms by lag ``(layers, lags)``, see ``gradient_by_lag_of_layers``.
        weights: Weights of each head by lag ``(layers, heads, lags)``.
        distances: Mean distance of each head's attention in steps ``(layers, heads)``.
        tokens: Tokens in the figure of attention weights.
        shown: Attention weights between these tokens ``(layers, heads, time, time)``.
        neighbours: Nearest tokens in the embedding, by token.
    """

    name: str
    model: str
    corpus: str
    flops: dict[str, int]
    gradients: Tensor
    weights: Tensor
    distances: Tensor
    tokens: list[str] = field(repr=False)
    shown: Tensor = field(repr=False)
    neighbours: dict[str, list[tuple[str, float]]]

    def __str__(self) -> str:
        lags = [lag for lag in SHOWN_LAGS if lag < self.gradients.shape[1]]
        lines = [f"{self.name}: {self.model}; {self.corpus}", ""]
        lines += ["gradient of a step's loss at what a layer reads k steps back, relative to k = 1"]
        lines += layer_lines("k", lags, self.gradients[:, lags] / self.gradients[:, 1:2])
        lines += ["", "attention paid to the token k steps back, mean over heads"]
        lines += layer_lines("k", lags, self.weights.mean(1)[:, lags])
        lines += ["", "tokens that a head looks back on average"]
        lines += layer_lines("head", range(self.distances.shape[1]), self.distances, ".1f")
        lines += ["", "floating-point operations of a token"]
        lines += [f"{part:>26}{cost:>14,}" for part, cost in self.flops.items()]
        return "\n".join([*lines, *neighbour_lines(self.neighbours)])

    def curves(self) -> dict[str, Tensor]:
        paid = self.weights.mean((0, 1))
        return {f"{self.name}, gradient": self.gradients[0], f"{self.name}, attention": paid}

    def figures(self) -> "dict[str, Figure]":
        from seqlab.analysis.heads_picture import draw_heads

        return {f"{self.name}-heads.png": draw_heads(self.tokens, self.shown)}


def inspect_attention(
    network: TransformerLanguage, codec: Codec, ids: NDArray[Any], num_steps: int, name: str, source: str
) -> AttentionInspection:
    """Analyses a Transformer while it reads.

    Args:
        network: The trained network.
        codec: Codec of its ids.
        ids: Text to read ``(tokens,)``.
        num_steps: Tokens to read at once, at most a window.
        name: Name of the run that trained it.
        source: Name of the text.

    Raises:
        UserError: The text is too short, or num_steps is out of its range.
    """
    check_length(ids, num_steps)
    steps = min(num_steps, network.window or num_steps)
    pieces = windows(ids, ROWS, steps).to(network.device)
    weights = attention_of(network, pieces[:, :-1]).cpu()
    shown = pieces[0, : min(SHOWN_TOKENS, pieces.shape[1] - 1)].tolist()
    options, size = network.options, sum(weight.numel() for weight in network.parameters())
    return AttentionInspection(
        name,
        f"Transformer, {options.num_layers} layers of {options.num_heads} heads, {options.hidden_size} numbers, "
        f"{options.positions} positions, {size:,} parameters",
        f"{len(pieces)} pieces of {pieces.shape[1] - 1} tokens of {source}",
        network.flops(),
        gradient_by_lag_of_layers(network, pieces[:, :-1], pieces[:, 1:]).cpu(),
        by_lag(weights),
        distances(weights),
        codec.vocab.tokens(shown),
        weights[:, 0, :, : len(shown), : len(shown)],
        neighbours_of(network.embedding.weight, codec),
    )

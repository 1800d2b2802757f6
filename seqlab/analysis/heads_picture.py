"""Figure of the attention weights of all heads of all layers."""

from collections.abc import Sequence

from torch import Tensor

from seqlab.analysis.embeddings import shown_token
from seqlab.figures import Figure, new_figure

DRAWN_WORDS = 32
"""Most words of a text in a figure."""
FEW = 16
"""Most tokens in a figure with larger letters."""


def draw_first_words(words: Sequence[str], weights: Tensor, predicted: Sequence[str] | None = None) -> Figure:
    """``draw_heads`` of the first words of a text."""
    first = weights[..., :DRAWN_WORDS, :DRAWN_WORDS]
    return draw_heads(words[:DRAWN_WORDS], first, None if predicted is None else predicted[:DRAWN_WORDS])


def draw_heads(tokens: Sequence[str], weights: Tensor, predicted: Sequence[str] | None = None) -> Figure:
    """Draws the attention to each token, a panel for each head, with layers from top to bottom.

    Args:
        tokens: Tokens that are looked at.
        weights: ``(layers, heads, time, tokens)``.
        predicted: Tokens that are predicted by looking at them ``(time,)``; if not given, the tokens look themselves.
    """
    layers, heads, *_ = weights.shape
    figure, first = new_figure(2.4 * heads + 0.8, 2.4 * layers + 0.4)
    first.remove()
    panels = figure.subplots(layers, heads, squeeze=False, sharex=True, sharey=True)
    labels = [shown_token(token) for token in tokens]
    rows = labels if predicted is None else [shown_token(token) for token in predicted]
    letters = 7 if max(len(labels), len(rows)) <= FEW else 5
    turned = 90 if max(map(len, labels)) > 1 else 0
    for layer, line in enumerate(panels):
        for head, axes in enumerate(line):
            shown = axes.imshow(weights[layer, head].numpy(), cmap="viridis", vmin=0, vmax=1, aspect="auto")
            axes.set_title(f"layer {layer}, head {head}", fontsize=8)
            axes.set_xticks(range(len(labels)), labels, fontsize=letters, rotation=turned)
            axes.set_yticks(range(len(rows)), rows, fontsize=letters)
    figure.supxlabel("token that is looked at")
    figure.supylabel("token that looks" if predicted is None else "token that is predicted")
    figure.colorbar(shown, ax=panels.ravel().tolist(), label="weight")
    return figure

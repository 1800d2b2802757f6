"""Figure of the attention weights of all heads of all layers."""

from collections.abc import Sequence

from torch import Tensor

from seqlab.analysis.embeddings import shown_token
from seqlab.figures import Figure, new_figure

DRAWN_WORDS = 32
"""Most words of a text in a figure."""


def draw_first_words(words: Sequence[str], weights: Tensor) -> Figure:
    """``draw_heads`` of the first words of a text."""
    count = min(len(words), DRAWN_WORDS)
    return draw_heads(words[:count], weights[..., :count, :count])


def draw_heads(tokens: Sequence[str], weights: Tensor) -> Figure:
    """Draws the attention of each token, a panel for each head, with layers from top to bottom.

    Args:
        tokens: The tokens.
        weights: ``(layers, heads, time, time)``.
    """
    layers, heads, time, _ = weights.shape
    figure, first = new_figure(2.4 * heads + 0.8, 2.4 * layers + 0.4)
    first.remove()
    panels = figure.subplots(layers, heads, squeeze=False, sharex=True, sharey=True)
    labels = [shown_token(token) for token in tokens]
    for layer, row in enumerate(panels):
        for head, axes in enumerate(row):
            shown = axes.imshow(weights[layer, head].numpy(), cmap="viridis", vmin=0, vmax=1, aspect="auto")
            axes.set_title(f"layer {layer}, head {head}", fontsize=8)
            axes.set_xticks(range(time), labels, fontsize=5, rotation=90 if max(map(len, labels)) > 1 else 0)
            axes.set_yticks(range(time), labels, fontsize=5)
    figure.supxlabel("token that is looked at")
    figure.supylabel("token that looks")
    figure.colorbar(shown, ax=panels.ravel().tolist(), label="weight")
    return figure

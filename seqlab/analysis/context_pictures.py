"""Figure of cosines between the places of a word, a matrix for each layer."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from seqlab.figures import Figure, new_panels

MOST_LAYERS = 4
"""Most layers to draw, including the lowest and the top layer."""


def draw_cosines(matrices: Mapping[str, Tensor], contexts: Sequence[str], title: str) -> Figure:
    """Draws the similarity of a word's states at its places in each layer, all with the same colour scale.

    Args:
        matrices: Cosines of each layer by name ``(places, places)``, the lowest first.
        contexts: Contexts of the places.
        title: Title of the figure.
    """
    layers = [*matrices]
    drawn = min(MOST_LAYERS, len(layers))
    chosen = [layers[round(place * (len(layers) - 1) / max(1, drawn - 1))] for place in range(drawn)]
    figure, panels = new_panels(drawn, 3.4, 4.0)
    figure.set_size_inches(3.4 * drawn + 3.2, 4.0)
    lowest = min(float(matrices[layer].min()) for layer in chosen)
    numbers = [str(place + 1) for place in range(len(contexts))]
    for axes, layer in zip(panels, chosen, strict=True):
        shown = axes.imshow(matrices[layer].numpy(), vmin=lowest, vmax=1, cmap="viridis")
        axes.set_title(layer, fontsize="medium")
        axes.set_xticks(range(len(contexts)), numbers, fontsize=7)
        axes.set_yticks(range(len(contexts)), numbers, fontsize=7)
    beside = [f"{context}  {number}" for context, number in zip(contexts, numbers, strict=True)]
    panels[0].set_yticks(range(len(contexts)), beside, fontsize=7)
    figure.suptitle(title, fontsize="medium")
    figure.colorbar(shown, ax=panels, label="cosine", shrink=0.8)
    return figure

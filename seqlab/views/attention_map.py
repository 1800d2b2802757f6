"""Attention as a picture."""

from seqlab.decoding.translation import Translation
from seqlab.errors import UserError
from seqlab.figures import Figure, new_figure


def draw_attention(translation: Translation) -> Figure:
    """Draws the attention of each target token to the source tokens.

    Raises:
        UserError: The translation has no attention weights.
    """
    if translation.attention is None:
        raise UserError("this model has no attention to draw")
    source, target = translation.source, translation.target
    figure, axes = new_figure(1.5 + 0.5 * len(source), 1.2 + 0.4 * len(target))
    shown = axes.imshow(translation.attention.float().cpu().numpy(), cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=45, ha="right")
    axes.set_yticks(range(len(target)), target)
    axes.set(xlabel="source", ylabel="translation")
    figure.colorbar(shown, label="weight")
    return figure

"""Attention as a picture."""

from pathlib import Path

from seqlab.decoding.translation import Translation
from seqlab.errors import UserError, reason_of


def draw_attention(translation: Translation, path: Path) -> None:
    """Draws which source tokens each target token looked at, as a PNG file.

    Raises:
        UserError: matplotlib is missing, the translation carries no attention, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("--attention draws with matplotlib; install it with pip install 'seqlab[plots]'") from None
    if translation.attention is None:
        raise UserError("this model has no attention to draw")
    source, target = translation.source, translation.target
    figure = Figure(figsize=(1.5 + 0.5 * len(source), 1.2 + 0.4 * len(target)), layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(translation.attention.float().cpu().numpy(), cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=45, ha="right")
    axes.set_yticks(range(len(target)), target)
    axes.set_xlabel("source")
    axes.set_ylabel("translation")
    figure.colorbar(shown, label="weight")
    try:
        figure.savefig(path, format="png", dpi=150)
    except OSError as error:
        raise UserError(f"cannot write {path}: {reason_of(error)}") from None

"""What a classifier looks at in a text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from seqlab.analysis.encoder_attention import reach_lines

SHOWN_CLASSES = 5
"""Number of most likely classes to list."""
SHOWN_WORDS = 12
"""Number of words with the most weight to list."""


@dataclass(frozen=True)
class TextInspection:
    """Analysis of one text by one classifier.

    Args:
        name: Name of the run that trained it.
        label: Predicted label.
        probabilities: Probability of each class.
        words: Each token of the text with its weight, see ``word_weights``.
        attention: Attention weights ``(layers, heads, time, time)``; None without a Transformer.
    """

    name: str
    label: str
    probabilities: dict[str, float]
    words: list[tuple[str, float]]
    attention: Tensor | None = field(repr=False)

    def __str__(self) -> str:
        classes = sorted(self.probabilities.items(), key=lambda one: -one[1])[:SHOWN_CLASSES]
        words = sorted(self.words, key=lambda one: -one[1])[:SHOWN_WORDS]
        lines = [f"{self.name}: {self.label}", "", "the most likely classes", *_table(classes)]
        lines += ["", "the words with the most weight", *_table(words)]
        return "\n".join(lines + ([] if self.attention is None else reach_lines(self.attention)))

    @staticmethod
    def draw(inspections: "Sequence[TextInspection]", folder: Path) -> list[Path]:
        """Draws the weights of the words, and the attention of every head, of each model; returns the files.

        Raises:
            UserError: A file cannot be written.
        """
        from seqlab.analysis.heads_picture import draw_first_words
        from seqlab.figures import new_figure, save_figures

        figures = {}
        for each in inspections:
            words, weights = zip(*each.words, strict=True)
            figures[f"{each.name}-words.png"], axes = new_figure(5, 0.8 + 0.22 * len(words))
            axes.barh(range(len(words)), weights)
            axes.set_yticks(range(len(words)), words)
            axes.invert_yaxis()
            axes.set(xlabel="weight", title=f"Weight of words for {each.label}")
            if each.attention is not None:
                figures[f"{each.name}-heads.png"] = draw_first_words(words, each.attention)
        return save_figures(figures, folder)


def _table(rows: Sequence[tuple[str, float]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"{name:>{width}} {value:.3f}" for name, value in rows]

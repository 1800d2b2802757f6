"""What a translation Transformer looks at while it translates a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.analysis.encoder_attention import reach_lines
from seqlab.analysis.translation_attention import TranslationAttention


@dataclass(frozen=True)
class TranslationInspection:
    """Analysis of one translation by one Transformer.

    Args:
        name: Name of the run that trained it.
        sentence: The sentence.
        translation: Its translation.
        attention: What the heads look at.
    """

    name: str
    sentence: str
    translation: str
    attention: TranslationAttention

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.sentence} -> {self.translation}"]
        lines += reach_lines(self.attention.encoder, "a head of the encoder")
        lines += reach_lines(self.attention.decoder, "a head of the decoder's self-attention")
        return "\n".join(lines)

    @staticmethod
    def draw(inspections: "Sequence[TranslationInspection]", folder: Path) -> list[Path]:
        """Draws the attention of every head of each model; returns the files.

        Raises:
            UserError: A file cannot be written.
        """
        from seqlab.figures import save_figures  # imports matplotlib, which is slow

        figures = {
            f"{each.name}-heads-{name}.png": figure
            for each in inspections
            for name, figure in each.attention.figures().items()
        }
        return save_figures(figures, folder)

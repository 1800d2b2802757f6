"""Analysis of word vectors: neighbours, a picture, and neighbours shared by several runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.analysis.neighbours_over_runs import over_runs
from seqlab.analysis.projection import Method, Projection, project
from seqlab.analysis.word_queries import WordSpace
from seqlab.errors import UserError

if TYPE_CHECKING:
    from seqlab.figures import Figure

DRAWN, LISTED = 40, 8
"""Default number of words to draw, and of words to list with neighbours."""
SKIPPED = 300
"""Number of most frequent words, mostly function words, which come last."""


@dataclass(frozen=True)
class VectorsInspection:
    """The vectors of one run.

    Args:
        name: Name of the run that trained it.
        model: The model, in words.
        space: All words with their vectors.
        drawn: Words to draw.
        listed: Words to list with neighbours.
        neighbours: Number of neighbours of each word.
        projection: Projection of the drawn words' directions.
    """

    name: str
    model: str
    space: WordSpace = field(repr=False)
    drawn: list[str]
    listed: list[str]
    neighbours: int
    projection: Projection = field(repr=False)

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.model}", "", "nearest, with cosines"]
        near = {word: self.space.near(word, self.neighbours).neighbours.items() for word in self.listed}
        lines += [
            f"{word:>16}  " + "  ".join(f"{other} {cosine:.2f}" for other, cosine in pairs)
            for word, pairs in near.items()
        ]
        return "\n".join([*lines, "", f"{len(self.drawn)} words as points: {', '.join(self.projection.axes)}"])

    @staticmethod
    def together(inspections: "Sequence[VectorsInspection]") -> str:
        """Shared neighbours of words over several runs, such as seeds."""
        first = inspections[0]
        words = [word for word in first.listed if all(word in each.space.rows for each in inspections)]
        told = (
            f"{word:>16}  {over_runs([one.space for one in inspections], word, first.neighbours)}" for word in words
        )
        head = f"neighbours over {len(inspections)} runs: in how many each is among the {first.neighbours} nearest"
        return "\n".join([f"{head}, and its mean cosine", *told])

    @staticmethod
    def draw(inspections: "Sequence[VectorsInspection]", folder: Path) -> list[Path]:
        """Draws the words of each run as points with labels; returns the files.

        Raises:
            UserError: A file cannot be written.
        """
        from seqlab.analysis.labelled_points import draw_points
        from seqlab.figures import save_figures

        figures: dict[str, Figure] = {}
        for each in inspections:
            title = f"Directions of {len(each.drawn)} words: {each.name}"
            figures[f"{each.name}-words.png"] = draw_points(each.projection, each.drawn, title)
        return save_figures(figures, folder)


def inspect_vectors(
    space: WordSpace, words: str | None, neighbours: int, projection: Method, name: str, model: str
) -> VectorsInspection:
    """Analyses word vectors.

    Args:
        space: All words with their vectors.
        words: Words separated by commas; the most frequent content words if not given.
        neighbours: Number of neighbours to list for each word.
        projection: Projection of the figure: pca or tsne.
        name: Name of the run that trained it.
        model: The model, in words.

    Raises:
        UserError: A word has no vector, no words are given, or neighbours is below 1.
    """
    if neighbours < 1:
        raise UserError(f"neighbours {neighbours} must be a whole number of at least 1")
    if words is None:
        drawn = content_words(space.words)[:DRAWN]
        listed = drawn[:LISTED]
    else:
        asked = [word for part in words.split(",") if (word := part.strip())]
        drawn = listed = [*dict.fromkeys(space.words[space.row(word)] for word in asked)]
    if not drawn:
        raise UserError(f"words '{words or ''}' names none; give words with commas between, such as king,queen")
    found = project(space.unit[[space.rows[word] for word in drawn]], projection)
    return VectorsInspection(name, model, space, drawn, listed, neighbours, found)


def content_words(words: Sequence[str]) -> list[str]:
    """Words of only letters, sorted by frequency, but with the very most frequent words at the end.

    Args:
        words: Words, the most frequent first.

    Returns:
        These words; all words if none consists of only letters.
    """
    order = [*words[SKIPPED:], *words[:SKIPPED]]
    return [word for word in order if word.isalpha()] or order

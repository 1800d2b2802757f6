"""Positions of predicted symbols in a picture, with their probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from seqlab.figures import Figure

FAINT = 0.05
"""Smallest peak probability of a drawn symbol."""
INCHES = 0.055
"""Inches per column of a picture."""
WIDEST = 24.0
"""Largest width of a figure in inches."""


class Alignment(NamedTuple):
    """Prediction for a picture, with positions.

    Args:
        columns: Ink from 0 to 255 as the model reads it ``(columns, height)``.
        probabilities: Probabilities of the blank and each symbol at each step ``(steps, symbols + 1)``.
        names: Names of the symbols.
        columns_per_step: Columns per step.
        symbols: Predicted symbols.
        steps: First and last step of each symbol, and its highest probability there.
        probability: Probability of the whole string given the picture.
    """

    columns: NDArray[np.uint8]
    probabilities: NDArray[np.float64]
    names: Sequence[str]
    columns_per_step: int
    symbols: Sequence[str]
    steps: Sequence[tuple[int, int, float]]
    probability: float

    @property
    def said(self) -> str:
        """The symbols as text."""
        return "".join(self.symbols)

    def places(self, scale: float = 1.0) -> list[dict[str, Any]]:
        """First and last column of each symbol, from 0.

        Args:
            scale: Columns of the original picture per column that the model reads.
        """
        each, last = self.columns_per_step * scale, round(len(self.columns) * scale) - 1
        return [
            {
                "symbol": symbol,
                "first": min(int(first * each), last),
                "last": min(int((end + 1) * each - 1e-9), last),
                "probability": probability,
            }
            for symbol, (first, end, probability) in zip(self.symbols, self.steps, strict=True)
        ]


@dataclass(frozen=True)
class StringInspection:
    """Predictions of a reader of strings for some pictures.

    Args:
        name: Name of the run that trained it.
        strings: The true string of each picture, empty if unknown, and its prediction.
    """

    name: str
    strings: list[tuple[str, Alignment]]

    def __str__(self) -> str:
        lines = []
        for number, (wanted, one) in enumerate(self.strings):
            said = f" for {wanted}" if wanted else ""
            lines += ["", f"{self.name}, {number}: {one.said or '(nothing)'}{said}, probability {one.probability:.4f}"]
            lines += [
                f"  {place['symbol']}  columns {place['first']:>4} to {place['last']:>4}  {place['probability']:.4f}"
                for place in one.places()
            ]
        return "\n".join(lines[1:])

    @staticmethod
    def draw(inspections: "Sequence[StringInspection]", folder: Path) -> list[Path]:
        """Draws each string with its alignment; returns the files.

        Raises:
            UserError: A file cannot be written.
        """
        from seqlab.figures import save_figures  # imports matplotlib, which is slow

        figures = {
            f"{each.name}-{number}.png": draw_alignment(wanted, one)
            for each in inspections
            for number, (wanted, one) in enumerate(each.strings)
        }
        return save_figures(figures, folder)


def draw_alignment(wanted: str, one: Alignment) -> "Figure":
    """Draws a picture, and below it the probabilities of the blank and each symbol at each column.

    Args:
        wanted: The true string; empty if unknown.
        one: The prediction.
    """
    from seqlab.figures import new_stack

    columns = len(one.columns)
    figure, (picture, chances) = new_stack(min(WIDEST, max(5.0, columns * INCHES)), [1.2, 1.8])
    edge = columns - 0.5
    picture.imshow(one.columns.T, cmap="gray", aspect="auto", extent=(-0.5, edge, one.columns.shape[1], 0))
    picture.set(yticks=[], title=f"predicted {one.said or 'nothing'}" + (f", true {wanted}" if wanted else ""))
    middles = (np.arange(len(one.probabilities)) + 0.5) * one.columns_per_step - 0.5
    chances.plot(middles, one.probabilities[:, 0], color="0.6", linestyle="dashed", label="blank")
    for number, name in enumerate(one.names, 1):
        if one.probabilities[:, number].max() >= FAINT:
            chances.plot(middles, one.probabilities[:, number], color=f"C{number - 1}", label=name)
    for place in one.places():
        first, last = place["first"] - 0.5, place["last"] + 0.5
        for axes in (picture, chances):
            axes.axvspan(first, last, color="C1", alpha=0.2, linewidth=0)
        chances.text((first + last) / 2, 1.02, place["symbol"], ha="center")
    chances.set(xlabel="column", ylabel="probability", ylim=(0, 1.15), xlim=(-0.5, edge))
    chances.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    return figure

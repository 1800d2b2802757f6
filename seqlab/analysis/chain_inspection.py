"""Learned transitions of a tagger, and the influence of words on its tags."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqlab.analysis.encoder_attention import reach_lines
from seqlab.nn.crf import Chain
from seqlab.nn.tagger import Sentences, Tagger

if TYPE_CHECKING:
    from seqlab.figures import Figure

SHOWN = 12
"""Number of most likely transitions, and of least likely transitions, to list."""
WRITTEN = 14
"""Most tags of a figure with numbers."""
START, END = "(start)", "(end)"


@torch.enable_grad()
def influences(network: Tagger, sentences: Sentences, tags: Tensor) -> Tensor:
    """Influence of each word on the tag of each word: gradient times input (Denil et al. 2014, arXiv 1412.6815).

        influence_ij = |d score_i / d x_j . x_j|, each row divided by its sum

    Args:
        network: Network in evaluation mode.
        sentences: One sentence.
        tags: Tags whose scores are differentiated, ``(time,)`` int64.

    Returns:
        ``(time, time)``; the row is the tagged word.
    """
    vectors = network.vectors(sentences).detach().requires_grad_()
    scores = network.scores(vectors, sentences.lengths)[0].gather(1, tags.unsqueeze(1)).squeeze(1)
    rows = []
    for score in scores:
        (slope,) = torch.autograd.grad(score, vectors, retain_graph=True)
        rows.append((slope[0] * vectors[0]).sum(-1).abs())
    found = torch.stack(rows)
    return (found / found.sum(1, keepdim=True).clamp_min(1e-12)).detach()


@dataclass(frozen=True)
class ChainInspection:
    """Analysis of one tagger.

    Args:
        name: Name of the run that trained it.
        names: Names of its tags.
        table: Transition scores ``(tags + 1, tags + 1)``: from each tag (rows, last row: the start) to each tag
            (columns, last column: the end); None without a CRF.
        words: Words of the given sentence; empty without one.
        tags: Predicted tags of these words.
        influence: Influence of each word (column) on the tag of each word (row) ``(words, words)``.
        attention: Attention weights of a Transformer ``(layers, heads, words, words)``.
    """

    name: str
    names: list[str]
    table: NDArray[np.float64] | None
    words: list[str]
    tags: list[str]
    influence: NDArray[np.float64] | None
    attention: Tensor | None = field(default=None, repr=False)

    def __str__(self) -> str:
        lines = [f"{self.name}: {len(self.names)} tags"]
        if self.table is not None:
            lines += ["", *self._transitions(self.table)]
        if self.influence is not None:
            width = max(map(len, self.words))
            lines += ["", "the words with the most influence on each tag, with their shares"]
            for word, tag, row in zip(self.words, self.tags, self.influence, strict=True):
                best = np.argsort(-row, kind="stable")[:4].tolist()
                shares = "  ".join(f"{self.words[place]} {row[place]:.2f}" for place in best)
                lines.append(f"{word:>{width}} {tag:<16} {shares}")
        if self.attention is not None:
            lines += reach_lines(self.attention)
        return "\n".join(lines)

    def _transitions(self, table: NDArray[np.float64]) -> list[str]:
        places = [place for place in np.ndindex(table.shape) if place != (len(self.names), len(self.names))]
        real = sorted((place for place in places if np.isfinite(table[place])), key=lambda place: -table[place])
        never = len(places) - len(real)
        rows, columns = [*self.names, START], [*self.names, END]
        width = max(map(len, rows))
        lines = ["the most likely transitions, and the least likely"]
        for one, other in zip(real[:SHOWN], real[: -SHOWN - 1 : -1], strict=False):
            cells = (
                f"{table[row, column]:>8.2f} {rows[row]:>{width}} -> {columns[column]:<{width}}"
                for row, column in (one, other)
            )
            lines.append("  ".join(cells).rstrip())
        return [*lines, f"{never} transitions are impossible"] if never else lines

    @staticmethod
    def draw(inspections: "Sequence[ChainInspection]", folder: Path) -> list[Path]:
        """Draws the transition scores, the influences and the attention of each model; returns the files.

        Raises:
            UserError: A file cannot be written.
        """
        from seqlab.analysis.heads_picture import draw_first_words  # imports matplotlib, which is slow
        from seqlab.figures import save_figures

        figures = {}
        for each in inspections:
            if each.table is not None:
                rows, columns = [*each.names, START], [*each.names, END]
                scores = _heat(each.table, rows, columns, "Scores of transitions", "to", "from")
                figures[f"{each.name}-transitions.png"] = scores
            if each.influence is not None:
                rows = [f"{word} {tag}" for word, tag in zip(each.words, each.tags, strict=True)]
                influences = _heat(each.influence, rows, each.words, "Influence of words on tags", "word", "tagged")
                figures[f"{each.name}-words.png"] = influences
            if each.attention is not None:
                figures[f"{each.name}-heads.png"] = draw_first_words(each.words, each.attention)
        return save_figures(figures, folder)


def _heat(values: NDArray[np.float64], rows: list[str], columns: list[str], title: str, x: str, y: str) -> "Figure":
    from seqlab.figures import new_figure

    size = max(3.6, 1.4 + 0.4 * len(rows))
    figure, axes = new_figure(size + 1, size)
    finite = np.where(np.isfinite(values), values, np.nan)
    signed = bool(np.nanmin(finite) < 0)
    top = float(np.nanmax(np.abs(finite))) or 1.0
    shown = axes.imshow(finite, cmap="RdBu" if signed else "Blues", vmin=-top if signed else 0, vmax=top)
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel=x, ylabel=y, title=title)
    if len(rows) <= WRITTEN:
        for row, column in np.ndindex(values.shape):
            if np.isfinite(values[row, column]):
                axes.text(column, row, f"{values[row, column]:.1f}", ha="center", va="center", fontsize=6)
    figure.colorbar(shown)
    return figure


def table_of(chain: Chain) -> NDArray[np.float64]:
    """The scores of a chain, with the start in the last row and the end in the last column."""
    size = len(chain.start)
    table = np.full((size + 1, size + 1), -np.inf)
    table[:size, :size] = chain.transitions.detach().cpu().numpy()
    table[size, :size], table[:size, size] = chain.start.detach().cpu().numpy(), chain.end.detach().cpu().numpy()
    return table

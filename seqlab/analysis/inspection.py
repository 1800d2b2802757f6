"""What a recurrent language network does with its memory, in numbers and figures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from seqlab.analysis.activations import Saturation, half_lives, read, saturations, windows
from seqlab.analysis.embeddings import nearest, shown_token
from seqlab.analysis.gradient_flow import gradient_by_lag, recurrent_radii
from seqlab.cells import CELLS
from seqlab.errors import UserError
from seqlab.files import write_whole
from seqlab.nn.language_network import LanguageNetwork
from seqlab.text.codec import Codec

ROWS = 32
"""Pieces of text that numbers are means over."""
SHOWN_TOKENS = 256
SHOWN_UNITS = 6
SHOWN_LAGS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
NEIGHBOURS = 5
FREQUENT = 12
"""Tokens whose neighbours are listed: the first ids, which are the most frequent."""


@dataclass(frozen=True)
class Inspection:
    """What one model does.

    Args:
        name: Of the run that trained it.
        model: Cell, widths and parameters.
        corpus: Read, and how.
        gradients: Norms by lag ``(layers, lags)``, see ``gradient_by_lag``.
        radii: Spectral radius of each gate's recurrent weights.
        gates: Of each gate the shares of its units.
        half_lives: Of the units of every layer, in steps; of the memory c where the state has one.
        tokens: Text that the views of units show.
        units: Units of the top layer that hold what they hold the longest.
        values: Of them after each token ``(tokens, units)``.
        neighbours: By token, the tokens that the embedding holds alike; empty without an embedding.
    """

    name: str
    model: str
    corpus: str
    gradients: Tensor
    radii: dict[str, float]
    gates: dict[str, Saturation]
    half_lives: list[Tensor]
    tokens: list[str] = field(repr=False)
    units: list[int]
    values: Tensor = field(repr=False)
    neighbours: dict[str, list[tuple[str, float]]]

    def __str__(self) -> str:
        lags = [lag for lag in SHOWN_LAGS if lag < self.gradients.shape[1]]
        lines = [f"{self.name}: {self.model}; {self.corpus}", "", "gradient of a step's loss k steps back, k = 1 as 1"]
        lines += [f"{'k':>12}" + "".join(f"{lag:>10}" for lag in lags)]
        for layer, norms in enumerate(self.gradients):
            lines += [f"{f'layer {layer}':>12}" + "".join(f"{float(norms[lag] / norms[1]):>10.2g}" for lag in lags)]
        lines += ["", f"steps until a unit's autocorrelation falls below one half{'':>6}median     slowest"]
        for layer, steps in enumerate(self.half_lives):
            lines += [f"{f'layer {layer}':>12}{int(steps.median()):>57}{int(steps.max()):>12}"]
        if self.gates:
            lines += ["", f"{'gates':>12}{'below 0.1':>12}{'above 0.9':>12}", *map(self._gate, sorted(self.gates))]
        if self.radii:
            lines += ["", f"{'spectral radius of the recurrent weights':>12}"]
            lines += [f"{name:>12}{radius:>12.3f}" for name, radius in self.radii.items()]
        if self.neighbours:
            lines += ["", "nearest in the embedding, with cosines"]
            for token, near in self.neighbours.items():
                lines += [f"{token:>12}  " + "  ".join(f"{other} {cosine:.2f}" for other, cosine in near)]
        return "\n".join(lines)

    def _gate(self, name: str) -> str:
        closed, opened = (float(shares.mean()) for shares in self.gates[name])
        return f"{name:>12}{closed:>12.1%}{opened:>12.1%}"

    @staticmethod
    def draw(inspections: "Sequence[Inspection]", folder: Path) -> list[Path]:
        """Draws gradient flow of all models in one figure, and gates and units of each; returns the files.

        Raises:
            UserError: A file cannot be written.
        """
        from seqlab.analysis import pictures  # matplotlib, which those who draw nothing need not wait for
        from seqlab.figures import save_figure

        lines = {
            each.name if len(each.gradients) == 1 else f"{each.name}, layer {layer}": norms
            for each in inspections
            for layer, norms in enumerate(each.gradients)
        }
        figures = {"gradient_flow.png": pictures.draw_gradient_flow(lines)}
        for each in inspections:
            names = [f"unit {unit}" for unit in each.units]
            if each.gates:
                figures[f"{each.name}-gates.png"] = pictures.draw_saturation(each.gates)
            figures[f"{each.name}-units.png"] = pictures.draw_units(each.tokens, each.values, names)
        for name, figure in figures.items():
            save_figure(figure, folder / name)
        written = [folder / name for name in figures]
        for each in inspections:
            names = [f"unit {unit}" for unit in each.units]
            written.append(folder / f"{each.name}-units.html")
            write_whole(written[-1], pictures.units_as_html(each.tokens, each.values, names))
        return written


def inspect_network(
    network: LanguageNetwork, codec: Codec, ids: NDArray[Any], num_steps: int, name: str, source: str
) -> Inspection:
    """Looks at what a recurrent language network does while it reads.

    Args:
        network: With its weights.
        codec: Of its ids.
        ids: Text to read ``(tokens,)``.
        num_steps: Steps that gradients are followed back.
        name: Of the run that trained it.
        source: What the text is.

    Raises:
        UserError: The text is too short, or num_steps out of its range.
    """
    if num_steps < 1:
        raise UserError(f"num_steps {num_steps} must be a whole number of at least 1")
    if len(ids) < 3:
        raise UserError(f"the text has {len(ids)} tokens, which is too short to look at; give --text a longer one")
    pieces = windows(ids, ROWS, num_steps)
    runs = read(network, pieces[:, :-1])
    shown = torch.from_numpy(ids[:SHOWN_TOKENS].astype("int64"))
    lives = [half_lives(run.states[-1]) for run in runs]
    units = lives[-1].argsort(descending=True, stable=True)[:SHOWN_UNITS].tolist()
    size = sum(weights.numel() for weights in network.parameters())
    cell = next(name for name, row in CELLS.items() if row is network.recurrent.cell)
    widths = " + ".join(map(str, network.recurrent.widths))
    return Inspection(
        name,
        f"{cell}, {widths} units, {size:,} parameters",
        f"{len(pieces)} pieces of {pieces.shape[1] - 1} tokens of {source}",
        gradient_by_lag(network, pieces[:, :-1], pieces[:, 1:]),
        recurrent_radii(network),
        saturations(runs),
        lives,
        codec.vocab.tokens(shown.tolist()),
        units,
        read(network, shown.unsqueeze(0))[-1].states[-1][:, 0, units],
        {} if network.embedding is None else _neighbours(network.embedding.weight, codec),
    )


def _neighbours(vectors: Tensor, codec: Codec) -> dict[str, list[tuple[str, float]]]:
    rows = [i for i in range(min(FREQUENT + 1, len(vectors))) if i != codec.vocab.unk]
    name = codec.vocab.tokens
    return {
        shown_token(name(i)): [(shown_token(name(other)), cosine) for other, cosine in near]
        for i, near in zip(rows, nearest(vectors, rows, NEIGHBOURS), strict=True)
    }

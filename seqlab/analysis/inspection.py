"""Analysis of a recurrent language network's memory, in numbers and figures."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from seqlab.analysis.activations import Saturation, half_lives, read, saturations, windows
from seqlab.analysis.embeddings import nearest, shown_token
from seqlab.analysis.gradient_flow import gradient_by_lag, recurrent_radii
from seqlab.board_tags import gate_words
from seqlab.cells import CELLS
from seqlab.errors import UserError
from seqlab.files import write_whole
from seqlab.nn.language_network import LanguageNetwork
from seqlab.text.codec import Codec

if TYPE_CHECKING:
    from seqlab.figures import Figure

ROWS = 32
"""Number of pieces of text in the means."""
SHOWN_TOKENS = 256
SHOWN_UNITS = 6
WIDE = 24
"""Columns for the name of a gate."""
SHOWN_LAGS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
NEIGHBOURS = 5
FREQUENT = 12
"""Number of tokens to list with neighbours: the first ids, which are the most frequent."""


class LanguageInspection(ABC):
    """Analysis of one language model with any kind of memory.

    Attributes:
        name: Name of the run that trained it.
    """

    name: str

    @abstractmethod
    def curves(self) -> dict[str, Tensor]:
        """Curves by lag, from lag 0 on, by name."""

    @abstractmethod
    def figures(self) -> "dict[str, Figure]":
        """Figures of this model, by file name."""

    def pages(self) -> dict[str, str]:
        """HTML pages, by file name."""
        return {}

    @staticmethod
    def draw(inspections: "Sequence[LanguageInspection]", folder: Path) -> list[Path]:
        """Draws the curves of all models in one figure, and the figures and pages of each; returns the files.

        Raises:
            UserError: A file cannot be written.
        """
        from seqlab.analysis import pictures  # imports matplotlib, which is slow
        from seqlab.figures import save_figures

        lines = {name: values for each in inspections for name, values in each.curves().items()}
        figures = {"gradient_flow.png": pictures.draw_gradient_flow(lines)}
        for each in inspections:
            figures |= each.figures()
        written = save_figures(figures, folder)
        pages = {name: page for each in inspections for name, page in each.pages().items()}
        for name, page in pages.items():
            write_whole(folder / name, page)
        return [*written, *(folder / name for name in pages)]


@dataclass(frozen=True)
class Inspection(LanguageInspection):
    """Analysis of one recurrent model.

    Args:
        name: Name of the run that trained it.
        model: Cell, widths and parameters, in words.
        corpus: The text and its pieces, in words.
        gradients: Norms by lag ``(layers, lags)``, see ``gradient_by_lag``.
        radii: Spectral radius of each gate's recurrent weights.
        gates: Saturation of the units of each gate.
        half_lives: Memory length of the units of every layer, in steps; of the cell state c if there is one.
        tokens: Text in the views of units.
        units: Units of the top layer with the longest memory.
        values: Values of these units after each token ``(tokens, units)``.
        neighbours: Nearest tokens in the embedding, by token; empty without an embedding.
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
        lines = [
            f"{self.name}: {self.model}; {self.corpus}",
            "",
            "gradient of a step's loss k steps back, relative to one step back",
        ]
        lines += layer_lines("k", lags, self.gradients[:, lags] / self.gradients[:, 1:2])
        lines += ["", f"steps until a unit's autocorrelation falls below one half{'':>6}median     slowest"]
        for layer, steps in enumerate(self.half_lives):
            lines += [f"{f'layer {layer}':>12}{int(steps.median()):>57}{int(steps.max()):>12}"]
        if self.gates:
            lines += ["", f"{'gates':<{WIDE}}{'below 0.1':>12}{'above 0.9':>12}", *map(self._gate, sorted(self.gates))]
        if self.radii:
            lines += ["", "spectral radius of the recurrent weights"]
            lines += [f"{gate_words(name):<{WIDE}}{radius:>12.3f}" for name, radius in self.radii.items()]
        lines += neighbour_lines(self.neighbours)
        return "\n".join(lines)

    def _gate(self, name: str) -> str:
        closed, opened = (float(shares.mean()) for shares in self.gates[name])
        return f"{gate_words(name):<{WIDE}}{closed:>12.1%}{opened:>12.1%}"

    def curves(self) -> dict[str, Tensor]:
        alone = len(self.gradients) == 1
        return {self.name if alone else f"{self.name}, layer {k}": norms for k, norms in enumerate(self.gradients)}

    def figures(self) -> "dict[str, Figure]":
        from seqlab.analysis import pictures

        units = pictures.draw_units(self.tokens, self.values, self._names())
        gates = {f"{self.name}-gates.png": pictures.draw_saturation(self.gates)} if self.gates else {}
        return {**gates, f"{self.name}-units.png": units}

    def pages(self) -> dict[str, str]:
        from seqlab.analysis import pictures

        return {f"{self.name}-units.html": pictures.units_as_html(self.tokens, self.values, self._names())}

    def _names(self) -> list[str]:
        return [f"unit {unit}" for unit in self.units]


def check_length(ids: NDArray[Any], num_steps: int) -> None:
    """Checks that the text is long enough.

    Raises:
        UserError: The text is too short, or num_steps is out of its range.
    """
    if num_steps < 1:
        raise UserError(f"num_steps {num_steps} must be a whole number of at least 1")
    if len(ids) < 3:
        raise UserError(f"the text has {len(ids)} tokens, which is too short to look at; give --text a longer one")


def layer_lines(head: str, columns: Sequence[int], rows: Tensor, form: str = ".2g") -> list[str]:
    """A table of a number for each layer and column ``(layers, columns)``."""
    lines = [f"{head:>12}" + "".join(f"{column:>10}" for column in columns)]
    for layer, values in enumerate(rows.tolist()):
        lines.append(f"{f'layer {layer}':>12}" + "".join(f"{value:>10{form}}" for value in values))
    return lines


def neighbour_lines(neighbours: Mapping[str, list[tuple[str, float]]]) -> list[str]:
    """A table of the neighbours."""
    rows = [
        f"{token:>12}  " + "  ".join(f"{other} {cosine:.2f}" for other, cosine in near)
        for token, near in neighbours.items()
    ]
    return ["", "nearest in the embedding, with cosines", *rows] if rows else []


def inspect_network(
    network: LanguageNetwork, codec: Codec, ids: NDArray[Any], num_steps: int, name: str, source: str
) -> Inspection:
    """Analyses a recurrent language network while it reads.

    Args:
        network: The trained network.
        codec: Codec of its ids.
        ids: Text to read ``(tokens,)``.
        num_steps: Steps to follow gradients back.
        name: Name of the run that trained it.
        source: Name of the text.

    Raises:
        UserError: The text is too short, or num_steps is out of its range.
    """
    check_length(ids, num_steps)
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
        {} if network.embedding is None else neighbours_of(network.embedding.weight, codec),
    )


def neighbours_of(vectors: Tensor, codec: Codec) -> dict[str, list[tuple[str, float]]]:
    """Nearest tokens of each frequent token in an embedding, with their cosines."""
    rows = [i for i in range(min(FREQUENT + 1, len(vectors))) if i != codec.vocab.unk]
    name = codec.vocab.tokens
    return {
        shown_token(name(i)): [(shown_token(name(other)), cosine) for other, cosine in near]
        for i, near in zip(rows, nearest(vectors, rows, NEIGHBOURS), strict=True)
    }

"""Figures of gradient flow, gates and units."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from seqlab.analysis.activations import Saturation
from seqlab.analysis.embeddings import shown_token
from seqlab.board_tags import gate_words
from seqlab.figures import Figure, new_figure

FAINTEST = 1e-12
"""Smallest drawn norm, relative to that of lag 1."""
COLUMNS = 64
"""Characters in a row of a view of units."""


def draw_gradient_flow(norms: Mapping[str, Tensor]) -> Figure:
    """Draws gradient norms ``(lags,)`` against the lag, a line for each name."""
    figure, axes = new_figure()
    for name, values in norms.items():
        relative = (values[1:] / values[1]).clamp_min(FAINTEST).numpy()
        axes.plot(range(1, len(values)), relative, label=name)
    axes.set(
        yscale="log",
        xlabel="steps back k",
        ylabel="gradient norm, or attention, relative to one step back",
    )
    axes.set_title("How far back a loss reaches")
    axes.legend()
    return figure


def draw_gradient_history(steps: Sequence[int], norms: Tensor) -> Figure:
    """Draws gradient norms ``(moments, lags)`` over training as a heat map.

    Args:
        steps: Optimizer step of each moment.
        norms: Norms by lag, from lag 0 on.
    """
    figure, axes = new_figure()
    relative = (norms[:, 1:] / norms[:, 1:2]).clamp_min(FAINTEST).log10()
    shown = axes.imshow(relative.T.numpy(), origin="lower", aspect="auto", cmap="magma", vmin=-8, vmax=0)
    marks = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), 6)).astype(int))
    axes.set_xticks(marks, [f"{steps[mark]:,}" for mark in marks])
    axes.set_yticks([lag - 1 for lag in range(1, norms.shape[1]) if lag & (lag - 1) == 0])
    axes.set_yticklabels([str(lag) for lag in range(1, norms.shape[1]) if lag & (lag - 1) == 0])
    axes.set(xlabel="training step", ylabel="steps back k", title="Gradient norm by lag, relative to one step back")
    figure.colorbar(shown, label="log10")
    return figure


def draw_saturation(gates: Mapping[str, Saturation]) -> Figure:
    """Draws each unit of each gate by its shares of time closed and open (Karpathy et al. 2015, figure 4)."""
    names = sorted(gates)
    figure, axes = new_figure(5.2, 4.8)
    for name in names:
        axes.plot(
            gates[name].opened.cpu(), gates[name].closed.cpu(), "o", markersize=4, alpha=0.5, label=gate_words(name)
        )
    axes.plot([0, 1], [1, 0], color="grey", linewidth=0.8)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set(xlabel="share of steps open (above 0.9)", ylabel="share of steps closed (below 0.1)")
    axes.set_title("Gates, a dot for each unit")
    axes.legend()
    return figure


def _cell(token: str) -> str:
    """A token of running text, with spaces unchanged."""
    return token if token == " " else shown_token(token)


def _strength(values: Tensor) -> Tensor:
    """Distances from the mean, scaled so that the largest is 1."""
    distances = values - values.mean()
    return distances / distances.abs().max().clamp_min(1e-12)


def draw_units(tokens: Sequence[str], values: Tensor, names: Sequence[str]) -> Figure:
    """Draws a text once for each unit; the colour of each token is the unit's value after it.

    Args:
        tokens: The tokens.
        values: ``(tokens, units)``; each unit's largest distance from its mean has full colour, blue below and red
            above the mean.
        names: Names of the units.
    """
    rows = -(-len(tokens) // COLUMNS)
    figure, _ = new_figure(0.17 * COLUMNS, 0.28 * (rows + 1.2) * len(names))
    figure.clear()
    cells = torch.zeros(rows * COLUMNS)
    for axes, name, column in zip(np.atleast_1d(figure.subplots(len(names))), names, values.T, strict=True):
        cells[: len(tokens)] = _strength(column)
        axes.imshow(cells.view(rows, COLUMNS).numpy(), cmap="bwr", vmin=-1.3, vmax=1.3, aspect="auto")
        for place, token in enumerate(tokens):
            axes.text(
                place % COLUMNS,
                place // COLUMNS,
                _cell(token)[:1],
                ha="center",
                va="center",
                size=7,
                family="monospace",
            )
        axes.set_title(name, loc="left", size=8)
        axes.axis("off")
    return figure


def units_as_html(tokens: Sequence[str], values: Tensor, names: Sequence[str]) -> str:
    """``draw_units`` as an HTML page; each token shows its value as a tooltip."""
    style = "body{font:14px/1.7 monospace;max-width:60em;margin:2em auto}span{white-space:pre-wrap}"
    parts = [f'<!doctype html><meta charset="utf-8"><title>Units</title><style>{style}</style>']
    for name, column in zip(names, values.T, strict=True):
        strength = _strength(column).tolist()
        parts.append(f"<h3>{html.escape(name)}</h3><p>")
        for token, value, share in zip(tokens, column.tolist(), strength, strict=True):
            colour = f"rgba({'255,60,60' if share > 0 else '60,110,255'},{abs(share):.2f})"
            words = html.escape(_cell(token)) + ("<br>" if "\n" in token else "")
            parts.append(f'<span style="background:{colour}" title="{value:.3f}">{words}</span>')
        parts.append("</p>")
    return "\n".join(parts[:1]) + "".join(parts[1:]) + "\n"

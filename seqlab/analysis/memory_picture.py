"""Figure of success in memory tasks against length."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from seqlab.figures import Figure, new_panels


class Panel(NamedTuple):
    """The panel of one task.

    Args:
        title: Name of the task.
        unit: Meaning of success, in words.
        lines: Success 0 to 1 by length, for each model.
        chance: Success without memory.
    """

    title: str
    unit: str
    lines: Mapping[str, Mapping[int, float]]
    chance: float


def draw_success(panels: Sequence[Panel]) -> Figure:
    """Draws success against length, a panel for each task, a line for each model, chance dashed."""
    figure, each_axes = new_panels(len(panels), 5.2, 4.0)
    for axes, panel in zip(each_axes, panels, strict=True):
        for model, values in panel.lines.items():
            axes.plot([*values], [*values.values()], "o-", markersize=4, label=model)
        axes.axhline(panel.chance, color="grey", linewidth=1, linestyle="--", label="chance")
        lengths = sorted({length for values in panel.lines.values() for length in values})
        axes.set(xscale="log", ylim=(-0.03, 1.03), xlabel="length in steps", ylabel=panel.unit, title=panel.title)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.set_xticks([], minor=True)
        axes.legend()
    return figure

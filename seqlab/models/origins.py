"""Forecasts from a few origins of a part: a rolling-origin backtest (Tashman 2000)."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from seqlab.bootstrap import Mean, bootstrap_mean
from seqlab.data.loader import Loader
from seqlab.data.series import SeriesData
from seqlab.data.series_windows import EveryWindow, SeriesBatch, Windows
from seqlab.data.timeline import written
from seqlab.errors import UserError

TOGETHER = 256
"""Windows to forecast at once."""


class Origin(NamedTuple):
    """Errors of the forecast from one origin.

    Args:
        series: Name of the series; empty if there is only one.
        time: Time of the first step that was forecast.
        measures: Means over the steps and columns, by name.
    """

    series: str
    time: str
    measures: Mapping[str, float]


def evenly(windows: Windows, count: int) -> NDArray[np.int64]:
    """Windows ``(count * series,)``, spread evenly over each series from its first to its last window.

    Raises:
        UserError: There are fewer windows.
    """
    rows = [np.flatnonzero(windows.series == number) for number in np.unique(windows.series)]
    least = min(map(len, rows), default=0)
    if not 1 <= count <= least:
        raise UserError(
            f"origins {count} must be a whole number of at least 1 and at most the {least:,} windows of the part"
        )
    return np.concatenate([own[np.linspace(0, len(own) - 1, count).round().astype(np.int64)] for own in rows])


def means_of(origins: Sequence[Origin]) -> dict[str, Mean]:
    """Mean of each measure over origins with a bootstrap 95% interval, which is too narrow if their steps overlap."""
    return {name: bootstrap_mean([one.measures[name] for one in origins]) for name in origins[0].measures}


def table(origins: Sequence[Origin], titles: Mapping[str, str]) -> list[str]:
    """Lines of a table: one for each origin, then the mean, and the ends of its interval.

    Args:
        origins: Results, at least one.
        titles: Titles of the measures, by name.
    """
    names = [" ".join(word for word in (one.series, one.time) if word) for one in origins]
    means = means_of(origins)
    rows = [(name, one.measures) for name, one in zip(names, origins, strict=True)]
    rows.append((f"mean of {len(origins)}", {name: mean.value for name, mean in means.items()}))
    for word, place in (("95% from", "low"), ("95% to", "high")):
        ends = {name: getattr(mean, place) for name, mean in means.items()}
        rows += [] if None in ends.values() else [(word, ends)]
    width = max(20, *(len(name) + 2 for name, _ in rows))
    lines = [f"{'from':<{width}}" + "".join(f"{title:>10}" for title in titles.values())]
    return lines + [f"{name:<{width}}" + "".join(f"{own[key]:>10.4f}" for key in titles) for name, own in rows]


def check_origins(origins: int | None, refit: bool, figure: str | None, trained: str | None) -> None:
    """Refuses options that do not fit origins.

    Args:
        origins: Number of origins; all windows if not given.
        refit: Whether to refit the model at each origin.
        figure: File of a figure of every window.
        trained: Name of a model trained by gradients; None for others.

    Raises:
        UserError: Two options contradict each other.
    """
    if refit and origins is None:
        raise UserError("refit fits a model again at each origin; give --origins too")
    if refit and trained is not None:
        raise UserError(
            f"refit is for models in closed form (ridge, seasonal, naive); {trained or 'this one'} is trained by "
            "gradients; leave out --refit"
        )
    if figure is not None and origins is not None:
        raise UserError("the figure shows every window of a part; leave out --origins, or --figure")


def from_origins(
    data: SeriesData, windows: Windows, network: nn.Module, fit: Callable[[nn.Module, Windows], None] | None
) -> list[tuple[nn.Module, Loader[SeriesBatch]]]:
    """Pairs of a network and its windows: the same network for all, or a refitted copy for each origin.

    Args:
        data: The series.
        windows: Windows of the origins.
        network: The forecasting network.
        fit: Fits a network to windows; None to keep the network.

    Raises:
        UserError: No window lies before an origin.
    """
    if fit is None:
        return [(network, Loader(EveryWindow(windows, TOGETHER)))]
    parts: list[tuple[nn.Module, Loader[SeriesBatch]]] = []
    for row in range(len(windows)):
        time, own = data.series[windows.series[row]].times[windows.starts[row]], deepcopy(network)
        if not len(before := data.windows_before(time)):
            raise UserError(f"no window lies before {written(time)} to fit the model to; choose a later --split")
        fit(own, before)
        parts.append((own, Loader(EveryWindow(windows.only(np.array([row])), 1))))
    return parts

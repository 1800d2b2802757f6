"""The logged values of a run, read from its TensorBoard events."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


class Curve(NamedTuple):
    """A logged value: optimizer steps and values, both ``(points,)``."""

    steps: NDArray[np.float64]
    values: NDArray[np.float64]


def read_curves(run: Path) -> dict[str, Curve]:
    """Every scalar of a run by name; in a resumed run, values logged after the resumed checkpoint are dropped."""
    board = EventAccumulator(str(run), size_guidance={"scalars": 0})
    board.Reload()
    curves = {}
    for tag in board.Tags()["scalars"]:
        events = board.Scalars(tag)
        curves[tag] = Curve(np.array([float(e.step) for e in events]), np.array([e.value for e in events]))
    return curves


def against_time(curve: Curve, seconds: Curve) -> Curve:
    """The curve with seconds of training instead of steps, interpolated for steps without a logged time."""
    return Curve(np.interp(curve.steps, *seconds), curve.values)

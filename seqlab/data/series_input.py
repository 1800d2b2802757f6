"""Input lines of a forecast -> series."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqlab.data.series import check_known, scaled_of
from seqlab.data.series_files import RawSeries, SeriesLayout, Values, filled, read_series
from seqlab.data.series_windows import Floats
from seqlab.data.timeline import Step, Time, read_time
from seqlab.errors import UserError
from seqlab.text.series_codec import SeriesCodec


class Input(NamedTuple):
    """A series to forecast.

    Args:
        name: Name of the series; empty if there is only one.
        times: Times of the history.
        values: Values of the history in units ``(history, columns)``.
        history: The history in standard scores ``(history, columns)`` float32.
        known: Known features of the history and of the next steps ``(history + steps, features)`` float32.
        ahead: Times of the next steps.
    """

    name: str
    times: list[Time]
    values: Values
    history: Floats
    known: Floats
    ahead: list[Time]


def read_inputs(lines: Sequence[str], codec: SeriesCodec, steps: int) -> list[Input]:
    """The series of some lines, cut to the history that a forecast reads.

    Args:
        lines: Lines of a file with the layout of the training file; values after the history may be missing.
        codec: Codec of the model.
        steps: Number of steps to forecast.

    Raises:
        UserError: A series is unknown or too short, or a known feature is missing.
    """
    head = lines[0] if lines else ""
    if len(codec.columns) == 1 and isinstance(read_time(head), float):  # numbers alone
        head, lines = codec.columns[0], [codec.columns[0], *lines]
    text = "\n".join(lines)
    time = codec.time_column if codec.time_column is not None and codec.time_column in head else None
    layout = SeriesLayout(codec.columns, tuple(codec.known), time, codec.id_column, codec.timezone)
    series, step, _ = read_series(text, "the input", layout)
    check_known(codec, [one.name for one in series], step, "the input")
    return [_input(one, codec, step, steps) for one in series]


def _input(one: RawSeries, codec: SeriesCodec, step: Step, steps: int) -> Input:
    end, of_series = len(one.values) - one.ahead, f" of the series '{one.name}'" if one.name else ""
    if end < codec.history:
        raise UserError(
            f"the input has {end} rows{of_series} and the model reads {codec.history}; give it as many or more"
        )
    if codec.known and (one.ahead < steps or np.isnan(one.known[end : end + steps]).any()):
        raise UserError(
            f"the model reads {', '.join(codec.known)} of every step that it forecasts; give {steps} rows{of_series} "
            "behind the history with these and no other values"
        )
    last = one.times[end - 1]
    ahead = [step.after(last, number) for number in range(1, steps + 1)]
    known = np.concatenate([one.known[:end], one.known[end:][:steps]])
    known = np.concatenate([known, np.full((end + steps - len(known), known.shape[1]), np.nan)])
    values = np.concatenate([one.values[:end], np.full((steps, one.values.shape[1]), np.nan)])
    whole = one._replace(times=[*one.times[:end], *ahead], values=values, known=known)
    scores, features = scaled_of(codec, whole)
    begin = end - codec.history
    return Input(
        one.name, one.times[begin:end], filled(one.values)[begin:end], scores[begin:end], features[begin:], ahead
    )

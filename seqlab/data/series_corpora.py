"""Named series: a noisy sine by formula, airline passengers, temperatures, transformer loads."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from seqlab.data.named import verified
from seqlab.data.series import Found, SeriesData
from seqlab.data.series_files import RawSeries, SeriesLayout, read_series
from seqlab.data.timeline import Step

SINE_STEPS, SINE_NOISE = 1000, 0.2
LAYOUT = ("path", "columns", "known", "time_column", "id_column", "timezone", "encoding")
"""Options that a named series fixes."""


def sine(steps: int = SINE_STEPS, noise: float = SINE_NOISE) -> NDArray[np.float64]:
    """sin(0.01 t) with normal noise, t = 1 ... steps, with a fixed seed (Dive into Deep Learning, section 9.1)."""
    time = np.arange(1, steps + 1)
    return np.sin(0.01 * time) + noise * np.random.default_rng(0).normal(size=steps)


def seasonal_sample(steps: int, columns: int, season: int) -> NDArray[np.float64]:
    """A trend, a season and autocorrelated noise, different in each column: ``(steps, columns)``.

    x_t = 10 + 3 t / steps + 2 sin(2 pi t / season + column) + e_t,     e_t = e_(t-1) / 2 + normal noise of 0.3
    """
    time, noise = np.arange(steps)[:, None], np.random.default_rng(0).normal(scale=0.3, size=(steps, columns))
    for row in range(1, steps):
        noise[row] += noise[row - 1] / 2
    sample: NDArray[np.float64] = 10 + 3 * time / steps + 2 * np.sin(2 * np.pi * time / season + np.arange(columns))
    return sample + noise


def of_values(values: NDArray[np.float64], columns: Sequence[str], step: Step, begin: datetime | None) -> Found:
    """A corpus of one generated series; without a first time its rows are numbered from 1."""
    first = 1.0 if begin is None else begin
    times = [step.after(first, row) for row in range(len(values))]
    whole = RawSeries("", times, values, np.zeros((len(values), 0)), 0, 0, 0)
    return Found([whole], step, SeriesLayout([*columns], time=None if begin is None else "date"), "sample")


class Sine(SeriesData):
    """The book's noisy sine, 1,000 steps by formula: 600 train, 100 validate, 300 test.

    Args:
        history: Steps that a forecast reads.
        scaling: standard (by mean and deviation of the training part) or none.
        batch_size: Windows in a batch, over all processes.
        val_fraction: Share of the steps for validation.
        test_fraction: Share of the steps, at the end, for testing.
    """

    data_name = "sine"
    answered = (*LAYOUT, "calendar", "root")

    def __init__(
        self,
        history: int = 4,
        scaling: Literal["standard", "none"] = "none",
        batch_size: int = 16,
        val_fraction: float = 0.1,
        test_fraction: float = 0.3,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            path=None,
            columns=None,
            known=None,
            time_column=None,
            id_column=None,
            timezone=None,
            calendar=None,
            encoding=None,
            root=None,
            history=history,
            scaling=scaling,
            batch_size=batch_size,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            **kwargs,
        )

    def find(self, path: Path | None, layout: SeriesLayout, encoding: str | None) -> Found:
        """The series by formula."""
        return of_values(sine()[:, None], ["sine"], Step("numbers", 1.0), None)._replace(name="sine")


class NamedSeries(SeriesData):
    """A series of one verified file, or a sample by formula if it is not available and the user named no folder.

    ``source`` is its key of ``SOURCES``, ``title`` what a sentence calls it.
    """

    source: str
    title: str
    answered: ClassVar[tuple[str, ...]] = LAYOUT

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            path=None,
            columns=None,
            known=None,
            time_column=None,
            id_column=None,
            timezone=None,
            encoding=None,
            **kwargs,
        )

    def sample(self) -> Found:
        """The generated sample, with the same number of columns and the same step."""
        raise NotImplementedError

    def find(self, path: Path | None, layout: SeriesLayout, encoding: str | None) -> Found:
        paths = verified([self.source], self.root, self.title)
        if paths is None:
            return self.sample()
        found = read_series(paths[0].read_text(encoding="utf-8"), str(paths[0]), layout)
        return Found(*found, self.data_name)


class Airline(NamedSeries):
    """Airline passengers in thousands, 144 months from 1949 (Box and Jenkins 1976, series G).

    Args:
        history: Steps that a forecast reads.
        horizon: Steps of one forecast.
        batch_size: Windows in a batch, over all processes.
        val_fraction: Share of the steps for validation.
        test_fraction: Share of the steps, at the end, for testing.
    """

    data_name = "airline"
    source, title = "airline", "The series of airline passengers"

    def __init__(
        self,
        history: int = 24,
        horizon: int = 12,
        batch_size: int = 16,
        val_fraction: float = 0.125,
        test_fraction: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            history=history,
            horizon=horizon,
            batch_size=batch_size,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            **kwargs,
        )

    def sample(self) -> Found:
        """144 months by formula."""
        return of_values(seasonal_sample(144, 1, 12), ["Passengers"], Step("months", 1.0), datetime(1949, 1, 1))


class Temperatures(NamedSeries):
    """Daily minimum temperatures of Melbourne in degrees Celsius, 1981 to 1990; the season is a year.

    Args:
        history: Steps that a forecast reads.
        horizon: Steps of one forecast.
        season: Steps of one season.
    """

    data_name = "temperatures"
    source, title = "temperatures", "The series of temperatures"

    def __init__(self, history: int = 365, horizon: int = 7, season: int | None = 365, **kwargs: Any) -> None:
        super().__init__(history=history, horizon=horizon, season=season, **kwargs)

    def sample(self) -> Found:
        """Ten years of days by formula."""
        return of_values(seasonal_sample(3650, 1, 365), ["Temp"], Step("days", 1.0), datetime(1981, 1, 1))


class ETTh1(NamedSeries):
    """Loads and oil temperature of a transformer, hourly, 7 columns (Zhou et al. 2021, arXiv 2012.07436).

    Args:
        history: Steps that a forecast reads.
        horizon: Steps of one forecast.
        counts: Steps to train, to validate and to test on; the standard 12, 4 and 4 months of 30 days if not given.
    """

    data_name = "etth1"
    source, title = "etth1", "ETTh1"
    answered = (*LAYOUT, "val_fraction", "test_fraction", "val_from", "test_from")

    def __init__(self, history: int = 336, horizon: int = 96, counts: list[int] | None = None, **kwargs: Any) -> None:
        super().__init__(
            history=history,
            horizon=horizon,
            counts=counts or [8640, 2880, 2880],
            val_fraction=0.1,
            test_fraction=0.2,
            val_from=None,
            test_from=None,
            **kwargs,
        )

    def sample(self) -> Found:
        """The same number of hours by formula."""
        columns = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
        return of_values(seasonal_sample(14_400, 7, 24), columns, Step("seconds", 3600.0), datetime(2016, 7, 1))

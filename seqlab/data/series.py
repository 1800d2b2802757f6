"""Series of numbers for forecasting: any files."""

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from torch.utils.data import DataLoader

from seqlab.data.columns import Names, listed
from seqlab.data.data_module import DataModule
from seqlab.data.labelled_files import read_text
from seqlab.data.loader import Loader, Shard
from seqlab.data.parts import SPLITS, Split, check_held_out
from seqlab.data.series_files import RawSeries, SeriesLayout, filled, read_series
from seqlab.data.series_parts import Parts, asked_of, check_parts, comparable, parts_of
from seqlab.data.series_windows import EveryWindow, Floats, SeriesBatch, WindowBatches, Windows, windows_of
from seqlab.data.timeline import CALENDAR, Step, Time, calendar_of, written
from seqlab.errors import NoPartError, UserError, nearest
from seqlab.files import user_path
from seqlab.text.series_codec import Scale, SeriesCodec

EVALUATED = 256
"""Windows in an evaluation batch."""


class Found(NamedTuple):
    """The series of a corpus, their step, the layout of their file, and the name of the corpus."""

    series: list[RawSeries]
    step: Step
    layout: SeriesLayout
    name: str


class SeriesData(DataModule):
    """Any series of numbers at regular times: text with one row per time, cells separated by comma, semicolon or tab.

    Parts follow each other in time. A missing value or row takes the last value before it.

    Args:
        path: File of the series, plain or compressed (.gz, .bz2, .xz).
        columns: Columns to forecast, names separated by commas; every other column of numbers if not given.
        known: Columns that are known in advance, names separated by commas.
        time_column: Column of the time; detected if not given. Without such a column, rows are numbered.
        id_column: Column with the name of the series of each row.
        timezone: Time zone of the times, such as Europe/Berlin; as in the file if not given.
        calendar: Calendar features as additional input: hour, weekday, month, separated by commas.
        encoding: Encoding of the file; if not given, UTF-8, or Latin-1 if that fails.
        history: Steps that a forecast reads.
        horizon: Steps of one forecast.
        season: Steps of one season; a day of hours, a week of days, a year of months if not given.
        scaling: standard (each column of each series by mean and deviation of its training part) or none.
        batch_size: Windows in a batch, over all processes.
        val_fraction: Share of the steps for validation, before the test part.
        test_fraction: Share of the steps, at the end, for testing.
        counts: Steps to train, to validate and to test on, in this order, instead of shares.
        val_from: Time of the first validation step, instead of a share.
        test_from: Time of the first test step, instead of a share.
        root: Folder of the corpora; $SEQLAB_DATA or the user's cache folder if not given.
        seed: Seed of the order of batches; follows the run's seed if not given.
        codecs: Codecs of the series of a checkpoint, instead of new ones.
    """

    data_name: ClassVar[str] = "series"
    held_out: ClassVar[tuple[str, ...]] = ()
    of_codecs: ClassVar[tuple[str, ...]] = (
        *("columns", "known", "timezone", "calendar", "history", "horizon", "season", "scaling"),
    )
    of_splits: ClassVar[tuple[str, ...]] = ("val_fraction", "test_fraction", "counts", "val_from", "test_from")

    def __init__(
        self,
        path: str | None = None,
        columns: Names = None,
        known: Names = None,
        time_column: str | None = None,
        id_column: str | None = None,
        timezone: str | None = None,
        calendar: Names = None,
        encoding: str | None = None,
        history: int = 24,
        horizon: int = 1,
        season: int | None = None,
        scaling: Literal["standard", "none"] = "standard",
        batch_size: int = 32,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        counts: list[int] | None = None,
        val_from: str | None = None,
        test_from: str | None = None,
        root: str | None = None,
        seed: int = 0,
        codecs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["codecs"])
        for name, number in {
            "history": history,
            "horizon": horizon,
            "season": season,
            "batch_size": batch_size,
        }.items():
            if number is not None and number < 1:
                raise UserError(f"{name} {number} must be a whole number of at least 1")
        if scaling not in ("standard", "none"):
            raise UserError(f"unknown scaling '{scaling}': {nearest(scaling, ('standard', 'none'))}")
        features = listed(calendar) or []
        if unknown := next((one for one in features if one not in CALENDAR), None):
            raise UserError(f"unknown calendar '{unknown}': {nearest(unknown, CALENDAR)}")
        cuts = Parts(val_fraction, test_fraction, counts, val_from, test_from)
        check_parts(cuts)
        self.batch_size, self.seed = batch_size, seed
        self.root = user_path(root) if root else None
        of_checkpoint: SeriesCodec | None = None if codecs is None else codecs["series"]
        layout = SeriesLayout(listed(columns), tuple(listed(known) or ()), time_column, id_column, timezone)
        if of_checkpoint is not None:
            settled = of_checkpoint.columns, tuple(of_checkpoint.known), time_column, of_checkpoint.id_column
            layout = SeriesLayout(*settled, of_checkpoint.timezone)
        found = self.find(user_path(path) if path else None, layout, encoding)
        self.series, self.step, self.layout, self.corpus_name = found
        self.series = [_without_rows_ahead(one) for one in self.series]
        self.bounds = [parts_of(one, cuts, self.layout.timezone) for one in self.series]
        if of_checkpoint is None:
            of_checkpoint = self._codec(features, history, horizon, season, scaling)
        self.codec = of_checkpoint
        check_known(self.codec, [one.name for one in self.series], self.step, self.corpus_name)
        self._values, self._known = self._scaled()
        if not len(self.windows("train")):
            longest = max(end - begin for begin, end in (bounds["train"] for bounds in self.bounds))
            raise UserError(
                f"the training part has {longest:,} steps, fewer than one window of history {self.codec.history} and "
                f"horizon {self.codec.horizon}; lower --data.history or --data.horizon, or give more steps"
            )
        windows = {split: len(self.windows(split)) for split in SPLITS}
        steps = sum(len(one.values) for one in self.series)
        check_held_out(asked_of(cuts, steps), windows, f"without a window of horizon {self.codec.horizon}")

    def find(self, path: Path | None, layout: SeriesLayout, encoding: str | None) -> Found:
        """The series of a file.

        Raises:
            UserError: No file was named, or it does not hold series.
        """
        if path is None:
            raise UserError("--data series needs a series to learn from; name a file with --data.path")
        read = read_series(read_text(path, encoding)[0], str(path), layout)
        return Found(*read, path.name.partition(".")[0])

    @property
    def codecs(self) -> dict[str, SeriesCodec]:
        return {"series": self.codec}

    def has(self, split: Split) -> bool:
        return len(self.windows(split)) > 0

    def windows(self, split: Split, horizon: int | None = None) -> Windows:
        """The windows of a part.

        Args:
            split: The part.
            horizon: Steps that follow the history; those of the codec if not given.
        """
        bounds = [each[split] for each in self.bounds]
        return windows_of(self._values, self._known, bounds, self.codec.history, horizon or self.codec.horizon)

    def windows_before(self, time: Time) -> Windows:
        """The windows of the codec's horizon, of every series, whose targets all lie before a time."""
        ends = [bisect_left([*map(comparable, one.times)], comparable(time)) for one in self.series]
        bounds = [(0, end) for end in ends]
        return windows_of(self._values, self._known, bounds, self.codec.history, self.codec.horizon)

    def times(self, split: Split, horizon: int | None = None) -> list[tuple[str, str]]:
        """The series name and the time of the first target for each window of a part."""
        windows = self.windows(split, horizon)
        pairs = zip(windows.series.tolist(), windows.starts.tolist(), strict=True)
        return [(self.series[row].name, written(self.series[row].times[start])) for row, start in pairs]

    def train_batches(self, shard: Shard) -> WindowBatches:
        return WindowBatches(self.windows("train"), self.batch_size, self.seed, shard)

    def evaluation_loader(self, split: Split, horizon: int | None = None) -> Loader[SeriesBatch]:
        """Every window of a part exactly once.

        Args:
            split: The part.
            horizon: Steps that follow the history; those of the codec if not given.

        Raises:
            NoPartError: The part holds no window.
        """
        windows = self.windows(split, horizon)
        if not len(windows):
            raise NoPartError(
                f"the {split} part of '{self.corpus_name}' has {self._steps(split)} steps and no window of history "
                f"{self.codec.history} and horizon {windows.horizon}; give it more steps"
            )
        return Loader(EveryWindow(windows, EVALUATED, self.shard()))

    def inputs(self, split: Split) -> list[str]:
        """A line of names, and the rows up to the end of a part."""
        layout, head = self.layout, [self.layout.time, self.layout.id, *self.codec.columns, *self.codec.known]
        lines = [",".join(name for name in head if name is not None)]
        for one, bounds in zip(self.series, self.bounds, strict=True):
            rows = np.concatenate([one.values, one.known], 1)[: bounds[split][1]]
            for time, row in zip(one.times, rows, strict=False):
                first = ([written(time)] if layout.time else []) + ([one.name] if layout.id else [])
                lines.append(",".join([*first, *("" if np.isnan(value) else repr(float(value)) for value in row)]))
        return lines

    def predict_dataloader(self) -> DataLoader[str]:
        inputs: Any = self.inputs("test")
        return DataLoader(inputs, batch_size=len(inputs), collate_fn=list)

    def num_items(self) -> int:
        return len(self.windows("train"))

    def fingerprint(self) -> str:
        digest = hashlib.sha1(repr(self.codec.state()).encode())
        for values, known, bounds in zip(self._values, self._known, self.bounds, strict=True):
            digest.update(repr([bounds["train"], bounds["val"]]).encode())
            digest.update(values[: bounds["val"][1]].tobytes() + known[: bounds["val"][1]].tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        held: dict[Split, str] = {"val": "validate", "test": "test"}
        many = f" of {len(self.series)} series" if len(self.series) > 1 else ""
        columns = "1 column" if len(self.codec.columns) == 1 else f"{len(self.codec.columns)} columns"
        words = [f"{self._steps('train'):,} steps{many} to train on ({columns}, {self.step})"]
        words += [f"{self._steps(split):,} to {aim} on" for split, aim in held.items() if self._steps(split)]
        words.append(f"{self.num_items():,} windows of {self.codec.history} + {self.codec.horizon} steps")
        told = {
            "missing rows": sum(one.inserted for one in self.series),
            "missing values": sum(one.missing for one in self.series),
        }
        missing = [f"{count:,} {name}" for name, count in told.items() if count]
        if missing:
            words.append(f"{' and '.join(missing)} filled with the value before")
        if early := sum(one.left_out for one in self.series):
            words.append(f"{early:,} rows before every column has a value left out")
        unused = sum(len(one.values) - bounds["test"][1] for one, bounds in zip(self.series, self.bounds, strict=True))
        if unused:
            words.append(f"{unused:,} steps behind the parts left out")
        return ", ".join(words)

    def _steps(self, split: Split) -> int:
        return sum(end - begin for begin, end in (bounds[split] for bounds in self.bounds))

    def _codec(self, calendar: list[str], history: int, horizon: int, season: int | None, scaling: str) -> SeriesCodec:
        """The codec, from the training part only."""
        season = season or self.step.season()
        scales, known_scales, errors = {}, {}, {}
        for one, bounds in zip(self.series, self.bounds, strict=True):
            values, known = (filled(part)[: bounds["train"][1]] for part in (one.values, one.known))
            if not len(values):
                raise UserError(f"the training part of the series '{one.name}' is empty; give it more steps")
            kind = Scale.of if scaling == "standard" else lambda part: Scale.none(part.shape[1])
            scales[one.name], known_scales[one.name] = kind(values), kind(known)
            errors[one.name] = seasonal_error(values, season)
        assert self.layout.columns is not None
        return SeriesCodec(
            columns=self.layout.columns,
            known=[*self.layout.known],
            calendar=calendar,
            history=history,
            horizon=horizon,
            season=season,
            step=self.step.plain(),
            time_column=self.layout.time,
            id_column=self.layout.id,
            timezone=self.layout.timezone,
            scales=scales,
            known_scales=known_scales,
            errors=errors,
        )

    def _scaled(self) -> tuple[list[Floats], list[Floats]]:
        """Values and known features of each series, in standard scores."""
        pairs = [scaled_of(self.codec, one) for one in self.series]
        return [values for values, _ in pairs], [known for _, known in pairs]


def scaled_of(codec: SeriesCodec, one: RawSeries) -> tuple[Floats, Floats]:
    """Values ``(steps, columns)`` and known features ``(steps, features)`` of a series, both float32."""
    values = codec.scales[one.name].scaled(filled(one.values))
    known = codec.known_scales[one.name].scaled(filled(one.known))
    features = np.concatenate([known, calendar_of(one.times, codec.calendar)], 1)
    return values.astype(np.float32), features.astype(np.float32)


def seasonal_error(values: np.ndarray[Any, Any], season: int) -> list[float]:
    """Mean absolute difference from the season before, one per column; 1 if a column is constant or too short."""
    if len(values) <= season:
        return [1.0] * values.shape[1]
    errors = np.abs(values[season:] - values[:-season]).mean(0)
    return [float(error) for error in np.where(errors > 0, errors, 1.0)]


def check_known(codec: SeriesCodec, names: Sequence[str], step: Step, where: str) -> None:
    """Refuses series unknown to the model, and a different step.

    Raises:
        UserError: A series is unknown, or the step differs from training.
    """
    if unknown := next((name for name in names if name not in codec.scales), None):
        raise UserError(
            f"{where} has the series '{unknown}', which the model was not trained on; it knows "
            f"{', '.join(codec.names) or 'no names'}"
        )
    trained = Step.from_plain(codec.step)
    if step != trained:
        raise UserError(f"{where} is {step} and the model was trained on {trained}; give it at the same step")


def _without_rows_ahead(one: RawSeries) -> RawSeries:
    end = len(one.values) - one.ahead
    return one._replace(times=one.times[:end], values=one.values[:end], known=one.known[:end], ahead=0)

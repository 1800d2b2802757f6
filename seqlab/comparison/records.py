"""The record in the folder of each run of a comparison: its options and its results."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqlab.comparison.curves import read_curves
from seqlab.comparison.grid import Cell
from seqlab.errors import UserError
from seqlab.files import read_regular
from seqlab.metrics import LOSS, Measure
from seqlab.runs.folders import RESULT, write_json

RECORD = "comparison.json"
RATES = ("tokens_per_second", "items_per_second")
UNTOLD = {"perplexity": Measure("perplexity", "{:.3f}", "lower"), "bleu": Measure("BLEU", "{:.2f}", "higher")}
"""Measures of old runs, whose results do not list their measures."""
TOLD = ("title", "form", "better")
"""Fields of a measure in a record."""


@dataclass(frozen=True)
class Record:
    """A run of a comparison.

    Args:
        name: Name of the run.
        arguments: Arguments of ``fit``, except the run's name and folder.
        options: All options of these arguments.
        result: Results, see ``measure_run``; None until the run is finished.
        corpus: Name of the training corpus; empty until the run is finished.
        reason: Reason of a failure; empty without one.
        task: Task of the run; empty until the run is finished, or if the result does not name it.
        measures: Measures of the task, by name, the main one first.
        items: File in the run's folder with the results of each test item; empty if there is none.
    """

    name: str
    arguments: Sequence[str]
    options: Mapping[str, Any]
    result: Mapping[str, float] | None = None
    corpus: str = ""
    reason: str = ""
    task: str = ""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    items: str = ""

    @property
    def main(self) -> str | None:
        """Name of the main measure; None until the run is finished."""
        return next(iter(self.measures), None)

    def write(self, folder: Path) -> None:
        """Writes the record to the run's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        told = {name: {key: getattr(one, key) for key in TOLD} for name, one in self.measures.items()}
        write_json(folder / RECORD, {**asdict(self), "measures": told})


def read_record(folder: Path) -> Record | None:
    """The record in a run's folder; None if there is no run.

    Raises:
        UserError: The folder holds something else.
    """
    try:
        said = json.loads(read_regular(folder / RECORD))
        return Record(**{**said, "measures": _measures(said, said.get("result") or {})})
    except FileNotFoundError:
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"{folder} is not a run of a comparison; choose another --output") from None
        return None
    except NotADirectoryError:
        raise UserError(f"{folder} cannot be a folder, a file lies in its way; choose another --output") from None
    except (OSError, ValueError, TypeError):
        raise UserError(f"{folder / RECORD} cannot be read; remove {folder}, or choose another --output") from None


def check_record(cell: Cell, options: Mapping[str, Any], folder: Path) -> Record | None:
    """The record of a requested run, if there is one.

    Raises:
        UserError: The run has other options.
    """
    record = read_record(folder)
    if record is None or record.options == json.loads(json.dumps(options)):
        return record
    before, now = dict(_flat(record.options)), dict(_flat(options))
    key = next((key for key in now | before if before.get(key) != now.get(key)), "options")
    raise UserError(
        f"the run '{cell.name}' there was made with {key} {before.get(key)}, not {now.get(key)}; "
        "choose another --output"
    )


def _flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


class Measured(NamedTuple):
    """Results of a finished run.

    Args:
        result: ``parameters``, ``steps``, ``seconds`` of training and validation, and from the log
            ``tokens_per_second`` or ``items_per_second`` (the median), ``val_loss`` (the lowest), and for each measure
            ``train_<measure>`` (the last) and ``val_<measure>`` (the best).
        corpus: Name of the training corpus.
        task: Task of the run.
        measures: Measures of the task, by name.
    """

    result: Mapping[str, float]
    corpus: str
    task: str
    measures: Mapping[str, Measure]


def measure_run(folder: Path) -> Measured:
    """Reads a finished run's result and its log."""
    said = json.loads(read_regular(folder / RESULT))
    curves = read_curves(folder)
    logged = {tag.replace("/", "_", 1): curve.values for tag, curve in curves.items()}
    measures = _measures(said, logged)
    result = {key: said[key] for key in ("parameters", "steps", "seconds")}
    result |= {rate: float(np.median(logged[f"train_{rate}"])) for rate in RATES if f"train_{rate}" in logged}
    for name, better in {LOSS: "lower", **{name: one.better for name, one in measures.items()}}.items():
        if name != LOSS and (key := f"train_{name}") in logged:
            result[key] = float(logged[key][-1])
        if (key := f"val_{name}") in logged:
            result[key] = float(best_of(logged[key], better))
    return Measured(result, said["corpus"], said.get("task", ""), measures)


def best_of(values: Iterable[float], better: str) -> float:
    """The lowest or the highest of some values, whichever is better; NaN if all values are NaN."""
    numbers = [value for value in values if value == value] or [math.nan]
    return min(numbers) if better == "lower" else max(numbers)


def _measures(said: Mapping[str, Any], reached: Iterable[str]) -> dict[str, Measure]:
    """The measures listed in a result or a record; if it lists none, those with a value."""
    if "measures" in said:
        return {name: Measure(**one) for name, one in said["measures"].items()}
    return {name: one for name, one in UNTOLD.items() if f"val_{name}" in reached or f"test_{name}" in reached}


def checkpoint_of(folder: Path) -> Path | None:
    """The best checkpoint of a finished run; the last without validation, None if none was written."""
    name = json.loads(read_regular(folder / RESULT))["checkpoint"]
    return None if name is None or not (folder / name).is_file() else folder / name

"""The record that each run of a comparison has in its folder: what was asked for, and what was reached."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqlab.comparison.curves import read_curves
from seqlab.comparison.grid import Cell
from seqlab.errors import UserError
from seqlab.runs.folders import RESULT, write_json

RECORD = "comparison.json"


@dataclass(frozen=True)
class Record:
    """A run of a comparison.

    Args:
        name: Of the run.
        arguments: Of ``fit``, but for the run's name and folder.
        options: All that they stand for.
        result: What was reached, see ``measure_run``; none until the run is finished.
        corpus: That it was trained on; empty until then.
        reason: Why it failed; empty if it did not.
    """

    name: str
    arguments: Sequence[str]
    options: Mapping[str, Any]
    result: Mapping[str, float] | None = None
    corpus: str = ""
    reason: str = ""

    def write(self, folder: Path) -> None:
        """Keeps it in the run's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / RECORD, asdict(self))


def read_record(folder: Path) -> Record | None:
    """The record in a run's folder; none where there is no run.

    Raises:
        UserError: The folder holds something else.
    """
    try:
        return Record(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except FileNotFoundError:
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"{folder} is not a run of a comparison; choose another --output") from None
        return None
    except NotADirectoryError:
        raise UserError(f"{folder} cannot be a folder, a file lies in its way; choose another --output") from None
    except (OSError, ValueError, TypeError):
        raise UserError(f"{folder / RECORD} cannot be read; remove {folder}, or choose another --output") from None


def check_record(cell: Cell, options: Mapping[str, Any], folder: Path) -> Record | None:
    """The record of a run that is asked for, if there is one.

    Raises:
        UserError: It was made with other options.
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


def measure_run(folder: Path) -> tuple[dict[str, float], str]:
    """What a finished run reached, and the corpus that it was trained on.

    Returns:
        ``parameters``, ``steps``, ``seconds`` of training and validation, and of what was logged
        ``tokens_per_second`` (the median), ``train_perplexity`` (the last), ``val_perplexity`` (the lowest),
        ``val_bleu`` (the highest).
    """
    said = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    result = {key: said[key] for key in ("parameters", "steps", "seconds")}
    curves = read_curves(folder)
    logged: dict[str, tuple[str, Callable[[NDArray[np.float64]], Any]]] = {
        "tokens_per_second": ("train/tokens_per_second", np.median),
        "train_perplexity": ("train/perplexity", lambda values: values[-1]),
        "val_perplexity": ("val/perplexity", np.min),
        "val_bleu": ("val/bleu", np.max),
    }
    for key, (tag, one_of) in logged.items():
        if tag in curves:
            result[key] = float(one_of(curves[tag].values))
    return result, said["corpus"]


def checkpoint_of(folder: Path) -> Path | None:
    """The best checkpoint of a finished run; the last where nothing was validated, none if none was kept."""
    name = json.loads((folder / RESULT).read_text(encoding="utf-8"))["checkpoint"]
    return None if name is None or not (folder / name).is_file() else folder / name

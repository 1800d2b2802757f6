"""Results of networks in memory tasks: rows of a growing CSV file."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from io import StringIO
from pathlib import Path

from seqlab.errors import UserError, reason_of
from seqlab.files import read_regular

COLUMNS = ("task", "model", "length", "seed", "success", "loss", "steps", "seconds")


@dataclass(frozen=True)
class Row:
    """Result of one network.

    Args:
        task: A name of ``TASKS``.
        model: A name of ``CELLS``.
        length: Length of the task, in steps.
        seed: Random seed of the initial weights and the sequences.
        success: Share of right answers on held-out sequences, 0 to 1.
        loss: Loss on the same sequences.
        steps: Optimizer steps taken.
        seconds: Time of training and evaluation, in seconds.
    """

    task: str
    model: str
    length: int
    seed: int
    success: float
    loss: float
    steps: int
    seconds: float

    @property
    def key(self) -> tuple[str, str, int, int]:
        """Key of the measurement: task, model, length and seed."""
        return self.task, self.model, self.length, self.seed


class RowFile:
    """A CSV file of rows with the same options, which are in its last columns.

    Args:
        path: The file; it is created with its folder if needed.
        options: Values of the options by name.

    Raises:
        UserError: The file cannot be read or written, is no such file, or has other options.
    """

    def __init__(self, path: Path, options: Mapping[str, object]) -> None:
        self.path, self.options = path, options
        self.rows: list[Row] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            text = read_regular(path).decode("utf-8") if path.exists() else ""
            lines = list(csv.reader(StringIO(text, newline="")))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise self._unusable(error) from None
        if lines:
            self._read(lines)
        else:
            self._append([*COLUMNS, *options])

    def add(self, row: Row) -> None:
        """Adds a row and writes it at once.

        Raises:
            UserError: The file cannot be written.
        """
        self._append([*astuple(row), *self.options.values()])
        self.rows.append(row)

    def _read(self, lines: Sequence[Sequence[str]]) -> None:
        head, *body = lines
        if head != [*COLUMNS, *self.options]:
            raise UserError(f"{self.path} is not a table of python -m seqlab.memory; give another --output")
        for number, line in enumerate(body, 2):
            try:
                values = dict(zip(head, line, strict=True))
                row = _row(values)
            except ValueError:
                raise UserError(f"line {number} of {self.path} is damaged; delete it to measure it again") from None
            for name, value in self.options.items():
                if values[name] != str(value):
                    raise UserError(
                        f"{self.path} was measured with {name} {values[name]} and not {value}; "
                        "give that or another --output"
                    )
            self.rows.append(row)

    def _append(self, values: Sequence[object]) -> None:
        try:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(values)
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> UserError:
        return UserError(f"cannot use {self.path}: {reason_of(error)}; name a folder that can be written as --output")


def _row(values: Mapping[str, str]) -> Row:
    return Row(
        values["task"],
        values["model"],
        int(values["length"]),
        int(values["seed"]),
        float(values["success"]),
        float(values["loss"]),
        int(values["steps"]),
        float(values["seconds"]),
    )

"""Tables of numbers: text with cells separated by commas, semicolons or tabs."""

import csv
import math
from collections.abc import Callable, Sequence
from io import StringIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqlab.errors import UserError, reason_of

Values = NDArray[np.float64]

MISSING = ("", "na", "nan", "n/a", "null", "none", "?")
"""Cells, in any case, that stand for a missing value."""


class NumberTable(NamedTuple):
    """The rows of a file.

    Args:
        names: Names of its columns; numbers from 1 if the file has no names.
        lines: Line number of each row in the file.
        rows: The cells of each row.
        headed: Whether the file names its columns.
        unnamed: Columns without a name in such a file, such as row numbers.
    """

    names: list[str]
    lines: list[int]
    rows: list[list[str]]
    headed: bool
    unnamed: list[str]

    def cells(self, column: str) -> list[str]:
        """The cells of a column, from top to bottom."""
        at = self.names.index(column)
        return [row[at] for row in self.rows]


def read_numbers(
    text: str, name: str, rows_of: str, is_value: Callable[[str], bool] = lambda cell: False
) -> NumberTable:
    """The cells of a file; if no cell of the first row is a value, that row names the columns.

    Args:
        text: All of the file.
        name: Name of the file, for messages.
        rows_of: Expected content, for messages: "a row for each time".
        is_value: Whether a cell that is no number still counts as a value.

    Raises:
        UserError: There are no rows, names are not distinct, or rows have different numbers of cells.
    """
    first = next((line for line in text.split("\n") if line.strip()), "")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    lines, rows = [], []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append(reader.line_num)
                rows.append(cells)
    except csv.Error as error:
        raise UserError(f"{name}, line {reader.line_num} is not CSV: {reason_of(error)}; mend its quotes") from None
    if not rows:
        raise UserError(f"{name} holds no values; give a file with {rows_of}")
    width = len(rows[0])
    names = [f"{place + 1}" for place in range(width)]
    there = [cell for cell in rows[0] if not is_missing(cell)]
    headed = bool(there) and not any(number_of(cell) is not None or is_value(cell) for cell in there)
    unnamed: list[str] = []
    if headed:
        unnamed = [number for number, cell in zip(names, rows[0], strict=True) if not cell.strip()]
        names = [cell.strip() or number for number, cell in zip(names, rows.pop(0), strict=True)]
        lines.pop(0)
    if len(set(names)) < len(names):
        twice = next(one for one in names if names.count(one) > 1)
        raise UserError(f"{name} has two columns '{twice}'; give each a name of its own")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != width:
            raise UserError(f"{name}, line {line} has {len(row)} cells, not {width} as the first; mend the line")
    if not rows:
        raise UserError(f"{name} holds names and no values; give {rows_of}")
    return NumberTable(names, lines, rows, headed, unnamed)


def is_missing(cell: str) -> bool:
    """Whether a cell stands for a missing value."""
    return cell.strip().lower() in MISSING


def number_of(cell: str) -> float | None:
    """The number of a cell; NaN if it is missing, None if it is something else."""
    if is_missing(cell):
        return math.nan
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def numbers_of(table: NumberTable, columns: Sequence[str], name: str) -> Values:
    """The values of columns ``(rows, columns)``, NaN where missing.

    Args:
        table: The rows.
        columns: Names of the columns to read.
        name: Name of the file, for messages.

    Raises:
        UserError: A cell holds no finite number.
    """
    values = np.empty((len(table.rows), len(columns)))
    for place, column in enumerate(columns):
        cells = table.cells(column)
        try:
            values[:, place] = cells
        except ValueError:
            values[:, place] = math.nan
        if not np.isfinite(values[:, place]).all():
            values[:, place] = _one_by_one(table, column, cells, name)
    return values


def _one_by_one(table: NumberTable, column: str, cells: Sequence[str], name: str) -> list[float]:
    """The values of cells if some are missing or no numbers."""
    numbers = []
    for line, cell in zip(table.lines, cells, strict=True):
        number = number_of(cell)
        if number is None:
            raise UserError(
                f"{name}, line {line}: '{cell}' in the column '{column}' is no finite number; "
                "mend it, or leave the cell empty where the value is missing"
            )
        numbers.append(number)
    return numbers

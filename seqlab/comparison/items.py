"""Results of each held-out item, as a table in the run's folder: a line of names, and a line for each item."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqlab.files import read_regular, whole_file
from seqlab.metrics import Columns

ITEMS = "items.tsv"
ITEM = "item"
"""The column with the name of each item."""
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
MEANT = {escape: sign for sign, escape in ESCAPES.items()}
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]?\d+)?|-?inf|nan")
"""Format of numbers in the table; digits such as ``007`` are text."""
TEXT = ":text"
"""Suffix of the name of a text column that would otherwise be read as numbers."""


def write_items(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Writes columns of equal length, with escaped text.

    Raises:
        OSError: The file cannot be written.
    """
    cells = {name: [_spelt(value) for value in values] for name, values in columns.items()}
    marks = {name: TEXT if _is_text(columns[name]) and _are_numbers(cells[name]) else "" for name in cells}
    lines = ["\t".join(f"{_escaped(name)}{mark}" for name, mark in marks.items())]
    lines += ["\t".join(row) for row in zip(*cells.values(), strict=True)]
    with whole_file(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def read_items(path: Path) -> Columns:
    """The columns of a file that ``write_items`` wrote.

    Returns:
        Columns ``(items,)``: float64 if all values are numbers, otherwise objects of type str.

    Raises:
        OSError: There is no such file.
    """
    head, *rows = read_regular(path).decode().removesuffix("\n").split("\n")
    names = [_meant(name) for name in head.split("\t")]
    cells = zip(*(row.split("\t") for row in rows), strict=True) if rows else [()] * len(names)
    return {name.removesuffix(TEXT): _column(name, column) for name, column in zip(names, cells, strict=True)}


def together(parts: Sequence[Columns]) -> Columns:
    """The items of several parts, concatenated.

    Args:
        parts: Parts with the same columns; a column that is text in one part becomes text in all.
    """
    columns = {name: [part[name] for part in parts] for name in parts[0]}
    return {name: np.concatenate(_of_one_kind(arrays)) for name, arrays in columns.items()}


def in_order(columns: Columns) -> Columns:
    """The items sorted by name; unchanged if a name occurs twice, or without names."""
    if ITEM not in columns:
        return columns
    names, places = np.unique(columns[ITEM], return_index=True)
    return {key: column[places] for key, column in columns.items()} if len(names) == len(columns[ITEM]) else columns


def number_of(columns: Columns) -> int:
    """Number of items."""
    return len(next(iter(columns.values())))


def same_items(one: Columns, other: Columns) -> bool:
    """Whether both have the same named items in the same order."""
    if ITEM not in one or ITEM not in other:
        return False
    names, others = _of_one_kind([one[ITEM], other[ITEM]])
    return np.array_equal(names, others)


def _of_one_kind(arrays: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
    if len({array.dtype.kind for array in arrays}) == 1:
        return arrays
    return [np.array([_word(value) for value in array.tolist()], dtype=object) for array in arrays]


def _word(value: str | float) -> str:
    """A value as text; a whole number has no decimal point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_text(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str) for value in values)


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(NUMBER.fullmatch(cell) for cell in cells)


def _column(name: str, cells: Sequence[str]) -> NDArray[Any]:
    if not name.endswith(TEXT) and _are_numbers(cells):
        return np.array([float(cell) for cell in cells])
    return np.array([_meant(cell) for cell in cells], dtype=object)  # avoids padding to the longest text


def _spelt(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool):
        return str(int(value))
    return _escaped(value) if isinstance(value, str) else repr(value)


def _escaped(text: str) -> str:
    return re.sub(r"[\\\t\n\r]", lambda found: ESCAPES[found[0]], text)


def _meant(text: str) -> str:
    return re.sub(r"\\[\\tnr]", lambda found: MEANT[found[0]], text)

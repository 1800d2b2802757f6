"""Finds the columns of a file that hold the text and the label."""

from collections.abc import Sequence
from typing import NamedTuple

from seqlab.errors import UserError, nearest

Column = int | str | None
"""A column by its number from 1 or its name; None to detect it."""

Names = str | list[str] | None
"""Columns by their names, separated by commas or in a list; None to detect them."""

TEXT_NAMES = ("text", "sentence", "review", "question", "content", "document", "comment", "message", "tweet")
LABEL_NAMES = ("label", "class", "category", "sentiment", "target", "intent", "topic")
"""Column names, in any case, by which a column is detected."""


class Row(NamedTuple):
    """The cells of one line and its number in the file, from 1."""

    number: int
    cells: list[str]


class Places(NamedTuple):
    """Positions of the columns in a row, from 0; ``second_text`` only for pairs of texts."""

    text: int
    second_text: int | None
    label: int


def listed(names: Names) -> list[str] | None:
    """Names separated by commas, or in a list."""
    if names is None:
        return None
    return [one.strip() for one in (names.split(",") if isinstance(names, str) else names) if one.strip()]


def is_header(cells: Sequence[str]) -> bool:
    """Whether the first line of a file is a header with known column names."""
    return _known(cells, TEXT_NAMES) is not None and _known(cells, LABEL_NAMES) is not None


def find_columns(
    name: str, head: Sequence[str] | None, rows: Sequence[Row], text: Column, second_text: Column, label: Column
) -> Places:
    """The positions of the given columns, and of the others if only one choice is possible.

    In a file of two columns without names, the label is the column with fewer distinct values, or with shorter values.

    Args:
        name: Name of the file.
        head: Names of its columns, if it has any.
        rows: All its lines.
        text: Column of the text.
        second_text: Column of the second text of a pair.
        label: Column of the label.

    Raises:
        UserError: There is no such column, one has two meanings, they cannot be detected, or lines have different
            numbers of columns.
    """
    width = len(head if head is not None else rows[0].cells)
    for row in rows:
        if len(row.cells) != width:
            raise UserError(
                f"{name}, line {row.number} has {_columns(len(row.cells))}, not {width} as the first; "
                "mend the line, or say another --data.format"
            )
    if width == 1:
        raise UserError(
            f"{name} has one column, and a text and a label take two; separate them as its format does, or say "
            "another --data.format"
        )
    known = {"text_column": text, "second_text_column": second_text, "label_column": label}
    found = {key: place_of(column, key, name, head, width) for key, column in known.items() if column is not None}
    if head is not None:
        for key, names in (("text_column", TEXT_NAMES), ("label_column", LABEL_NAMES)):
            if key not in found and (place := _known(head, names)) is not None and place not in found.values():
                found[key] = place
    free = [place for place in range(width) if place not in found.values()]
    missing = [key for key in ("text_column", "label_column") if key not in found]
    if len(missing) == len(free) == 2:
        free.sort(key=lambda place: _variety(rows, place), reverse=True)
    if missing and len(missing) != len(free):
        raise UserError(
            f"{name} has {_columns(width)}; say which hold the text and the label with --data.text_column and "
            "--data.label_column"
        )
    found |= dict(zip(missing, free, strict=False))
    if len(set(found.values())) < len(found):
        raise UserError(
            f"text_column, second_text_column and label_column must be different columns of {name}; two are the same"
        )
    return Places(found["text_column"], found.get("second_text_column"), found["label_column"])


def place_of(column: int | str, option: str, name: str, head: Sequence[str] | None, width: int) -> int:
    """The position of a column in a row, from 0.

    Args:
        column: Its name, or its number from 1.
        option: Option that names it, for messages.
        name: Name of the file, for messages.
        head: Names of the columns, if the file has any.
        width: Number of columns in the file.

    Raises:
        UserError: There is no such column.
    """
    if head is not None and str(column) in head:
        return head.index(str(column))
    if isinstance(column, str) and not column.isdecimal():
        raise UserError(f"{name} has no column '{column}' for {option}; {nearest(column, head or ())}")
    if not 1 <= int(column) <= width:
        raise UserError(f"{option} {column} is none of the {_columns(width)} of {name}; give 1 to {width}")
    return int(column) - 1


def _known(cells: Sequence[str], names: Sequence[str]) -> int | None:
    """The position of the first cell that has one of the names."""
    plain = [cell.strip().lower() for cell in cells]
    return next((plain.index(name) for name in names if name in plain), None)


def _variety(rows: Sequence[Row], place: int) -> tuple[int, int]:
    """Number of distinct values of a column, and total number of characters."""
    cells = [row.cells[place].strip() for row in rows]
    return len(set(cells)), sum(map(len, cells))


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"

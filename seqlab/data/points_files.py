"""Files of points -> rows of features, and the target of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from seqlab.data.columns import Column, place_of
from seqlab.data.labelled_files import read_text
from seqlab.data.number_tables import NumberTable, Values, is_missing, number_of, numbers_of, read_numbers
from seqlab.errors import UserError

Kind = Literal["numbers", "two"]
"""Kinds of target: numbers, or two values."""

ROWS = "a row for each point"
SHOWN = 3
"""Most distinct values of a target in an error message."""


@dataclass(frozen=True)
class PointsLayout:
    """How a file holds points; None means detect it.

    Args:
        target: Column of the target, by its name or its number from 1; by default the last.
        columns: The features, by name or number; by default every other column of numbers.
        encoding: Encoding of the characters; UTF-8, or Latin-1 if that fails.
        order: Names of all columns of the file, in its order.
        headed: Whether the file names its columns.
    """

    target: Column = None
    columns: Sequence[str] | None = None
    encoding: str | None = None
    order: tuple[str, ...] = ()
    headed: bool = True


class RawPoints(NamedTuple):
    """Raw rows of a file.

    Args:
        features: ``(rows, features)``, finite.
        targets: Target of each row as text, with numbers in one notation.
        places: File and line of each row, for messages.
        left_out: Number of rows that lack a value.
        unread: Columns that hold no numbers, or have no name.
    """

    features: Values
    targets: list[str]
    places: list[str]
    left_out: int = 0
    unread: tuple[str, ...] = ()

    def of(self, rows: Sequence[int]) -> "RawPoints":
        """Some of the rows."""
        targets, places = ([part[row] for row in rows] for part in (self.targets, self.places))
        return RawPoints(self.features[[*rows]], targets, places)


def read_points(paths: Sequence[Path], layout: PointsLayout) -> tuple[RawPoints, PointsLayout]:
    """The points of files, one file after the other.

    Args:
        paths: Files, plain or compressed: cells separated by commas, semicolons or tabs, with or without a header.
        layout: What is known of the files.

    Returns:
        The points, and the layout with the columns of the first file, for further files.

    Raises:
        UserError: A file cannot be read, lacks a column, or a cell does not hold a required number.
    """
    parts = []
    for path in paths:
        table = read_numbers(read_text(path, layout.encoding)[0], str(path), ROWS)
        layout, unread = _found(table, str(path), layout)
        parts.append(_points(table, str(path), layout, unread))
    first = parts[0]
    joined = RawPoints(
        np.concatenate([one.features for one in parts]),
        [target for one in parts for target in one.targets],
        [place for one in parts for place in one.places],
        sum(one.left_out for one in parts),
        first.unread,
    )
    return joined, layout


def _found(table: NumberTable, name: str, layout: PointsLayout) -> tuple[PointsLayout, tuple[str, ...]]:
    """The layout with its columns by name, and the unread columns."""
    width, head = len(table.names), table.names if table.headed else None
    if width < 2:
        raise UserError(f"{name} has one column, and a feature and a target take two; give a file of points")
    target = table.names[
        width - 1 if layout.target is None else place_of(layout.target, "target_column", name, head, width)
    ]
    unread: list[str] = []
    if layout.columns is None:
        columns: list[str] = []
        for column in table.names:
            if column != target:
                numeric = column not in table.unnamed and _is_numeric(table.cells(column))
                (columns if numeric else unread).append(column)
        if not columns:
            raise UserError(
                f"{name} has no column of numbers beside the target '{target}'; give one, or name another target with "
                "--data.target_column"
            )
    else:
        columns = [table.names[place_of(one, "columns", name, head, width)] for one in layout.columns]
        if not columns:
            raise UserError("--data.columns names no column; give the features between commas, or leave it out")
        if twice := next((one for one in columns if columns.count(one) > 1 or one == target), None):
            raise UserError(f"the column '{twice}' of {name} has two meanings; name it once")
    order = layout.order or tuple(table.names)
    headed = table.headed if not layout.order else layout.headed
    return replace(layout, target=target, columns=columns, order=order, headed=headed), tuple(unread)


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether at least half of the present cells are numbers; the others then count as mistakes."""
    there = [cell for cell in cells if not is_missing(cell)]
    return 0 < len(there) <= 2 * sum(number_of(cell) is not None for cell in there)


def _points(table: NumberTable, name: str, layout: PointsLayout, unread: tuple[str, ...]) -> RawPoints:
    assert layout.columns is not None
    features = numbers_of(table, layout.columns, name)
    targets = [cell.strip() for cell in table.cells(str(layout.target))]
    missing = np.array([is_missing(cell) for cell in targets])
    kept = np.flatnonzero(np.isfinite(features).all(1) & ~missing).tolist()
    places = [f"{name}, line {table.lines[row]}" for row in kept]
    values = [written(targets[row]) for row in kept]
    return RawPoints(features[kept], values, places, len(table.rows) - len(kept), unread)


def written(cell: str) -> str:
    """A value of a target in one notation: 1, 1.0 and +1 become the same, words stay unchanged."""
    number = number_of(cell)
    return cell if number is None else repr(number + 0.0).removesuffix(".0")


def kind_of(points: RawPoints, target: str, asked: Kind | None) -> Kind:
    """The kind of target in a training file.

    Args:
        points: Points of the file.
        target: Name of the column.
        asked: Kind that the user asks for; if None, two for two distinct values.

    Raises:
        UserError: The target is constant, or holds words but not two distinct ones.
    """
    distinct = [*dict.fromkeys(points.targets)]
    if not distinct:
        raise UserError("no row has a value in every column that is read; fill them, or name fewer with --data.columns")
    if len(distinct) == 1:
        raise UserError(
            f"the target '{target}' is {distinct[0]} in every row, and there is nothing to learn; name another with "
            "--data.target_column"
        )
    words = [value for value in distinct if number_of(value) is None]
    if asked == "two" or (asked is None and (len(distinct) == 2 or 2 * len(words) > len(distinct))):
        if len(distinct) != 2:
            shown = ", ".join([*distinct[:SHOWN], *(["..."] if len(distinct) > SHOWN else [])])
            raise UserError(
                f"the target '{target}' has {len(distinct)} different values ({shown}), and a regression predicts a "
                "number or one of two values; keep the rows of two of them, or name another --data.target_column"
            )
        return "two"
    check_targets(points, target, None)
    return "numbers"


def check_targets(points: RawPoints, target: str, classes: Sequence[str] | None) -> None:
    """Refuses a target outside these classes.

    Args:
        points: Points to check.
        target: Name of the column.
        classes: The two values of the target; None if it is a number.

    Raises:
        UserError: A target is neither of the classes, or no finite number.
    """
    for value, place in zip(points.targets, points.places, strict=True):
        if classes is None and number_of(value) is None:
            raise UserError(
                f"{place}: '{value}' in the target '{target}' is no finite number; mend it, or leave the cell empty so "
                "that the row is left out"
            )
        if classes is not None and value not in classes:
            raise UserError(
                f"{place}: '{value}' in the target '{target}' is neither {' nor '.join(classes)}, which are its two "
                "values; mend it, or leave the cell empty so that the row is left out"
            )

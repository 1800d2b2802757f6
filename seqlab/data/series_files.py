"""Files of series -> values with their times, with gaps filled."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqlab.data.number_tables import NumberTable, Values, number_of, numbers_of, read_numbers
from seqlab.data.timeline import Step, Time, placed, read_time, rows_of, step_of, zone_of
from seqlab.errors import UserError, nearest

TIMES = ("date", "time", "datetime", "timestamp", "ds", "month", "day", "year")
"""Column names, in any case, by which the column of times is detected."""
LONGEST_GAP = 10
"""A series is not regular if filling its gaps makes it this many times longer."""


@dataclass(frozen=True)
class SeriesLayout:
    """How a file holds series; None means detect it.

    Args:
        columns: Names of the columns to forecast; every other column of numbers if not given.
        known: Names of the columns that are known in advance.
        time: Name of the column of the time.
        id: Name of the column with the name of each row's series.
        timezone: Time zone of the times.
    """

    columns: list[str] | None = None
    known: tuple[str, ...] = ()
    time: str | None = None
    id: str | None = None
    timezone: str | None = None


class RawSeries(NamedTuple):
    """One series without gaps in time.

    Args:
        name: Name from the id column; empty without such a column.
        times: Times of its rows.
        values: Columns to forecast ``(steps, columns)``, NaN where missing.
        known: Columns known in advance ``(steps, known)``, NaN where missing.
        inserted: Number of rows that the file lacks.
        left_out: Number of first rows, before every column has a value.
        ahead: Number of last rows with no value to forecast; they only give the known columns.
    """

    name: str
    times: list[Time]
    values: Values
    known: Values
    inserted: int
    left_out: int
    ahead: int

    @property
    def missing(self) -> int:
        """Number of cells without a value, without the rows ahead."""
        rows = len(self.values) - self.ahead
        width = self.values.shape[1] + self.known.shape[1]
        return int(np.isnan(self.values[:rows]).sum() + np.isnan(self.known[:rows]).sum()) - self.inserted * width


def read_series(text: str, name: str, layout: SeriesLayout) -> tuple[list[RawSeries], Step, SeriesLayout]:
    """The series of a file.

    Args:
        text: All of the file: cells separated by commas, semicolons or tabs, with or without a line of names.
        name: Name of the file, for messages.
        layout: What is known of the file.

    Returns:
        The series in the order of their first rows, their step, and the detected layout.

    Raises:
        UserError: A column is missing, a cell holds no number, or times are not regular.
    """
    table = read_numbers(text, name, "a row for each time", _is_time)
    layout = _found(table, name, layout)
    assert layout.columns is not None
    values = numbers_of(table, layout.columns, name)
    known = numbers_of(table, layout.known, name)
    ids = [row[table.names.index(layout.id)].strip() if layout.id else "" for row in table.rows]
    groups: dict[str, list[int]] = {}
    for row, one in enumerate(ids):
        groups.setdefault(one, []).append(row)
    times = _times(table, name, layout, groups)
    step = step_of(times[max(groups, key=lambda one: len(groups[one]))])
    series = []
    for one, rows in groups.items():
        places = rows_of(times[one], step, name, [table.lines[row] for row in rows])
        series.append(_whole(one, times[one], step, places, values[rows], known[rows], name))
    return series, step, layout


def filled(values: Values) -> Values:
    """Values ``(steps, columns)``; each missing value (NaN) becomes the last value before it."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, rows), 0)
    taken: Values = np.take_along_axis(values, last, 0)
    return taken


def _is_time(cell: str) -> bool:
    """Whether a cell holds a time that is no number."""
    return isinstance(read_time(cell), datetime)


def _found(table: NumberTable, name: str, layout: SeriesLayout) -> SeriesLayout:
    """The layout with its detected columns."""
    for option, given in (("columns", layout.columns or []), ("known", layout.known)):
        for column in given:
            _check_column(column, option, table, name)
    for option, one in (("time_column", layout.time), ("id_column", layout.id)):
        if one is not None:
            _check_column(one, option, table, name)
    time = layout.time if layout.time is not None else _time_column(table, layout)
    taken = {*layout.known, time, layout.id}
    columns = layout.columns
    if columns is None:
        columns = [one for one in table.names if one not in taken]
        for one in columns:
            cells = [row[table.names.index(one)] for row in table.rows]
            if not any(cell.strip() and number_of(cell) is not None for cell in cells):
                raise UserError(
                    f"{name}: the column '{one}' holds no numbers; say what is forecast with --data.columns, or that "
                    "it tells series apart with --data.id_column"
                )
    if not columns:
        raise UserError(f"{name} has no column to forecast; give a column of numbers, or name it with --data.columns")
    if twice := next((one for one in columns if one in taken), None):
        raise UserError(f"the column '{twice}' of {name} has two meanings; name it once")
    return replace(layout, columns=columns, time=time)


def _check_column(column: str, option: str, table: NumberTable, name: str) -> None:
    if column not in table.names:
        raise UserError(f"{name} has no column '{column}' for {option}; {nearest(column, table.names)}")


def _time_column(table: NumberTable, layout: SeriesLayout) -> str | None:
    """The column of times: by its name, or the first column with times that are no numbers; None without one."""
    free = [one for one in table.names if one not in (*(layout.columns or ()), *layout.known, layout.id)]
    for one in free:
        if one.lower() in TIMES and read_time(table.rows[0][table.names.index(one)]) is not None:
            return one
    holds = (one for one in free if isinstance(read_time(table.rows[0][table.names.index(one)]), datetime))
    return next(holds, None)


def _times(table: NumberTable, name: str, layout: SeriesLayout, groups: dict[str, list[int]]) -> dict[str, list[Time]]:
    """The times of each series; without a column of times, rows are numbered from 1."""
    if layout.time is None:
        return {one: [float(number + 1) for number in range(len(rows))] for one, rows in groups.items()}
    at, zone = table.names.index(layout.time), zone_of(layout.timezone)
    found: dict[str, list[Time]] = {}
    kinds = set()
    for one, rows in groups.items():
        times: list[Time] = []
        for row in rows:
            time = read_time(table.rows[row][at])
            if time is None:
                raise UserError(
                    f"{name}, line {table.lines[row]}: '{table.rows[row][at]}' is no time; write it as 2024-03-31 or "
                    "2024-03-31 02:00, or as a number"
                )
            times.append(time)
            kinds.add(("a zone" if time.tzinfo else "no zone") if isinstance(time, datetime) else "numbers")
        found[one] = placed(times, zone)
    if len(kinds) > 1:
        raise UserError(f"{name} has times of several kinds ({', '.join(sorted(kinds))}); write all of them alike")
    return found


def _whole(
    series: str, times: list[Time], step: Step, places: NDArray[np.int64], values: Values, known: Values, name: str
) -> RawSeries:
    """A series with a row for every step."""
    length = int(places[-1]) + 1
    if length > LONGEST_GAP * len(times):
        raise UserError(
            f"{name} has {len(times):,} of the {length:,} rows that {step} would make; give a regular series"
        )
    every = [step.after(times[0], place) for place in range(length)]
    whole = np.full((length, values.shape[1]), np.nan), np.full((length, known.shape[1]), np.nan)
    for part, given in zip(whole, (values, known), strict=True):
        part[places] = given
    for place, time in zip(places, times, strict=True):
        every[place] = time
    there = ~np.isnan(np.concatenate(whole, 1))
    of_series = f" of the series '{series}'" if series else ""
    if not there.any(0).all():
        raise UserError(f"{name}: a column{of_series} holds no value at all; leave it out, or give values")
    begin = int(there.argmax(0).max())
    ahead = int((~np.isnan(whole[0]).all(1))[::-1].argmax())
    if begin >= length - ahead:
        raise UserError(f"{name} has no row{of_series} from which on every column has a value; give more rows")
    inserted = length - ahead - begin - int((places >= begin).sum() - (places >= length - ahead).sum())
    return RawSeries(series, every[begin:], whole[0][begin:], whole[1][begin:], inserted, begin, ahead)

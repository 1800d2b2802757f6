"""Times of a series: reading, checks of regularity, next times, and calendar features."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from seqlab.errors import UserError

Time = datetime | float
"""A point in time, or a number if the column of times holds numbers."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_OF_DAY = 86_400.0
SEASONS = {"months": {1.0: 12, 3.0: 4}, "days": {1.0: 7}}
"""Steps of the default season for a step of months (a year) or days (a week); for seconds the season is a day."""
ADVERBS = {("seconds", 3600.0): "hourly", ("days", 1.0): "daily", ("days", 7.0): "weekly", ("months", 1.0): "monthly"}


def zone_of(name: str | None) -> tzinfo | None:
    """The time zone of a name.

    Raises:
        UserError: The name is unknown.
    """
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(f"unknown timezone '{name}'; give a name such as Europe/Berlin or UTC") from None


def read_time(text: str) -> Time | None:
    """The time in a text: a number, a year and month, or ISO 8601; None otherwise."""
    text = text.strip()
    try:
        number = float(text)
        return number if math.isfinite(number) else None
    except ValueError:
        pass
    for form in (datetime.fromisoformat, lambda month: datetime.strptime(month, "%Y-%m")):
        try:
            return form(text)
        except ValueError:
            continue
    return None


def written(time: Time) -> str:
    """A time as text for ``read_time``; a whole number has no decimal point."""
    if isinstance(time, datetime):
        return time.isoformat(sep=" ")
    return f"{int(time)}" if time == int(time) else repr(time)


def placed(times: Sequence[Time], zone: tzinfo | None) -> list[Time]:
    """Local times in their zone; an hour that a clock change repeats is resolved by order."""
    found: list[Time] = []
    for time in times:
        if isinstance(time, datetime) and zone is not None:
            time = time.replace(tzinfo=zone) if time.tzinfo is None else time.astimezone(zone)
            before = found[-1] if found else None
            if isinstance(before, datetime) and time.utcoffset() != time.replace(fold=1).utcoffset():
                later = _seconds(time) <= _seconds(before)
                time = time.replace(fold=1) if later else time
        found.append(time)
    return found


def _seconds(time: Time) -> float:
    """Seconds since a fixed time; a time without a zone counts as UTC, and a number stays unchanged."""
    if not isinstance(time, datetime):
        return time
    return ((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).astimezone(UTC) - EPOCH).total_seconds()


def _days(time: Time) -> float:
    """Days in local time."""
    assert isinstance(time, datetime)
    return (time.replace(tzinfo=UTC) - EPOCH).total_seconds() / SECONDS_OF_DAY


def _months(time: Time) -> float:
    assert isinstance(time, datetime)
    return 12.0 * time.year + time.month - 1


@dataclass(frozen=True)
class Step:
    """Distance between two rows: a number of months or days in local time, of seconds, or of units."""

    unit: Literal["months", "days", "seconds", "numbers"]
    size: float

    @property
    def position(self) -> Callable[[Time], float]:
        """Time -> its position on a line with steps of equal length."""
        return {"months": _months, "days": _days, "seconds": _seconds, "numbers": _seconds}[self.unit]

    def between(self, first: Time, second: Time) -> float:
        """Number of steps from one time to another."""
        return (self.position(second) - self.position(first)) / self.size

    def after(self, time: Time, steps: int) -> Time:
        """The time so many steps later; with months the same day, or the last day of a shorter month."""
        if not isinstance(time, datetime):
            return time + steps * self.size
        if self.unit == "months":
            year, month = divmod(int(_months(time) + steps * self.size), 12)
            following = datetime(year + (month == 11), (month + 1) % 12 + 1, 1)
            last = (following - timedelta(days=1)).day
            return time.replace(year=year, month=month + 1, day=last if _ends_month(time) else min(time.day, last))
        if self.unit == "days":
            return time + timedelta(days=steps * self.size)
        if time.tzinfo is None:
            return time + timedelta(seconds=steps * self.size)
        return (time.astimezone(UTC) + timedelta(seconds=steps * self.size)).astimezone(time.tzinfo)

    def season(self) -> int:
        """Steps of the default season for this step: a day of hours, a week of days, a year of months; or None."""
        if self.unit == "seconds":
            steps = SECONDS_OF_DAY / self.size
            return int(steps) if steps >= 2 and steps == int(steps) else 1
        return SEASONS.get(self.unit, {}).get(self.size, 1)

    def plain(self) -> dict[str, Any]:
        """Plain values that ``from_plain`` rebuilds this step from."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """The step that gave these values."""
        return cls(**values)

    def __str__(self) -> str:
        if self.unit == "numbers":
            return f"steps of {self.size:g}"
        return ADVERBS.get((self.unit, self.size), f"steps of {self.size:g} {self.unit}")


def _ends_month(time: datetime) -> bool:
    return time.day > 28 and (time + timedelta(days=1)).month != time.month


def step_of(times: Sequence[Time]) -> Step:
    """The step of ascending times: their most frequent difference.

    Raises:
        UserError: There is only one time.
    """
    if len(times) < 2:
        raise UserError("a series of one row has no step; give at least two rows")
    if not all(isinstance(time, datetime) for time in times):
        return Step("numbers", _commonest([*map(_seconds, times)]))
    moments = [time for time in times if isinstance(time, datetime)]
    clocks = {time.time() for time in moments}
    on_one_day = len({time.day for time in moments}) == 1 or all(map(_ends_month, moments))
    if len(clocks) == 1 and on_one_day and len({_months(time) for time in moments}) == len(moments):
        return Step("months", _commonest([*map(_months, times)]))
    if len(clocks) == 1:
        return Step("days", _commonest([*map(_days, times)]))
    return Step("seconds", _commonest([*map(_seconds, times)]))


def _commonest(places: Sequence[float]) -> float:
    """The most frequent positive difference, the smallest of equally frequent ones; 1 if there is none."""
    counts = Counter(round(after - before, 9) for before, after in pairwise(places) if after > before)
    return max(counts, key=lambda size: (counts[size], -size), default=1.0)


def rows_of(times: Sequence[Time], step: Step, name: str, lines: Sequence[int]) -> NDArray[np.int64]:
    """The row of each time on a line without gaps, from 0: ``(times,)``.

    Args:
        times: Times of one series.
        step: Step of its rows.
        name: Name of the file, for messages.
        lines: Line of each time in the file.

    Raises:
        UserError: The times do not ascend, or are not a whole number of steps apart.
    """
    places = [step.between(times[0], time) for time in times]
    for before, after, time, line in zip(places, places[1:], times[1:], lines[1:], strict=False):
        if after <= before:
            raise UserError(
                f"{name}, line {line}: the time {written(time)} does not come after the one before it; sort the rows "
                "by time, one row a time, or name the column that tells series apart with --data.id_column"
            )
        if abs(after - round(after)) > 1e-6:
            raise UserError(
                f"{name}, line {line}: the time {written(time)} is not a whole number of steps ({step}) after the "
                "first; give a regular series"
            )
    return np.array([round(place) for place in places], dtype=np.int64)


CALENDAR: dict[str, Callable[[datetime], float]] = {
    "hour": lambda time: (time.hour + time.minute / 60) / 24,
    "weekday": lambda time: time.weekday() / 7,
    "month": lambda time: (time.month - 1) / 12,
}
"""Calendar features of a time, each as the elapsed share of its cycle."""


def calendar_of(times: Sequence[Time], names: Sequence[str]) -> NDArray[np.float64]:
    """Sine and cosine of each named feature ``(times, 2 * names)``.

    Raises:
        UserError: The times are numbers.
    """
    if names and not all(isinstance(time, datetime) for time in times):
        raise UserError("calendar features need times; name their column with --data.time_column, or leave them out")
    moments = [time for time in times if isinstance(time, datetime)]
    angles = [[2 * math.pi * CALENDAR[name](time) for time in moments] for name in names]
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    return np.stack(waves, 1) if waves else np.zeros((len(times), 0))

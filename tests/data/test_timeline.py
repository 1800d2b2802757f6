from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from seqlab.data.timeline import Step, calendar_of, placed, read_time, rows_of, step_of, written, zone_of
from seqlab.errors import UserError


def times(*texts: str) -> list:
    found = [read_time(text) for text in texts]
    assert None not in found
    return found


@pytest.mark.parametrize(
    ("texts", "said", "season", "following"),
    [
        (("1949-01", "1949-02", "1949-03"), "monthly", 12, "1949-04-01 00:00:00"),
        (("2024-01-31", "2024-02-29", "2024-03-31"), "monthly", 12, "2024-04-30 00:00:00"),
        (("2024-01-01", "2024-04-01", "2024-07-01"), "steps of 3 months", 4, "2024-10-01 00:00:00"),
        (("1981-01-01", "1981-01-02", "1981-01-03"), "daily", 7, "1981-01-04 00:00:00"),
        (("2024-01-01", "2024-01-08", "2024-01-15"), "weekly", 1, "2024-01-22 00:00:00"),
        (("2016-07-01 22:00", "2016-07-01 23:00", "2016-07-02 00:00"), "hourly", 24, "2016-07-02 01:00:00"),
        (("2016-07-01 22:00", "2016-07-01 22:15"), "steps of 900 seconds", 96, "2016-07-01 22:30:00"),
        (("1", "2", "3"), "steps of 1", 1, "4"),
        (("0.5", "1.0"), "steps of 0.5", 1, "1.5"),
    ],
)
def test_steps(texts: tuple[str, ...], said: str, season: int, following: str) -> None:
    found = times(*texts)
    step = step_of(found)
    assert str(step) == said
    assert step.season() == season
    assert written(step.after(found[-1], 1)) == following
    assert rows_of(found, step, "file", [*range(len(found))]).tolist() == [*range(len(found))]
    assert Step.from_plain(step.plain()) == step


def test_a_gap_is_so_many_rows() -> None:
    found = times("2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06")
    assert rows_of(found, step_of(found), "file", [1, 2, 3, 4]).tolist() == [0, 1, 4, 5]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("2024-01-02", "2024-01-01"), "file, line 2: the time 2024-01-01 00:00:00 does not come after"),
        (("1", "2", "2"), "file, line 3: the time 2 does not come after"),
        (("1", "2", "3", "4.5"), "file, line 4: the time 4.5 is not a whole number of steps"),
    ],
)
def test_irregular_times_are_refused(texts: tuple[str, ...], message: str) -> None:
    found = times(*texts)
    with pytest.raises(UserError) as caught:
        rows_of(found, step_of(found), "file", [1, 2, 3, 4])
    assert str(caught.value).startswith(message)


def test_changes_of_clock_are_kept() -> None:
    zone = zone_of("Europe/Berlin")
    autumn = placed(times("2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 03:00"), zone)
    step = step_of(autumn)
    assert str(step) == "hourly"
    assert rows_of(autumn, step, "file", [1, 2, 3, 4]).tolist() == [0, 1, 2, 3]
    assert [written(time)[-6:] for time in autumn] == ["+02:00", "+02:00", "+01:00", "+01:00"]
    (spring,) = placed(times("2024-03-31 01:00"), zone)
    assert written(step.after(spring, 1)) == "2024-03-31 03:00:00+02:00"
    days = placed(times("2024-03-30", "2024-03-31", "2024-04-01"), zone)
    assert str(step_of(days)) == "daily"
    assert written(step_of(days).after(days[0], 2)) == "2024-04-01 00:00:00+02:00"


def test_offsets_of_the_file_are_kept() -> None:
    found = times("2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00", "2024-10-27T03:00+01:00")
    assert str(step_of(found)) == "hourly"
    assert written(step_of(found).after(found[-1], 1)) == "2024-10-27 04:00:00+01:00"


@pytest.mark.parametrize("text", ["", "monday", "2024-13", "nan", "inf"])
def test_what_is_no_time(text: str) -> None:
    assert read_time(text) is None


def test_the_calendar() -> None:
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)  # a Monday
    expected = [0.0, -1.0, 0.0, 1.0, 0.0, 1.0]
    assert calendar_of([noon], ["hour", "weekday", "month"])[0] == pytest.approx(expected, abs=1e-9)
    hours = [noon + timedelta(hours=n) for n in range(24)]
    assert len(np.unique(calendar_of(hours, ["hour"]).round(6), axis=0)) == 24
    assert calendar_of([1.0, 2.0], []).shape == (2, 0)
    with pytest.raises(UserError, match="calendar features need times"):
        calendar_of([1.0], ["hour"])


def test_an_unknown_zone() -> None:
    with pytest.raises(UserError, match="unknown timezone 'Mars'"):
        zone_of("Mars")

"""Where the parts of a series begin and end: the parts follow each other in time."""

from bisect import bisect_left
from datetime import UTC, datetime
from typing import NamedTuple

from seqlab.data.parts import SPLITS, Asked, Split, check_shares, of_share
from seqlab.data.series_files import RawSeries
from seqlab.data.timeline import Time, placed, read_time, zone_of
from seqlab.errors import UserError

Bounds = dict[Split, tuple[int, int]]
"""First step of each part, and the step after its last."""


class Parts(NamedTuple):
    """How to cut a series: shares of its steps, numbers of steps, or start times of parts."""

    val_fraction: float = 0.0
    test_fraction: float = 0.0
    counts: list[int] | None = None
    val_from: str | None = None
    test_from: str | None = None


def check_parts(parts: Parts) -> None:
    """Refuses invalid cuts.

    Raises:
        UserError: A number is out of its range, or counts and times are both given.
    """
    check_shares(parts.val_fraction, parts.test_fraction)
    if parts.counts is not None:
        if len(parts.counts) != len(SPLITS) or min(parts.counts) < 0:
            raise UserError(
                f"counts {parts.counts} must be three whole numbers of at least 0: steps to train, validate and test on"
            )
        if parts.val_from is not None or parts.test_from is not None:
            raise UserError("counts cut the parts, and so do val_from and test_from; give one of the two")


def asked_of(parts: Parts, steps: int) -> list[Asked]:
    """The requested held-out parts of so many steps."""
    shares: dict[Split, float] = {"val": parts.val_fraction, "test": parts.test_fraction}
    times: dict[Split, str | None] = {"val": parts.val_from, "test": parts.test_from}
    asked: list[Asked] = []
    for place, (split, share) in enumerate(shares.items(), 1):
        if parts.counts is not None:
            if parts.counts[place]:
                words = f"{parts.counts[place]:,} of --data.counts"
                asked.append(Asked(split, words, "give more, or 0 to do without"))
        elif (time := times[split]) is not None:
            asked.append(Asked(split, f"{split}_from {time}", "give an earlier time, or leave it out"))
        else:
            asked += of_share(split, share, f"{steps:,} steps")
    return asked


def parts_of(one: RawSeries, parts: Parts, timezone: str | None) -> Bounds:
    """The parts of one series.

    Args:
        one: The series.
        parts: How to cut it.
        timezone: Time zone of times without one.

    Raises:
        UserError: Counts are more than its steps, or a time is invalid or out of order.
    """
    steps = len(one.values)
    if parts.counts is not None:
        if sum(parts.counts) > steps:
            raise UserError(f"counts {parts.counts} are more than the {steps:,} steps that there are; lower them")
        train, val, test = parts.counts
        return {"train": (0, train), "val": (train, train + val), "test": (train + val, train + val + test)}
    test_begins = steps - round(parts.test_fraction * steps)
    if parts.test_from is not None:
        test_begins = _place(one, parts.test_from, "test_from", timezone)
    val_begins = max(0, test_begins - round(parts.val_fraction * steps))
    if parts.val_from is not None:
        val_begins = _place(one, parts.val_from, "val_from", timezone)
    if val_begins > test_begins:
        raise UserError(f"val_from {parts.val_from} lies behind the first step that tests; give an earlier time")
    return {"train": (0, val_begins), "val": (val_begins, test_begins), "test": (test_begins, steps)}


def _place(one: RawSeries, text: str, option: str, timezone: str | None) -> int:
    """The first step at or after a time; a time without a zone takes the zone of the first step."""
    time = read_time(text)
    if time is None or isinstance(time, datetime) != isinstance(one.times[0], datetime):
        raise UserError(f"{option} '{text}' is no time as the series has them; write it as they are written there")
    (time,), first = placed([time], zone_of(timezone)), one.times[0]
    if isinstance(time, datetime) and isinstance(first, datetime):
        zoned = time if first.tzinfo is None or time.tzinfo is not None else time.replace(tzinfo=first.tzinfo)
        time = zoned.replace(tzinfo=None) if first.tzinfo is None else zoned
    return bisect_left([*map(comparable, one.times)], comparable(time))


def comparable(time: Time) -> float:
    """A time as seconds, or the number itself."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() if isinstance(time, datetime) else time

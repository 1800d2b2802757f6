"""The finished and the remaining runs of a comparison."""

from collections.abc import Mapping
from statistics import mean
from typing import Any

from seqlab.comparison.records import Record


class Progress:
    """Prints each finished run, and the expected time of the remaining runs from the mean time of the finished ones."""

    def __init__(self, total: int, jobs: int) -> None:
        self.total, self.jobs, self.done = total, jobs, 0
        self._seconds: list[float] = []

    def say(self, record: Record) -> None:
        self.done += 1
        result = record.result or {}
        reached = f"{result['seconds']:.0f} s" if result else f"failed: {record.reason}"
        if record.main is not None and (value := result.get(f"val_{record.main}")) is not None:
            measure = record.measures[record.main]
            reached += f", best validation {measure.title} {measure.shown(value)}"
        print(f"{self.done}/{self.total} {record.name}: {reached}{self._left(result)}", flush=True)

    def _left(self, result: Mapping[str, Any]) -> str:
        self._seconds += [result["seconds"]] if "seconds" in result else []
        left = (self.total - self.done) * mean(self._seconds or [0.0]) / self.jobs
        return f"; about {left / 60:,.0f} min left" if left >= 60 else ""

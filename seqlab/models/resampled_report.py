"""A report with bootstrap intervals of its measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from seqlab.bootstrap import Mean, mean_over_items
from seqlab.metrics import Measure, Report


@dataclass(frozen=True, kw_only=True)
class ResampledReport(Report):
    """Results of each item, and intervals of the measures.

    Args:
        columns: Results of each item, also if the report does not list items.
        resampled: The measures.
    """

    columns: Mapping[str, Sequence[Any]] = field(repr=False)
    resampled: Mapping[str, Measure] = field(repr=False)

    @cached_property
    def intervals(self) -> Mapping[str, Mean]:
        """The 95% interval of each measure, by a bootstrap over the items."""
        return intervals_of(self.resampled, self.columns)

    def with_interval(self, name: str) -> str:
        """A measure as text, followed by its interval."""
        shown, mean = self.resampled[name].shown, self.intervals.get(name)
        if mean is None or mean.low is None or mean.high is None:
            return shown(self.measures[name])
        return f"{shown(self.measures[name])}   [{shown(mean.low)} .. {shown(mean.high)}]"


def intervals_of(measures: Mapping[str, Measure], items: Mapping[str, Sequence[Any]]) -> dict[str, Mean]:
    """The interval of each measure by a bootstrap over items."""
    columns = {name: np.asarray(values) for name, values in items.items()}
    count = len(next(iter(columns.values())))
    return {
        name: mean_over_items([columns], count, one.resampled)
        for name, one in measures.items()
        if one.resampled is not None and count > 1
    }

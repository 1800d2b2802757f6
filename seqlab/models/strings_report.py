"""What ``evaluate`` says of a model that reads strings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from seqlab.bootstrap import Mean
from seqlab.metrics import Measure, Report
from seqlab.models.classification_report import intervals_of


@dataclass(frozen=True, kw_only=True)
class StringsReport(Report):
    """How well a model reads strings, every string counted once.

    Args:
        strings: How many there are.
        symbols: How many there are in them.
        edits: Insertions, deletions and replacements that make what was said what is right.
        empty: Strings of which nothing was said.
        unfit: Strings with too few steps for their symbols, which are not in the loss.
        decoding: How they were read.
        columns: What was reached on each string, whether or not the report was asked for items.
        resampled: The measures, for intervals.
        errors: How many of the worst errors to list.
    """

    strings: int
    symbols: int
    edits: int
    empty: int
    unfit: int
    decoding: str
    columns: Mapping[str, Sequence[Any]] = field(repr=False)
    resampled: Mapping[str, Measure] = field(repr=False)
    errors: int

    @cached_property
    def intervals(self) -> Mapping[str, Mean]:
        """Of each measure its 95% interval by a bootstrap over the strings."""
        return intervals_of(self.resampled, self.columns)

    def rows(self) -> dict[str, str]:
        rows = {
            "corpus": self.measured_on,
            "character error": f"{self._with_interval('cer')}, {self.edits:,} edits of {self.symbols:,} symbols",
            "strings right": self._with_interval("exact"),
            "loss": f"{self.loss:.4f} nats per string",
            "decoding": self.decoding,
            "counted": f"{self.strings:,} strings, each once{self._notes()}",
        }
        return {**rows, "time": f"{self.seconds:.1f} s, {self.strings / self.seconds:,.0f} strings/s"}

    def _with_interval(self, name: str) -> str:
        value, mean = self.measures[name], self.intervals.get(name)
        if mean is None or mean.low is None or mean.high is None:
            return f"{value:.2%}"
        return f"{value:.2%}   [{mean.low:.2%} .. {mean.high:.2%}]"

    def _notes(self) -> str:
        notes = f", {self.empty:,} read as empty" if self.empty else ""
        return notes + (
            f", {self.unfit:,} with too few steps for their symbols (not in the loss)" if self.unfit else ""
        )

    def __str__(self) -> str:
        lines = [super().__str__()]
        rows = zip(*(self.columns[name] for name in ("item", "predicted", "label", "probability")), strict=True)
        wrong = sorted((row for row in rows if row[1] != row[2]), key=lambda row: -row[3])[: self.errors]
        if wrong:
            lines += ["", "the errors that it was surest of"]
            lines += [
                f"  {sure:.2f} {said or '(nothing)'} for {right}, item {item}" for item, said, right, sure in wrong
            ]
        return "\n".join(lines)

"""What ``evaluate`` says of a model that reads strings."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from seqlab.models.resampled_report import ResampledReport
from seqlab.text.edits import edit_distance


class Found(NamedTuple):
    """What was read of one string.

    Args:
        item: Its row.
        wanted: Its symbols.
        said: Those that were read.
        nats: Nats of the right string; 0 where it has too few steps.
        fits: Whether it has enough.
        probability: Probability of what was read.
    """

    item: int
    wanted: list[int]
    said: list[int]
    nats: float
    fits: bool
    probability: float


class Wrong(NamedTuple):
    """A string that was read wrong, with the probability of what was said."""

    probability: float
    said: str
    right: str
    item: int


def columns_of(found: Sequence[Found], written: Callable[[Iterable[int]], str]) -> dict[str, list[Any]]:
    """What was reached on each string, by name.

    Args:
        found: Of each.
        written: The text of symbols.
    """
    edits = [edit_distance(one.said, one.wanted) for one in found]
    return {
        "item": [one.item for one in found],
        "correct": [int(number == 0) for number in edits],
        "edits": edits,
        "symbols": [len(one.wanted) for one in found],
        "nats": [one.nats if one.fits else float("nan") for one in found],
        "probability": [one.probability for one in found],
        "label": [written(one.wanted) for one in found],
        "predicted": [written(one.said) for one in found],
    }


@dataclass(frozen=True, kw_only=True)
class StringsReport(ResampledReport):
    """How well a model reads strings, every string counted once.

    Args:
        strings: Number of strings.
        symbols: How many there are in them.
        edits: Insertions, deletions and replacements that make what was said what is right.
        empty: Strings of which nothing was said.
        unfit: Strings with too few steps for their symbols, which are not in the loss.
        decoding: How they were read.
        errors: How many of the worst errors to list.
    """

    strings: int
    symbols: int
    edits: int
    empty: int
    unfit: int
    decoding: str
    errors: int

    def rows(self) -> dict[str, str]:
        rows = {
            "corpus": self.measured_on,
            "character error": f"{self.with_interval('cer')}, {self.edits:,} edits of {self.symbols:,} symbols",
            "strings right": self.with_interval("exact"),
            "loss": f"{self.loss:.4f} nats per string",
            "decoding": self.decoding,
            "counted": f"{self.strings:,} strings, each once{self._notes()}",
        }
        return {**rows, "time": f"{self.seconds:.1f} s, {self.strings / self.seconds:,.0f} strings/s"}

    def _notes(self) -> str:
        notes = f", {self.empty:,} read as empty" if self.empty else ""
        return notes + (
            f", {self.unfit:,} with too few steps for their symbols (not in the loss)" if self.unfit else ""
        )

    def worst(self) -> list[Wrong]:
        """The errors that it was surest of, as many as were asked for."""
        columns = (self.columns[name] for name in ("probability", "predicted", "label", "item"))
        wrong = [one for one in map(Wrong._make, zip(*columns, strict=True)) if one.said != one.right]
        return sorted(wrong, key=lambda one: -one.probability)[: self.errors]

    def __str__(self) -> str:
        lines = [super().__str__()]
        if worst := self.worst():
            lines += ["", "the errors that it was surest of"]
            lines += [f"  {p:.2f} {said or '(nothing)'} for {right}, item {item}" for p, said, right, item in worst]
        return "\n".join(lines)

"""The report of ``evaluate`` for a model that reads strings."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from seqlab.models.resampled_report import ResampledReport
from seqlab.text.edits import edit_distance


class Found(NamedTuple):
    """Prediction for one string.

    Args:
        item: Row of the string.
        wanted: True symbols.
        said: Predicted symbols.
        nats: Loss of the true string in nats; 0 if it has too few steps.
        fits: Whether it has enough steps.
        probability: Probability of the predicted string.
    """

    item: int
    wanted: list[int]
    said: list[int]
    nats: float
    fits: bool
    probability: float


class Wrong(NamedTuple):
    """A wrong prediction, with its probability."""

    probability: float
    said: str
    right: str
    item: int


def columns_of(found: Sequence[Found], written: Callable[[Iterable[int]], str]) -> dict[str, list[Any]]:
    """The results of each string, by name.

    Args:
        found: Prediction for each string.
        written: Turns symbols into text.
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
    """Measures of a model that reads strings, with every string counted once.

    Args:
        strings: Number of strings.
        symbols: Number of symbols in them.
        edits: Insertions, deletions and replacements from predicted to true strings.
        empty: Number of strings with an empty prediction.
        unfit: Number of strings with too few steps for their symbols, which are not in the loss.
        decoding: Decoding method, in words.
        errors: Number of errors to list, the most confident first.
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
        """The most confident errors, as many as requested."""
        columns = (self.columns[name] for name in ("probability", "predicted", "label", "item"))
        wrong = [one for one in map(Wrong._make, zip(*columns, strict=True)) if one.said != one.right]
        return sorted(wrong, key=lambda one: -one.probability)[: self.errors]

    def __str__(self) -> str:
        lines = [super().__str__()]
        if worst := self.worst():
            lines += ["", "the most confident errors"]
            lines += [f"  {p:.2f} {said or '(nothing)'} for {right}, item {item}" for p, said, right, item in worst]
        return "\n".join(lines)

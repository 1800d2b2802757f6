"""Options: frozen dataclasses whose fields have a meaning, a unit and bounds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import UnionType
from typing import Any, ClassVar, Literal, NamedTuple, Self, Union, get_args, get_origin, get_type_hints

from seqlab.errors import UserError, nearest
from seqlab.shapes import mismatch

LONGEST_LIST = 1000
"""Most values in the list of an option."""


TALLEST = 256
"""Help does not show upper bounds from this value on."""


class Bounds(NamedTuple):
    """Bounds of a number: ``least <= value``, ``above < value``, ``value <= most``, ``value < below``."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def hold(self, value: float) -> bool:
        """Whether a number lies within the bounds; NaN never does."""
        return (
            value == value
            and (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def broken(self, value: float) -> "Bounds":
        """The bounds on the side that a number violates."""
        low = Bounds(least=self.least, above=self.above)
        return low if not low.hold(value) else Bounds(most=self.most, below=self.below)

    def told(self) -> str:
        """The bounds for help, without very large upper bounds and without the usual bounds of counts."""
        most = None if self.most is not None and self.most >= TALLEST else self.most
        kept = self._replace(most=most)
        return "" if kept in (Bounds(least=-1), Bounds(least=0), Bounds(least=1)) else kept.formula()

    def formula(self) -> str:
        """``0 <= x < 1``."""
        low = f"{_shown(self.least)} <= " if self.least is not None else ""
        low = f"{_shown(self.above)} < " if self.above is not None else low
        high = f" <= {_shown(self.most)}" if self.most is not None else ""
        high = f" < {_shown(self.below)}" if self.below is not None else high
        return f"{low}x{high}" if low or high else ""

    def rule(self, whole: bool) -> str:
        """The rule for a value, as part of a sentence."""
        words = {"at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
        said = " and ".join(f"{word} {_shown(bound)}" for word, bound in words.items() if bound is not None)
        return f"a whole number of {said}" if whole else said


def _shown(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def option(
    default: Any,
    help: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    choices: Sequence[str] = (),
    once: bool = False,
    seldom: bool = False,
) -> Any:
    """A field of a class of options, with its default, help text and bounds.

    Args:
        default: Default value.
        help: One sentence, with the unit.
        least: Smallest value.
        above: The value must be above this number.
        most: Largest value.
        below: The value must be below this number.
        choices: Valid names, if the type does not list them.
        once: Whether only a new run reads it, such as a file of initial weights; checkpoints do not keep it.
        seldom: Whether only ``--help_all`` lists it.
    """
    bounds = Bounds(least, above, most, below)
    told = {"help": help, "bounds": bounds, "choices": tuple(choices), "once": once, "seldom": seldom}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=told)
    return field(default=default, metadata=told)


@dataclass(frozen=True)
class Options:
    """Base class of options; the constructor checks the values.

    ``refused`` gives the reason for each option that a user may expect but that does not exist. ``by_gradients`` says
    whether the network is trained by gradients or counted all at once, and ``seconds_an_item`` the time of counting.
    ``trained_by`` holds the default optimizer and schedule with their options. ``decays_matrices_alone`` says whether
    weight decay skips biases and gains.

    Raises:
        UserError: A value is out of its bounds, or a name is not among the choices of an option.
    """

    refused: ClassVar[Mapping[str, str]] = {}
    by_gradients: ClassVar[bool] = True
    seconds_an_item: ClassVar[float] = 0.0
    trained_by: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "optimizer": {"name": "adam", "lr": 0.002},
        "lr_scheduler": {"name": "none"},
    }
    decays_matrices_alone: ClassVar[bool] = False

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for each in fields(self):
            value, hint = getattr(self, each.name), hints[each.name]
            if value is None and mismatch(value, hint, each.name) is None:
                continue
            if names := _choices(hint) or each.metadata.get("choices"):
                if value not in names:
                    raise UserError(f"unknown {each.name} '{value}': {nearest(str(value), names)}")
                continue
            bounds = each.metadata.get("bounds", Bounds())
            numbers = value if isinstance(value, list | tuple) else [value]
            whole = not _takes(hint, float)
            if len(numbers) > LONGEST_LIST:
                raise UserError(f"{each.name} has {len(numbers):,} values, more than {LONGEST_LIST:,}; give fewer")
            if bounds != Bounds() and not (numbers and all(_is_number(n, whole) and bounds.hold(n) for n in numbers)):
                or_list = ", or a list of such" if _takes(hint, list) else ""
                raise UserError(f"{each.name} {value} must be {_rule(bounds, numbers, whole)}{or_list}")
            if found := mismatch(value, hint, each.name):
                raise UserError(f"{found}, which is none of the values that it takes; --help_all lists them")

    build: ClassVar[Callable[..., Any]]
    """Sizes of the codecs of the data, in order -> the network with initialized weights."""

    @classmethod
    def read_once(cls) -> list[str]:
        """Names of the options that only a new run reads."""
        return [each.name for each in fields(cls) if each.metadata.get("once")]

    def plain(self) -> dict[str, Any]:
        """Plain values for a checkpoint, by name, with lists copied, without options that only a new run reads."""
        once = self.read_once()
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in once}
        return {name: list(value) if isinstance(value, list | tuple) else value for name, value in values.items()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """The options from the values of ``plain``.

        Raises:
            UserError: A name is unknown or a value wrong.
        """
        known = [each.name for each in fields(cls)]
        if unknown := next((name for name in values if name not in known), None):
            raise UserError(f"unknown option '{unknown}': {nearest(unknown, known)}")
        return cls(**values)


def _rule(bounds: Bounds, numbers: Sequence[Any], whole: bool) -> str:
    """The rule for numbers outside the bounds; for a number that is too large, only the upper bound."""
    large = any(_is_number(n, whole) and not bounds.hold(n) and bounds.broken(n).most is not None for n in numbers)
    kept = (
        Bounds(most=bounds.most) if large else bounds._replace(most=None if bounds.least is not None else bounds.most)
    )
    return kept.rule(whole)


def _is_number(value: object, whole: bool) -> bool:
    return isinstance(value, int if whole else int | float) and not isinstance(value, bool)


def _parts(hint: Any) -> list[Any]:
    return (
        [part for each in get_args(hint) for part in _parts(each)] if get_origin(hint) in (Union, UnionType) else [hint]
    )


def _choices(hint: Any) -> list[str]:
    return [str(name) for part in _parts(hint) if get_origin(part) is Literal for name in get_args(part)]


def _takes(hint: Any, kind: type) -> bool:
    parts = _parts(hint)
    inside = [part for each in parts if get_origin(each) is list for part in get_args(each)]
    return any(part is kind or get_origin(part) is kind for part in (*parts, *inside))

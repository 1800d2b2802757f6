"""Options: frozen dataclasses whose fields say what they mean, in which unit, and within which bounds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import UnionType
from typing import Any, ClassVar, Literal, NamedTuple, Self, Union, get_args, get_origin, get_type_hints

from seqlab.errors import UserError, nearest
from seqlab.shapes import mismatch

LONGEST_LIST = 1000
"""Values that an option may have at once."""


TALLEST = 256
"""An upper bound from which on help does not speak of it."""


class Bounds(NamedTuple):
    """Between which values a number must lie: ``least <= value``, ``above < value``, ``value <= most``,
    ``value < below``."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def hold(self, value: float) -> bool:
        """Whether a number lies within them; NaN lies nowhere."""
        return (
            value == value
            and (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def broken(self, value: float) -> "Bounds":
        """Those on the side on which a number lies outside."""
        low = Bounds(least=self.least, above=self.above)
        return low if not low.hold(value) else Bounds(most=self.most, below=self.below)

    def told(self) -> str:
        """What help says of them: nothing of upper bounds that nobody comes near, nor that a count is a count."""
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
        """What a value must be, as part of a sentence."""
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
    """A field of a class of options: its default, and what help, checks and messages say of it.

    Args:
        default: Its value if none is given.
        help: One sentence, with the unit.
        least: Smallest value.
        above: Value that it must exceed.
        most: Largest value.
        below: Value that it must stay below.
        choices: Names that it takes, where its type does not say them.
        once: Whether a new run alone reads it: a file that weights begin with, which checkpoints do without.
        seldom: Whether ``--help_all`` alone lists it.
    """
    bounds = Bounds(least, above, most, below)
    told = {"help": help, "bounds": bounds, "choices": tuple(choices), "once": once, "seldom": seldom}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=told)
    return field(default=default, metadata=told)


@dataclass(frozen=True)
class Options:
    """Base of every class of options: values are checked when one is made.

    ``refused`` says of names that a user may expect here why there is no such option, ``by_gradients`` whether what
    they describe is trained step by step, rather than counted all at once, and ``seconds_an_item`` what counting takes.
    ``trained_by`` names the optimizer and the schedule that are taken if none is given, with their options, and
    ``decays_matrices_alone`` says whether weight decay leaves out biases and gains.

    Raises:
        UserError: A value is out of its bounds, or a name is none of those that an option takes.
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
    """Sizes of the codecs of the data, in their order -> the network, its weights drawn."""

    @classmethod
    def read_once(cls) -> list[str]:
        """Names of the options that a new run alone reads."""
        return [each.name for each in fields(cls) if each.metadata.get("once")]

    def plain(self) -> dict[str, Any]:
        """What a checkpoint keeps: its values by name, lists copied, without what a new run alone reads."""
        once = self.read_once()
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in once}
        return {name: list(value) if isinstance(value, list | tuple) else value for name, value in values.items()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """The options that ``plain`` gave.

        Raises:
            UserError: A name is unknown or a value wrong.
        """
        known = [each.name for each in fields(cls)]
        if unknown := next((name for name in values if name not in known), None):
            raise UserError(f"unknown option '{unknown}': {nearest(unknown, known)}")
        return cls(**values)


def _rule(bounds: Bounds, numbers: Sequence[Any], whole: bool) -> str:
    """What is said of numbers outside: of one that is too large alone, how large it may be."""
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

"""Strings that were read, as a user gets them: each symbol with its place."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from seqlab.errors import UserError


class StringRead(NamedTuple):
    """What was read in a picture.

    Args:
        image: The picture as it was named.
        text: The string.
        probability: Of it given the picture, over all ways to say it.
        symbols: Of each ``symbol``, the ``first`` and the ``last`` column of the picture where it was said, from 0, and
            the highest ``probability`` that it has there.
    """

    image: str
    text: str
    probability: float
    symbols: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.text}\t{self.probability:.4f}"


def decoding_of(beam_size: int, lm_weight: float, order: int) -> str:
    """How strings are read, in words.

    Args:
        beam_size: Prefixes that a search keeps; 1 takes the best path.
        lm_weight: Weight of an n-gram.
        order: Symbols of that.

    Raises:
        UserError: A value is out of its range, or an n-gram is asked for without a beam of several.
    """
    if beam_size < 1:
        raise UserError(f"beam_size {beam_size} must be a whole number of at least 1")
    if not 0 <= lm_weight < float("inf"):
        raise UserError(f"lm_weight {lm_weight} must be at least 0")
    if lm_weight and beam_size == 1:
        raise UserError(f"lm_weight {lm_weight} needs a search: give --beam_size 10, say, or leave it out")
    if beam_size == 1:
        return "best path"
    return f"prefix beam search of {beam_size}" + (f", {order}-gram by {lm_weight:g}" if lm_weight else "")


PLACES = ("symbol", "first", "last", "probability")


def as_places(read: Iterable[StringRead]) -> Iterator[str]:
    """A line a symbol with tabs between: symbol, its first and last column, probability; a blank line between
    pictures.
    """
    for number, one in enumerate(read):
        if number:
            yield ""
        for symbol in one.symbols:
            yield "\t".join(f"{symbol[name]:.4f}" if name == "probability" else str(symbol[name]) for name in PLACES)


FORMATS: dict[str, Callable[[Iterable[StringRead]], Iterator[str]]] = {"places": as_places}

"""Predicted strings for users: each symbol with its position."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from seqlab.errors import UserError


class StringRead(NamedTuple):
    """Prediction for a picture.

    Args:
        image: Name of the picture.
        text: The string.
        probability: Probability of the string given the picture, over all its paths.
        symbols: For each ``symbol`` its ``first`` and ``last`` column in the picture, from 0, and its highest
            ``probability`` there.
    """

    image: str
    text: str
    probability: float
    symbols: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.text}\t{self.probability:.4f}"


def decoding_of(beam_size: int, lm_weight: float, order: int) -> str:
    """The decoding method in words.

    Args:
        beam_size: Prefixes that a search keeps; 1 takes the best path.
        lm_weight: Weight of an n-gram.
        order: Order of the n-gram.

    Raises:
        UserError: A value is out of its range, or an n-gram is requested with beam_size 1.
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
    """One line per symbol, separated by tabs: symbol, its first and last column, probability; a blank line between
    pictures.
    """
    for number, one in enumerate(read):
        if number:
            yield ""
        for symbol in one.symbols:
            yield "\t".join(f"{symbol[name]:.4f}" if name == "probability" else str(symbol[name]) for name in PLACES)


FORMATS: dict[str, Callable[[Iterable[StringRead]], Iterator[str]]] = {"places": as_places}

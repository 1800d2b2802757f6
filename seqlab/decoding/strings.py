"""Strings that were read, as a user gets them: each symbol with its place."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple


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

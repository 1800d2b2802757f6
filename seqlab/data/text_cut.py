"""One text cut into training, validation and test part, by shares of its cleaned characters."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqlab.text.clean import clean_lines
from seqlab.text.line_reader import LONGEST_LINE, Unended
from seqlab.text.words import CHUNKS, WORD

Lines = Callable[[], Iterator[str]]
"""Returns a new iterator over the lines of a text; over-long lines come in pieces."""


class Place(NamedTuple):
    """Position of a cut: before a character of a line, or of a piece of a line, both counted from 0."""

    line: int
    character: int = 0


class Cut(NamedTuple):
    """The parts of a text, in order, and whether they match the shares to within a line."""

    parts: tuple[Lines, Lines, Lines]
    at_line_ends: bool


def cut_text(lines: Lines, cleaning: str, tokens: str, val_fraction: float, test_fraction: float) -> Cut:
    """Cuts a text at the first line ends after the borders of its shares.

    If a line at a border is over-long, or a part would be empty, the text is cut inside a line, at the nearest token
    border.

    Args:
        lines: Lines of the text, uncleaned.
        cleaning: Cleaning; shares are measured in cleaned characters.
        tokens: Tokenizer; a cut inside a line falls between two tokens.
        val_fraction: Share of the validation part.
        test_fraction: Share of the test part.
    """
    measured = np.fromiter(lines_and_lengths(lines, cleaning), dtype=[("length", np.int64), ("begins", np.bool_)])
    lengths, starts = measured["length"], np.flatnonzero(measured["begins"])
    begins = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    if not total:
        return Cut((lines, lambda: iter(()), lambda: iter(())), False)
    wanted = [(1 - val_fraction - test_fraction) * total, (1 - test_fraction) * total]
    places = [_line_at(begins[starts], starts, len(lengths), border) for border in wanted]
    reached = [_reached(begins, total, place) for place in places]
    bounds = [0, *reached, total]
    asked = (True, val_fraction > 0, test_fraction > 0)
    empty = any(on and low == high for on, low, high in zip(asked, bounds[:-1], bounds[1:], strict=True))
    long = any(reach - border > LONGEST_LINE for reach, border in zip(reached, wanted, strict=True))
    inside = empty or long
    if inside:
        places = [_inside(lines, begins, border, cleaning, tokens) for border in wanted]
    ends = [Place(0), *places, Place(len(lengths))]
    first, second, third = (_between(lines, *pair) for pair in pairwise(ends))
    off = any(abs(reach - border) > 1 for reach, border in zip(reached, wanted, strict=True))
    return Cut((first, second, third), off and not inside)


def in_random_order(lines: Lines) -> Lines:
    """The lines of a text that fits into memory, in a random order that depends only on their number."""
    held: list[str] = []
    joined = ""
    for piece in lines():
        joined += piece
        if joined.endswith("\n"):
            held.append(joined)
            joined = ""
    held += [f"{joined}\n"] if joined else []
    order = np.random.default_rng(0).permutation(len(held))
    return lambda: (held[row] for row in order)


def lines_and_lengths(lines: Lines, cleaning: str) -> Iterator[tuple[int, bool]]:
    """Each line, or piece of a line, with its number of cleaned characters, and whether it begins a line."""
    begins = True
    for line in lines():
        yield _length(line, cleaning), begins
        begins = not isinstance(line, Unended)


def _length(line: str, cleaning: str) -> int:
    return sum(map(len, clean_lines([line], cleaning)))


def _line_at(begins: NDArray[np.int64], starts: NDArray[np.int64], count: int, border: float) -> Place:
    """The first line that begins at or after a border."""
    row = int(np.searchsorted(begins, border))
    return Place(int(starts[row]) if row < len(starts) else count)


def _reached(begins: NDArray[np.int64], total: int, place: Place) -> int:
    return int(begins[place.line]) if place.line < len(begins) else total


def _inside(lines: Lines, begins: NDArray[np.int64], border: float, cleaning: str, tokens: str) -> Place:
    """The token border nearest to a border."""
    row = min(max(0, int(np.searchsorted(begins, border, side="right")) - 1), len(begins) - 1)
    piece = next(islice(lines(), row, None))
    between = _borders(piece, cleaning, tokens)
    behind = bisect_left(between, border - begins[row], key=lambda place: _length(piece[:place], cleaning))
    near = between[max(0, behind - 1) : behind + 1]
    return Place(row, min(near, key=lambda place: abs(_length(piece[:place], cleaning) - (border - begins[row]))))


def _borders(piece: str, cleaning: str, tokens: str) -> Sequence[int]:
    """Possible cuts of a line: the beginnings of its tokens, and its end.

    ``classic`` strips each piece, so characters are not cut at a space.
    """
    if tokens != "char":
        pattern = CHUNKS if tokens == "space" else WORD
        return [*(match.start() for match in pattern.finditer(piece)), len(piece)]
    if cleaning != "classic":
        return range(len(piece) + 1)
    within = (place for place in range(1, len(piece)) if _length(piece[place - 1 : place + 1], cleaning) == 2)
    return [0, *within, len(piece)]


def _between(lines: Lines, begin: Place, end: Place) -> Lines:
    def part() -> Iterator[str]:
        for row, line in enumerate(islice(lines(), begin.line, end.line + (end.character > 0)), begin.line):
            if row not in (begin.line, end.line):
                yield line
                continue
            last = end.character if row == end.line else len(line)
            if cut := line[begin.character if row == begin.line else 0 : last]:
                yield Unended(cut) if isinstance(line, Unended) and last == len(line) else cut

    return part

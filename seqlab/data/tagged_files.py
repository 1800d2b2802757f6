"""Files of tagged sentences, in columns or as CoNLL-U, -> words and tags."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from seqlab.data.columns import Column
from seqlab.data.labelled_files import read_text
from seqlab.errors import UserError, nearest
from seqlab.text.line_reader import without_compression

FORMATS = ("conll", "conllu")
CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
DOCUMENT = "-DOCSTART-"
NAMED = "# global.columns ="
"""Start of the comment in which a file names its columns (CoNLL-U Plus)."""


@dataclass(frozen=True)
class TaggedLayout:
    """How a file holds words and tags; None means detect it.

    Args:
        format: A name of ``FORMATS``; by default from the file ending.
        word: Column of the word, by its name or its number from 1; by default the first, or ``form`` of CoNLL-U.
        tag: Column of the tag; by default the last, or ``upos`` of CoNLL-U.
        encoding: Encoding of the characters; UTF-8, or Latin-1 if that fails.
    """

    format: str | None = None
    word: Column = None
    tag: Column = None
    encoding: str | None = None


@dataclass
class TaggedRows:
    """Sentences: the words of each, and one tag per word; ``notes`` say how the files were read."""

    words: list[list[str]] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, rows: Sequence[int]) -> "TaggedRows":
        """Some of the sentences."""
        return TaggedRows([self.words[row] for row in rows], [self.tags[row] for row in rows])

    def __len__(self) -> int:
        return len(self.words)


class _Line(NamedTuple):
    number: int
    text: str


def read_tagged(paths: Sequence[Path], layout: TaggedLayout) -> TaggedRows:
    """The sentences of files, one file after the other.

    Args:
        paths: Files, plain or compressed (.gz, .bz2, .xz).
        layout: What is known of the files.

    Raises:
        UserError: A file cannot be read, has no such column, or a line has fewer columns than the others.
    """
    rows = TaggedRows()
    for path in paths:
        text, note = read_text(path, layout.encoding)
        before = len(rows)
        if (layout.format or _format_of(path)) == "conllu":
            _read_conllu(text, path, layout, rows)
        else:
            _read_columns(text, path, layout, rows)
        if len(rows) == before:
            raise UserError(f"{path} holds no tagged sentence; give a word and its tag on each line")
        rows.notes += [note] if note else []
    return rows


def _format_of(path: Path) -> str:
    return "conllu" if without_compression(path).suffix.lower() == ".conllu" else "conll"


def _blocks(text: str) -> Iterator[list[_Line]]:
    """Blocks of lines, separated by blank lines."""
    block: list[_Line] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            block.append(_Line(number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _read_conllu(text: str, path: Path, layout: TaggedLayout, rows: TaggedRows) -> None:
    """Reads CoNLL-U: the words of multiword tokens (``1-2``), without empty nodes (``8.1``)."""
    word = _place("form" if layout.word is None else layout.word, "word_column", path, CONLLU, len(CONLLU))
    tag = _place("upos" if layout.tag is None else layout.tag, "tag_column", path, CONLLU, len(CONLLU))
    for block in _blocks(text):
        sentence = []
        for number, line in block:
            if line.startswith("#"):
                continue
            cells = line.split("\t")
            if len(cells) != len(CONLLU):
                raise UserError(
                    f"{path}, line {number} has {len(cells)} columns between tabs, not the 10 of CoNLL-U; mend the "
                    "line, or give --data.format conll"
                )
            if cells[0].isdecimal():
                sentence.append((cells[word], cells[tag]))
            elif not cells[0].replace("-", ".", 1).replace(".", "", 1).isdecimal():
                raise UserError(f"{path}, line {number} begins with '{cells[0]}', which numbers no word; mend the line")
        _add(rows, sentence)


def _read_columns(text: str, path: Path, layout: TaggedLayout, rows: TaggedRows) -> None:
    """Reads columns separated by tabs, or by spaces if no line has a tab."""
    blocks = [*_blocks(text)]
    named = next((line for block in blocks for _, line in block if line.startswith(NAMED)), None)
    head = None if named is None else [name.lower() for name in named.removeprefix(NAMED).split()]
    tabs = any("\t" in line for block in blocks for _, line in block if not line.startswith("# "))
    width = _width(blocks, tabs)
    cut = [rows_of for block in blocks if (rows_of := _rows_of(block, tabs, width))]
    if not cut:
        return
    by_name = any(isinstance(column, str) and not _is_number(column) for column in (layout.word, layout.tag))
    if by_name and head is None:
        head = [cell.lower() for cell in cut[0].pop(0)[1]]
    word = _place(1 if layout.word is None else layout.word, "word_column", path, head, width)
    tag = _place(width if layout.tag is None else layout.tag, "tag_column", path, head, width)
    if width < 2:
        raise UserError(f"{path} has one column, and a word and its tag take two; separate them with a tab or a space")
    for block in cut:
        sentence = []
        for number, cells in block:
            if cells[0] == DOCUMENT:
                continue
            if len(cells) != width:
                raise UserError(
                    f"{path}, line {number} has {len(cells)} columns, not {width} as the others; mend or remove it"
                )
            sentence.append((cells[word], cells[tag]))
        _add(rows, sentence)


def _cells(line: str, tabs: bool) -> list[str]:
    return [cell.strip() for cell in line.rstrip().split("\t")] if tabs else line.split()


def _width(blocks: Sequence[Sequence[_Line]], tabs: bool) -> int:
    """Number of columns in most lines."""
    sizes = Counter(len(_cells(line, tabs)) for block in blocks for _, line in block if not line.startswith("# "))
    return max(sizes, key=lambda size: (sizes[size], size), default=0)


def _rows_of(block: Sequence[_Line], tabs: bool, width: int) -> list[tuple[int, list[str]]]:
    """The lines of a block without its comments.

    A line that begins with # is a comment if it does not have the columns of a word, or if it is ``# name = value``
    before the first word: a word may also begin with #.
    """
    rows: list[tuple[int, list[str]]] = []
    for number, line in block:
        cells = _cells(line, tabs)
        says = not rows and line.startswith("# ") and " = " in line
        if not (line.startswith("#") and (says or len(cells) != width)):
            rows.append((number, cells))
    return rows


def _add(rows: TaggedRows, sentence: Sequence[tuple[str, str]]) -> None:
    if sentence:
        rows.words.append([word for word, _ in sentence])
        rows.tags.append([tag for _, tag in sentence])


def _is_number(column: str) -> bool:
    return column.removeprefix("-").isdecimal()


def _place(column: int | str, option: str, path: Path, head: Sequence[str] | None, width: int) -> int:
    """Position of a column, from 0; a negative number counts from the last column."""
    if isinstance(column, str) and not _is_number(column):
        if head is None or column.lower() not in head:
            raise UserError(f"{path} has no column '{column}' for {option}; {nearest(column, head or ())}")
        return list(head).index(column.lower())
    number = int(column)
    if not (1 <= abs(number) <= width):
        raise UserError(f"{option} {number} is none of the {width} columns of {path}; give 1 to {width}")
    return number - 1 if number > 0 else width + number


def as_conll(words: Sequence[str], *columns: Sequence[object]) -> str:
    """A sentence in CoNLL format: one word per line, columns separated by tabs, a blank line at the end."""
    lines = ("\t".join(map(str, row)) for row in zip(words, *columns, strict=True))
    return "".join(f"{line}\n" for line in lines)

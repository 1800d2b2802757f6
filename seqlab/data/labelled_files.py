"""Files of labelled texts -> texts and labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seqlab.data.tables import Layout, joined_labels, lines_of, read_table
from seqlab.errors import UserError, reason_of
from seqlab.text.line_reader import read_bytes, with_line_ends, without_compression

ENDINGS = {".tsv": "tsv", ".txt": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".json": "jsonl"}
OF_LINES = ("label_first", "fasttext")
"""Formats with a text and its label on each line, without columns."""
FORMATS = ("tsv", "csv", "jsonl", *OF_LINES)
PREFIX = "__label__"


class Rows(NamedTuple):
    """Raw texts and their labels, one each; ``notes`` say how the files were read."""

    texts: list[str]
    labels: list[str]
    notes: tuple[str, ...] = ()


def read_labelled(paths: Sequence[Path], layout: Layout) -> tuple[Rows, Layout]:
    """The texts and labels of files, one file after the other.

    Args:
        paths: Files, plain or compressed; their endings give the format if ``layout`` does not.
        layout: What is known of the files.

    Returns:
        The rows, and the layout with the columns of the first file, for further files.

    Raises:
        UserError: A file cannot be read, or a line does not fit the format.
    """
    texts: list[str] = []
    labels: list[str] = []
    notes: list[str] = []
    for path in paths:
        text, note = read_text(path, layout.encoding)
        format_ = layout.format or _format_of(path, text)
        if format_ in OF_LINES:
            rows = [_split(line, format_, f"{path}, line {number}", layout) for number, line in lines_of(text)]
        else:
            rows, layout, found = read_table(text, format_, str(path), layout)
            notes.append(found)
        if not rows:
            raise UserError(f"{path} holds no labelled text; give a file with a text and a label on each line")
        texts += [row[0] for row in rows]
        labels += [row[1] for row in rows]
        notes.append(note)
    return Rows(texts, labels, tuple(dict.fromkeys(filter(None, notes)))), layout


def read_text(path: Path, encoding: str | None = None) -> tuple[str, str]:
    """The text of a file, and a note if its encoding was guessed.

    Args:
        path: File, plain or compressed.
        encoding: Encoding of its characters; if not given, UTF-8, or Latin-1 if that fails.

    Raises:
        UserError: The file cannot be read, or does not have that encoding.
    """
    data, note = read_bytes(path), ""
    try:
        text = data.decode(encoding or "utf-8")
    except LookupError:
        raise UserError(f"unknown encoding '{encoding}'; give a name such as utf-8, latin-1 or cp1252") from None
    except UnicodeError as error:
        if encoding is not None:
            reason = f"{path} is not {encoding} text: {reason_of(error)}; give its --data.encoding"
            raise UserError(reason) from None
        text, note = data.decode("latin-1"), f"{path.name} read as Latin-1"
    return with_line_ends(text.removeprefix("\ufeff")), note


def _format_of(path: Path, text: str) -> str:
    format_ = ENDINGS.get(without_compression(path).suffix.lower())
    if format_ in ("tsv", None) and text.lstrip().startswith(PREFIX):
        return "fasttext"
    if format_ is None:
        raise UserError(
            f"the ending of {path} says no format; give --data.format {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        )
    return format_


def _split(line: str, format_: str, where: str, layout: Layout) -> tuple[str, str]:
    """Text and label of a line that begins with its label."""
    label, _, text = line.strip().partition(" ")
    if format_ == "label_first":
        return text.strip(), label
    if not label.startswith(PREFIX):
        raise UserError(f"{where} does not begin with {PREFIX}; give every line its label, or another --data.format")
    labels, begin = [label.removeprefix(PREFIX)], 0
    while text.startswith(PREFIX, begin):
        end = text.find(" ", begin)
        end = len(text) if end < 0 else end
        labels.append(text[begin + len(PREFIX) : end])
        begin = end + 1
    text = text[begin:]
    if not all(labels):
        raise UserError(f"{where} has {PREFIX} without a label behind it; give every text a label")
    return text.strip(), joined_labels(labels, where, layout.separator)

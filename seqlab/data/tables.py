"""Tables of texts and labels: TSV, CSV and JSON lines."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO

from seqlab.data.columns import Column, Places, Row, find_columns, is_header
from seqlab.data.labelled_batches import SEP
from seqlab.errors import UserError, reason_of

MOST_COLUMNS = 1000
"""Most columns of a JSON lines file: its lines may omit columns, so a small file could have very many cells."""


@dataclass(frozen=True)
class Layout:
    """How a file holds texts and labels; None means detect it.

    Args:
        format: A name of ``FORMATS``.
        text: Column of the text, by its name or its number from 1.
        second_text: Column of the second text of a pair.
        label: Column of the label.
        encoding: Encoding of the characters.
        separator: Separator between several labels of one text.
    """

    format: str | None = None
    text: Column = None
    second_text: Column = None
    label: Column = None
    encoding: str | None = None
    separator: str | None = None


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, and their numbers from 1."""
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def joined_labels(labels: Sequence[str], where: str, separator: str | None) -> str:
    """The labels of one text as one value.

    Raises:
        UserError: There is not exactly one label, and no separator is given.
    """
    if separator is None and len(labels) != 1:
        raise UserError(f"{where} has {len(labels)} labels, not one; give --data.multilabel_separator to learn several")
    return (separator or "").join(labels)


def read_table(text: str, format_: str, name: str, layout: Layout) -> tuple[list[tuple[str, str]], Layout, str]:
    """Texts and labels of a file with columns.

    Args:
        text: All of the file.
        format_: tsv, csv or jsonl.
        name: Name of the file.
        layout: What is known of the columns.

    Returns:
        Texts with their labels, the layout with the detected columns, and a note on them.

    Raises:
        UserError: The columns are missing or cannot be detected, or a line does not fit the format.
    """
    wanted = layout.text, layout.second_text, layout.label
    head: list[str] | None = None
    objects: list[tuple[int, dict[str, object]]] = []
    if format_ == "jsonl":
        objects = list(_objects(text, name))
        head = list(objects[0][1]) if objects else []
        if len(head) > MOST_COLUMNS:
            raise UserError(f"{name} has {len(head):,} columns, more than {MOST_COLUMNS:,}; leave out those not read")
        rows = [Row(number, [_plain(each.get(key, "")) for key in head]) for number, each in objects]
    else:
        rows = list(_csv(text, name) if format_ == "csv" else _tsv(text))
        named = any(isinstance(column, str) and not column.isdecimal() for column in wanted)
        if rows and (named or is_header(rows[0].cells)):
            head = [cell.strip() for cell in rows.pop(0).cells]
    if not rows:
        return [], layout, ""
    places = find_columns(name, head, rows, *wanted)
    for row, (_, each) in zip(rows, objects, strict=False):
        _check_object(row, each, head or [], places, name, layout.separator)
    read = [_row(row, places, name, layout.separator) for row in rows]
    text_, second, label = (None if place is None else head[place] if head else place + 1 for place in places)
    note = f"label in column {label}" if layout.label is None else ""
    return read, replace(layout, text=text_, second_text=second, label=label), note


def _row(row: Row, places: Places, name: str, separator: str | None) -> tuple[str, str]:
    text, label = row.cells[places.text].strip(), row.cells[places.label].strip()
    if places.second_text is not None:
        text = f"{text} {SEP} {row.cells[places.second_text]}".strip()
    if not label and separator is None:
        raise UserError(f"{name}, line {row.number} has no label; give every text one, or leave the line out")
    return text, label


def _tsv(text: str) -> Iterator[Row]:
    return (Row(number, line.split("\t")) for number, line in lines_of(text))


def _csv(text: str, name: str) -> Iterator[Row]:
    csv.field_size_limit(2**31 - 1)  # a text may exceed the library's default of 131,072 characters
    reader = csv.reader(StringIO(text, newline="\n"), strict=True)
    try:
        yield from (Row(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells))
    except csv.Error as error:
        raise UserError(f"{name}, line {reader.line_num} is not CSV: {reason_of(error)}; mend its quotes") from None


def _objects(text: str, name: str) -> Iterator[tuple[int, dict[str, object]]]:
    """The objects of a file, one per line or all in one list, and their numbers from 1."""
    number = 1
    try:
        listed = text.lstrip().startswith("[")
        values = enumerate(json.loads(text), 1) if listed else ((n, json.loads(line)) for n, line in lines_of(text))
        for number, value in values:
            if not isinstance(value, dict):
                raise UserError(f"{name}, line {number} is not a JSON object; give one with a text and a label a line")
            yield number, value
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name} is not JSON, an object a line: {reason_of(error)}; mend or remove it") from None


def _plain(value: object) -> str:
    """A JSON value as a cell."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _check_object(
    row: Row, each: dict[str, object], head: list[str], places: Places, name: str, separator: str | None
) -> None:
    """Sets the label of a row if it is a list.

    Raises:
        UserError: The object lacks a required column, or has several labels and no separator is given.
    """
    where = f"{name}, line {row.number}"
    for place in places:
        if place is not None and head[place] not in each:
            raise UserError(f"{where} has no '{head[place]}'; give it, or leave the line out")
    value = each[head[places.label]]
    if isinstance(value, list):
        row.cells[places.label] = joined_labels([_plain(one) for one in value], where, separator)

import json

import pytest

from seqlab.data.tables import Layout, joined_labels, lines_of, read_table
from seqlab.errors import UserError

ROWS = [("so good", "pos"), ("bad", "neg"), ("so bad", "neg")]


def test_lines_are_numbered_and_blank_ones_left_out() -> None:
    assert [*lines_of("a\n\n \nb")] == [(1, "a"), (4, "b")]


@pytest.mark.parametrize(
    ("labels", "separator", "joined"), [(["a"], None, "a"), (["a", "b"], ";", "a;b"), ([], ";", "")]
)
def test_labels_of_one_text(labels: list[str], separator: str | None, joined: str) -> None:
    assert joined_labels(labels, "line 3", separator) == joined


@pytest.mark.parametrize("labels", [[], ["a", "b"]])
def test_without_a_separator_a_text_has_one_label(labels: list[str]) -> None:
    words = f"line 3 has {len(labels)} labels, not one; give --data.multilabel_separator to learn several"
    with pytest.raises(UserError, match=f"^{words}$"):
        joined_labels(labels, "line 3", None)


OBJECTS = [json.dumps({"label": label, "text": text}) for text, label in ROWS]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("so good\tpos\nbad\tneg\nso bad\tneg\n", "tsv"),
        ("label\ttext\npos\tso good\nneg\tbad\nneg\tso bad", "tsv"),
        ('pos,"so good"\nneg,bad\nneg,so bad\n', "csv"),
        ("\n".join(OBJECTS), "jsonl"),
        (f"[{', '.join(OBJECTS)}]", "jsonl"),
    ],
)
def test_the_same_rows_in_every_format(text: str, form: str) -> None:
    assert read_table(text, form, "f", Layout())[0] == ROWS


def test_what_was_found_out_is_kept_for_further_files() -> None:
    _, layout, note = read_table("a b\tx\nc\tx\n", "tsv", "f", Layout())
    assert (layout.text, layout.label, note) == (1, 2, "label in column 2")
    _, layout, note = read_table("Label,Text\nx,a\n", "csv", "f", Layout(label="Label"))
    assert (layout.text, layout.label, note) == ("Text", "Label", "")


def test_values_that_are_no_strings() -> None:
    assert read_table('{"text": 7, "label": true}\n{"text": "a", "label": 2}', "jsonl", "f", Layout())[0] == [
        ("7", "true"),
        ("a", "2"),
    ]


def test_pairs_and_several_labels() -> None:
    layout = Layout(text="one", second_text="two", label="tags", separator=";")
    text = '{"one": "a", "two": "b", "tags": ["x", "y"]}\n{"one": "c", "two": "d", "tags": []}'
    assert read_table(text, "jsonl", "f", layout)[0] == [("a <sep> b", "x;y"), ("c <sep> d", "")]


def test_a_file_without_rows() -> None:
    assert read_table("label\ttext\n", "tsv", "f", Layout()) == ([], Layout(), "")


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("a\tx\nb\t\n", "tsv", "f, line 2 has no label; give every text one, or leave the line out"),
        ('a,"x\nb,y', "csv", "f, line 2 is not CSV: unexpected end of data; mend its quotes"),
        ('{"text": "a", "label": "x"}\n{"text": "a"', "jsonl", "f is not JSON, an object a line: "),
        ('{"text": "a", "label": "x"}\n["a", "x"]', "jsonl", "f, line 2 is not a JSON object; give one with a text"),
        ('{"text": "a", "label": "x"}\n{"text": "b"}', "jsonl", "f, line 2 has no 'label'; give it, or leave the line"),
    ],
)
def test_lines_that_hold_something_else(text: str, form: str, words: str) -> None:
    with pytest.raises(UserError, match=f"^{words}"):
        read_table(text, form, "f", Layout())

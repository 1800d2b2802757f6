import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser

from seqlab.data import DATA
from seqlab.data.labelled import LabelledData
from seqlab.data.labelled_batches import EvaluationTexts, LabelledBatch, tokens_of
from seqlab.data.loader import Loader, Shard
from seqlab.errors import UserError

ROWS = [
    (f"Text {number}, so {'good' if number % 3 else 'bad'}!", "pos" if number % 3 else "neg") for number in range(90)
]
SORTED = sorted(ROWS, key=lambda row: row[1])
WHOLE = {"val_fraction": 0.0, "test_fraction": 0.0, "min_freq": 0}

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file and gives its path."""

    def written(content: str | bytes, name: str = "rows.tsv") -> str:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(tmp_path / name)

    return written


@pytest.fixture
def rows(write: Write) -> str:
    return write("".join(f"{text}\t{label}\n" for text, label in SORTED))


def items(batch: LabelledBatch) -> list[int]:
    return batch.items[batch.valid].tolist()


def test_a_batch_by_hand(write: Write) -> None:
    path = write("b b a\tpos\na\tneg\nb a\tpos\n")
    made = LabelledData(path, **WHOLE, batch_size=3)
    assert made.codecs["text"].vocab.tokens([0, 1, 2, 3, 4]) == ["<unk>", "<pad>", "<sep>", "a", "b"]
    assert made.codecs["label"].names == ("neg", "pos")
    batch = made.encoded("train").batch(np.array([0, 1, 2]), np.array([True, True, False]))
    assert batch.ids.tolist() == [[4, 4, 3], [3, 1, 1], [4, 3, 1]]
    assert batch.lengths.tolist() == [3, 1, 2]
    assert batch.labels.tolist() == [1, 0, 1]
    assert batch.valid.tolist() == [True, True, False]
    assert batch.items.tolist() == [0, 1, 2]
    assert [part.dtype for part in batch] == [*[torch.int64] * 3, torch.bool, *[torch.int64] * 2]
    assert batch.context.shape == (0, 0)
    assert made.class_counts().tolist() == [1, 2]
    assert made.has("train")
    assert not made.has("val")
    assert made.val_dataloader() == []
    assert made.describe() == "3 texts of 2 classes to train on (neg 1, pos 2), 5 ids, label in column 2"


FORMATS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "tsv": ("rows.tsv", "good, one\tpos\nbad\tneg\nso bad\tneg\n", {}),
    "label first": ("rows.tsv", "pos\tgood, one\nneg\tbad\nneg\tso bad\n", {}),
    "txt": ("rows.txt", "good, one\tpos\r\nbad\tneg\r\n\r\nso bad\tneg", {}),
    "header": ("rows.tsv", "id\tLabel\tReview\n1\tpos\tgood, one\n2\tneg\tbad\n3\tneg\tso bad\n", {}),
    "csv": ("rows.csv", 'pos,"good, one"\nneg,bad\nneg,so bad\n', {}),
    "csv names": (
        "rows.csv",
        'a,b,c\npos,"good, one",1\nneg,bad,2\nneg,so bad,3\n',
        {"text_column": "b", "label_column": "a"},
    ),
    "numbers": (
        "rows.tsv",
        "1\tpos\tgood, one\n2\tneg\tbad\n3\tneg\tso bad\n",
        {"text_column": 3, "label_column": "2"},
    ),
    "one named": ("rows.csv", 'a,b\npos,"good, one"\nneg,bad\nneg,so bad\n', {"label_column": "a"}),
    "jsonl": (
        "rows.jsonl",
        '{"text": "good, one", "label": "pos"}\n\n{"label": "neg", "text": "bad"}\n'
        '{"text": "so bad", "label": ["neg"]}\n',
        {},
    ),
    "json": (
        "rows.json",
        '[{"x": 1, "text": "good, one", "label": "pos"}, {"text": "bad", "label": "neg"},'
        '{"text": "so bad", "label": "neg"}]',
        {},
    ),
    "gz": ("rows.csv.gz", 'pos,"good, one"\nneg,bad\nneg,so bad\n', {}),
    "label_first": ("rows.dat", "pos good, one\nneg bad\nneg so bad\n", {"format": "label_first"}),
    "fasttext": ("rows.train", "__label__pos good, one\n__label__neg bad\n__label__neg so bad\n", {}),
    "format": ("rows.dat", "good, one\tpos\nbad\tneg\nso bad\tneg\n", {"format": "tsv"}),
    "byte order mark": ("rows.tsv", "\ufeffgood, one\tpos\nbad\tneg\nso bad\tneg\n", {}),
}


@pytest.mark.parametrize("case", FORMATS)
def test_every_format_holds_the_same(case: str, write: Write) -> None:
    name, content, options = FORMATS[case]
    made = LabelledData(write(content, name), **WHOLE, **options)
    assert made.texts("train") == ["good, one", "bad", "so bad"]
    assert made.labels("train") == ["pos", "neg", "neg"]
    assert made.corpus_name == "rows"
    again = {key: value for key, value in made.recipe().items() if key != "name"}
    assert LabelledData(**again).texts("train") == made.texts("train")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("a\tx\nb\tx\nc\ty\n", {}, ", label in column 2"),
        ("x\ta\nx\tb\ny\tc\n", {}, ", label in column 1"),
        ("x\ta\nx\tb\ny\tc\n", {"label_column": 2}, " ids"),
        ("LABEL\tTEXT\nx\ta\ny\tb\n", {}, ", label in column LABEL"),
        ("long one\tx\nlong two\ty\n", {}, ", label in column 2"),
    ],
)
def test_which_column_was_taken_is_said(write: Write, content: str, options: dict[str, Any], words: str) -> None:
    assert LabelledData(write(content), **WHOLE, **options).describe().endswith(words)


def test_numbers_in_json_are_labels(write: Write) -> None:
    path = write("".join(json.dumps({"text": f"a {n}", "label": n}) + "\n" for n in (10, 9, 10)), "rows.jsonl")
    assert LabelledData(path, **WHOLE).codecs["label"].names == ("9", "10")


def test_encodings(write: Write) -> None:
    content = "café\tx\nthé\ty\n"
    latin = LabelledData(write(content.encode("latin-1")), **WHOLE)
    assert latin.texts("train") == ["café", "thé"]
    assert latin.describe().endswith(", rows.tsv read as Latin-1")
    wide = LabelledData(write(content.encode("utf-16")), encoding="utf-16", **WHOLE)
    assert wide.texts("train") == ["café", "thé"]
    assert "Latin" not in wide.describe()


def test_pairs_of_texts(write: Write) -> None:
    path = write("a b c d\te\tyes\nf\tg h\tno\n\tg\tno\n")
    options = {"text_column": 1, "second_text_column": 2, "label_column": 3}
    made = LabelledData(path, **WHOLE, **options)
    assert made.texts("train") == ["a b c d <sep> e", "f <sep> g h", "<sep> g"]
    codec = made.codecs["text"]
    assert [codec.vocab.tokens(codec.vocab.ids(tokens_of(codec, text)[0])) for text in made.texts("train")] == [
        ["a", "b", "c", "d", "<sep>", "e"],
        ["f", "<sep>", "g", "h"],
        ["<sep>", "g"],
    ]


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("a b c", 2, "a b"),
        ("a b c", 3, "a b c"),
        ("a b c <sep> a b c", 5, "a b <sep> a b"),
        ("a b c <sep> a", 4, "a b <sep> a"),
        ("a <sep> a b c", 4, "a <sep> a b"),
        ("a b c <sep> a b c", 6, "a b <sep> a b c"),
        ("a b <sep> a", 1, "<sep>"),
        ("z", 9, "<unk>"),
    ],
)
def test_of_a_pair_the_longer_text_is_cut(write: Write, text: str, most: int, kept: str) -> None:
    codec = LabelledData(write("a b c\tx\nb c\ty\n"), **WHOLE).codecs["text"]
    codec.max_length = most
    tokens, cut = tokens_of(codec, text)
    assert codec.vocab.tokens(codec.vocab.ids(tokens)) == kept.split()
    assert cut == (len(kept.split()) < len(text.split()))


def test_several_labels_a_text(write: Write) -> None:
    path = write("one\tb;a\ntwo\ta\nthree\t\nfour\t a ; c;a\n")
    held = write("five\tb; z\n", "held.tsv")
    made = LabelledData(path, None, held, multilabel_separator=";", label_column=2, **WHOLE)
    assert made.codecs["label"].names == ("a", "b", "c")
    expected = [[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]]
    batch = made.encoded("train").batch(np.arange(4))
    assert batch.labels.tolist() == expected
    assert batch.labels.dtype == torch.float32
    assert made.class_counts().tolist() == [3, 1, 1]
    assert made.encoded("test").batch(np.array([0])).labels.tolist() == [[0.0, 1.0, 0.0]]
    assert "1 of the test texts with a label that training lacks" in made.describe()
    many = write("__label__a __label__b one\n__label__a two\n", "rows.txt")
    assert LabelledData(many, multilabel_separator=" ", **WHOLE).labels("train") == ["a b", "a"]
    listed = write('{"text": "one", "label": ["a", "b"]}\n{"text": "two", "label": []}\n', "rows.jsonl")
    assert LabelledData(listed, multilabel_separator="|", **WHOLE).labels("train") == ["a|b", ""]


def test_an_unseen_label_is_no_class_and_does_not_crash(write: Write, rows: str) -> None:
    held = write("Text 5, so good!\tpos\nnew\tnever seen\n", "held.tsv")
    made = LabelledData(rows, held, held, label_column=2)
    loader = made.evaluation_loader("test")
    batch = next(iter(loader))
    assert dict(zip(batch.items.tolist(), batch.labels.tolist(), strict=True)) == {0: 1, 1: -1}
    for part in ("val", "test"):
        assert f"1 of the {part} texts also among those to train on" in made.describe()
        assert f"1 of the {part} texts with a label that training lacks" in made.describe()
    assert len(made.texts("train")) == 90


@pytest.mark.parametrize("cleaning", ["spaced", "raw"])
def test_parts_are_stratified_and_equal_texts_stay_together(write: Write, cleaning: str) -> None:
    twice = [*ROWS, *((f" {text.upper()} ", label) for text, label in ROWS[:30])]
    made = LabelledData(
        write("".join(f"{text}\t{label}\n" for text, label in twice)), val_fraction=0.2, cleaning=cleaning
    )
    parts = [{text.strip().lower() for text in made.texts(split)} for split in ("train", "val", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 90
    assert sum(len(made.texts(split)) for split in ("train", "val", "test")) == 120
    assert 22 <= len(made.texts("val")) <= 26
    assert 10 <= len(made.texts("test")) <= 14
    for split in ("train", "val", "test"):
        assert Counter(made.labels(split))["neg"] / len(made.labels(split)) == pytest.approx(1 / 3, abs=0.1)
    assert made.class_counts().tolist() == [made.labels("train").count(name) for name in ("neg", "pos")]


def test_the_split_depends_on_neither_order_nor_seed(write: Write, rows: str) -> None:
    other = write("".join(f"{text}\t{label}\n" for text, label in ROWS), "other.tsv")
    made, again = LabelledData(rows), LabelledData(other, seed=5)
    for split in ("train", "val", "test"):
        assert sorted(made.texts(split)) == sorted(again.texts(split))


def test_items_are_rows_in_the_order_of_the_file(rows: str) -> None:
    made = LabelledData(rows, min_freq=0)
    order = [text for text, _ in SORTED if text in set(made.texts("val"))]
    assert made.texts("val") == order
    for batch in made.evaluation_loader("val"):
        for ids, length, label, item in zip(batch.ids, batch.lengths, batch.labels, batch.items, strict=True):
            expected, _ = tokens_of(made.codecs["text"], made.texts("val")[item])
            assert ids[:length].tolist() == made.codecs["text"].vocab.ids(expected)
            assert made.codecs["label"].names[label] == made.labels("val")[item]


def test_the_folds_test_everything_once(rows: str) -> None:
    made = [LabelledData(rows, folds=4, fold=fold) for fold in range(4)]
    assert sorted(text for data in made for text in data.texts("test")) == sorted(text for text, _ in ROWS)
    for data in made:
        assert len(data.texts("test")) in (22, 23)
        assert len(data.texts("val")) in (6, 7)
        assert 7 <= data.labels("test").count("neg") <= 8
    assert ", fold 3 (of 0 to 3) tests" in made[3].describe()


def test_the_codec_knows_the_training_part_alone(rows: str) -> None:
    made = LabelledData(rows, min_freq=0)
    words = {word for text in made.texts("train") for word in re.findall(r"\w+|[,!]", text.lower())}
    assert {token for token, _ in made.codecs["text"].vocab.frequencies} == words


def test_codecs_of_a_checkpoint_are_kept(write: Write, rows: str) -> None:
    made = LabelledData(rows)
    other = write("Quite new\tmixed\nText 5\tpos\n", "other.tsv")
    again = LabelledData(other, codecs=made.codecs, label_column=2, **WHOLE)
    assert list(again.codecs) == ["text", "label"]
    assert all(again.codecs[name] is codec for name, codec in made.codecs.items())
    assert again.class_counts().tolist() == [0, 1]
    words = (
        "^the label 'mixed' is none of the 2 that the checkpoint was trained with; train a new model on these texts$"
    )
    with pytest.raises(UserError, match=words):
        again.train_batches(Shard())


def test_long_texts_are_cut_and_empty_ones_left_out(write: Write) -> None:
    path = write("one two three\tx\n 1984 \ty\none\ty\n\ty\ntwo\tx\n")
    made = LabelledData(path, cleaning="letters", max_length=2, label_column=2, **WHOLE)
    assert made.texts("train") == ["one two three", "one", "two"]
    assert made.encoded("train").sentences.lengths.tolist() == [2, 1, 1]
    words = "1 texts of more than 2 tokens cut, 2 texts of which letters cleaning leaves nothing left out"
    assert made.describe().endswith(words)
    assert made.empty_texts == 2


@pytest.mark.parametrize("options", [{"batch_size": 16}, {"batch_tokens": 60}], ids=str)
def test_batches_are_a_function_of_seed_epoch_and_index(rows: str, options: dict[str, Any]) -> None:
    def read(seed: int, epochs: tuple[int, ...]) -> list[list[int]]:
        batches = LabelledData(rows, seed=seed, **options).train_batches(Shard())
        return [items(batches.batch(epoch, index)) for epoch in epochs for index in range(len(batches))]

    assert read(1, (0, 1)) == read(1, (0,)) + read(1, (1,))
    assert read(1, (0,)) != read(2, (0,))
    assert read(1, (0,)) != read(1, (1,))
    assert sorted(row for batch in read(1, (0,)) for row in batch) == list(range(72))


def test_sorted_labels_are_mixed_in_every_batch(rows: str) -> None:
    made = LabelledData(rows, batch_size=24)
    batches = made.train_batches(Shard())
    assert all(0 < batches.batch(0, index).labels.float().mean() < 1 for index in range(len(batches)))


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_every_batch(rows: str, world: int) -> None:
    made = LabelledData(rows, batch_size=16)
    whole, parts = made.train_batches(Shard()), [made.train_batches(Shard(rank, world)) for rank in range(world)]
    assert {len(part) for part in parts} == {len(whole)}
    for index in range(len(whole)):
        shared = [item for part in parts for item in items(part.batch(2, index))]
        assert sorted(shared) == sorted(items(whole.batch(2, index)))


def test_evaluation_counts_every_text_once(rows: str) -> None:
    texts = LabelledData(rows, **WHOLE).encoded("train")
    for world in (1, 4):
        parts = [EvaluationTexts(texts, 16, Shard(rank, world)) for rank in range(world)]
        read = [items(part.batch(0, index)) for part in parts for index in range(len(part))]
        assert sorted(row for batch in read for row in batch) == list(range(90))
        assert len({len(part) for part in parts}) == 1


def test_a_loader_goes_on_within_an_epoch(rows: str) -> None:
    made = LabelledData(rows, batch_size=10)
    loader, other = Loader(made.train_batches(Shard())), Loader(made.train_batches(Shard()))
    first = iter(loader)
    read = [items(next(first)) for _ in range(3)]
    other.load_state_dict(loader.state_dict())
    assert read + [items(batch) for batch in other] == [items(batch) for batch in Loader(loader.batches)]


@pytest.mark.parametrize(
    "options", [{"tokens": "char"}, {"tokens": "bpe", "num_subwords": 300}, {"min_freq": 0}], ids=str
)
def test_options_of_the_codec_change_it(rows: str, options: dict[str, Any]) -> None:
    made, plain = LabelledData(rows, **options), LabelledData(rows)
    assert made.codecs["text"].vocab_size != plain.codecs["text"].vocab_size
    assert int(made.encoded("val").sentences.lengths.min()) >= 1


WRONG_FILES: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "no columns": (
        "a.txt",
        "one\ntwo\n",
        {},
        "a.txt has one column, and a text and a label take two; separate them as its format does, or say another "
        "--data.format",
    ),
    "unequal": (
        "a.tsv",
        "a\tx\nb\ty\tz\n",
        {},
        "a.tsv, line 2 has 3 columns, not 2 as the first; mend the line, or say another --data.format",
    ),
    "which": (
        "a.tsv",
        "a\tx\t1\n",
        {},
        "a.tsv has 3 columns; say which hold the text and the label with --data.text_column and --data.label_column",
    ),
    "no name": (
        "a.csv",
        "text,label\na,x\n",
        {"label_column": "lable"},
        "a.csv has no column 'lable' for label_column; did you mean 'label'?",
    ),
    "no number": (
        "a.tsv",
        "a\tx\n",
        {"text_column": 3},
        "text_column 3 is none of the 2 columns of a.tsv; give 1 to 2",
    ),
    "same": (
        "a.tsv",
        "a\tx\n",
        {"text_column": 1, "label_column": 1},
        "text_column, second_text_column and label_column must be different columns of a.tsv; two are the same",
    ),
    "no label": (
        "a.tsv",
        "a\tx\nb\t \n",
        {"label_column": 2},
        "a.tsv, line 2 has no label; give every text one, or leave the line out",
    ),
    "nothing": ("a.tsv", "\n\n", {}, "a.tsv holds no labelled text; give a file with a text and a label on each line"),
    "header alone": (
        "a.csv",
        "text,label\n",
        {},
        "a.csv holds no labelled text; give a file with a text and a label on each line",
    ),
    "ending": (
        "a.dat",
        "a\tx\n",
        {},
        "the ending of a.dat says no format; give --data.format tsv, csv, jsonl, label_first or fasttext",
    ),
    "quotes": ("a.csv", 'x,"a\n', {}, "a.csv, line 1 is not CSV: unexpected end of data; mend its quotes"),
    "no JSON": (
        "a.jsonl",
        "{\n",
        {},
        "a.jsonl is not JSON, an object a line: expecting property name enclosed in double quotes: line 1 column 2 "
        "(char 1); mend or remove it",
    ),
    "no object": (
        "a.jsonl",
        "3\n",
        {},
        "a.jsonl, line 1 is not a JSON object; give one with a text and a label a line",
    ),
    "no key": (
        "a.jsonl",
        '{"text": "a", "label": "x"}\n\n{"text": "b"}\n',
        {},
        "a.jsonl, line 3 has no 'label'; give it, or leave the line out",
    ),
    "null": (
        "a.jsonl",
        '{"text": "a", "label": null}\n',
        {},
        "a.jsonl, line 1 has no label; give every text one, or leave the line out",
    ),
    "several": (
        "a.jsonl",
        '{"text": "a", "label": ["x", "y"]}\n',
        {},
        "a.jsonl, line 1 has 2 labels, not one; give --data.multilabel_separator to learn several",
    ),
    "fasttext": (
        "a.txt",
        "__label__x a\nb\n",
        {},
        "a.txt, line 2 does not begin with __label__; give every line its label, or another --data.format",
    ),
    "fasttext several": (
        "a.txt",
        "__label__x __label__y a\n",
        {},
        "a.txt, line 1 has 2 labels, not one; give --data.multilabel_separator to learn several",
    ),
    "fasttext none": (
        "a.txt",
        "__label__ a\n",
        {},
        "a.txt, line 1 has __label__ without a label behind it; give every text a label",
    ),
    "encoding": (
        "a.tsv",
        b"a\xff\tx\n",
        {"encoding": "ascii"},
        "a.tsv is not ascii text: 'ascii' codec can't decode byte 0xff in position 1: ordinal not in range(128); give "
        "its --data.encoding",
    ),
    "no encoding": (
        "a.tsv",
        "a\tx\n",
        {"encoding": "klingon"},
        "unknown encoding 'klingon'; give a name such as utf-8, latin-1 or cp1252",
    ),
    "one class": (
        "a.tsv",
        "a\tx\nb\tx\n",
        WHOLE,
        "all texts to train on have the label 'x'; give texts of at least two classes, or another --data.label_column",
    ),
    "only <unk>": (
        "a.tsv",
        "a\tx\nb\ty\n",
        {**WHOLE, "min_freq": 9},
        "all tokens of 'a' are <unk>; lower --data.min_freq 9",
    ),
    "no words": (
        "a.tsv",
        "1\tx\n2\ty\n",
        {"cleaning": "letters", "label_column": 2},
        "no text is left to train on; give more texts, or lower --data.val_fraction",
    ),
    "folds": ("a.tsv", "a\tx\nb\ty\n", {"folds": 3}, "folds 3 are more than the 2 different texts; give fewer"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_file_that_holds_no_labelled_texts(case: str, here: Path) -> None:
    name, content, options, words = WRONG_FILES[case]
    (here / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as caught:
        LabelledData(name, **options)
    assert str(caught.value) == words


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"^cannot read gone.tsv: no such file or directory$"):
        LabelledData("gone.tsv")
    with pytest.raises(
        UserError, match=r"^--data labelled needs labelled texts to train on; name a file with --data.path$"
    ):
        LabelledData()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batch_size": 0}, "batch_size 0 must be a whole number of at least 1"),
        ({"batch_tokens": 0}, "batch_tokens 0 must be a whole number of at least 1"),
        ({"max_length": 0}, "max_length 0 must be a whole number of at least 1"),
        ({"cleaning": "spacd"}, "unknown cleaning 'spacd'; did you mean 'spaced'?"),
        ({"tokens": "wrd"}, "unknown tokens 'wrd'; did you mean 'word'?"),
        ({"format": "cvs"}, "unknown format 'cvs': did you mean 'csv'?"),
        ({"val_fraction": 0.9}, "val_fraction 0.9 and test_fraction 0.1 must be at least 0 and sum below 1"),
        ({"test_fraction": -0.1}, "val_fraction 0.1 and test_fraction -0.1 must be at least 0 and sum below 1"),
        ({"folds": 1}, "folds 1 must be a whole number of at least 2, or left out"),
        ({"folds": 5, "fold": 5}, "fold 5 is none of the folds; choose one of 0 to 4"),
        ({"fold": 1}, "fold 1 is none of the folds; give --data.folds too"),
        (
            {"folds": 5, "test_path": "held.tsv"},
            "folds 5 cut the test part and test_path names one; leave one of the two out",
        ),
        ({"multilabel_separator": ""}, "multilabel_separator '' must be at least one character, or left out"),
    ],
    ids=str,
)
def test_wrong_options(rows: str, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        LabelledData(rows, **wrong)


def test_a_part_without_texts(rows: str) -> None:
    words = "^the corpus 'rows' has no test part; give --data.test_fraction or --data.test_path$"
    with pytest.raises(UserError, match=words):
        LabelledData(rows, test_fraction=0).test_dataloader()


def test_several_files_make_one_part(write: Write) -> None:
    first, second = write("good\tx\nbad\ty\n"), write('text,label\n"so, so",x\n', "more.csv")
    made = LabelledData([first, write("fine\tx\n", "more.tsv")], **WHOLE)
    assert made.texts("train") == ["good", "bad", "fine"]
    assert LabelledData([first, second], **WHOLE).texts("train") == ["good", "bad", "so, so"]


@pytest.mark.parametrize("name", ["labelled", "rt_polarity", "trec"])
def test_a_command_line_takes_the_options(name: str) -> None:
    kind = DATA[name]
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, "data", skip={"seed", "codecs"}, instantiate=False)
    options = {action.dest for action in parser._actions}
    assert {"data.batch_size", "data.max_length", "data.val_fraction"} <= options
    assert not {f"data.{option}" for option in kind.answered} & options
    if name == "labelled":
        given = parser.parse_args(["--data.path=[a,b]", "--data.label_column=2", "--data.text_column=review"])
        assert (given.data.path, given.data.label_column, given.data.text_column) == (["a", "b"], 2, "review")

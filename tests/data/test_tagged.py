import bz2
import gzip
import lzma
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab.data.loader import Shard
from seqlab.data.tagged import TaggedData
from seqlab.data.tagged_batches import TaggedSentences, pieces_of
from seqlab.data.tagged_files import TaggedLayout, as_conll, read_tagged
from seqlab.errors import UserError

NAMES = "# a comment\nTom\tB-person\nRay\tI-person\nran\tO\n\n\t\n-DOCSTART-\tO\n\n#\tO\n#tea\tB-product\n"
CONLLU = """# sent_id = 1
# text = dunno it
1-2\tdunno\t_\t_\t_\t_\t_\t_\t_\t_
1\tdu\tdo\tAUX\tVBP\tMood=Ind\t2\taux\t_\t_
2\tnno\tknow\tVERB\tVB\t_\t0\troot\t_\t_
2.1\tgone\t_\tVERB\t_\t_\t_\t_\t_\t_
3\tit\tit\tPRON\tPRP\tCase=Acc|Number=Sing\t2\tobj\t_\t_

1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
"""


def file(folder: Path, text: str, name: str = "words.conll") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def data(path: Path, **options: Any) -> TaggedData:
    return TaggedData(str(path), **{"val_fraction": 0.0, "test_fraction": 0.0, **options})


@pytest.mark.parametrize("pack", [gzip, bz2, lzma])
def test_the_format_is_that_of_what_is_compressed(tmp_path: Path, pack: Any) -> None:
    ending = {gzip: "gz", bz2: "bz2", lzma: "xz"}[pack]
    words = "".join(f"{number}\tword{number}\t_\t{tag}" + "\t_" * 6 + "\n" for number, tag in enumerate("XY", 1))
    path = tmp_path / f"words.conllu.{ending}"
    path.write_bytes(pack.compress(words.encode()))
    made = TaggedData(str(path), val_fraction=0, test_fraction=0)
    assert made.tags("train") == [["X", "Y"]]


@pytest.mark.parametrize("name", ["words.conll", "words.txt", "words.tsv.gz"])
def test_columns(tmp_path: Path, name: str) -> None:
    rows = read_tagged([file(tmp_path, NAMES, name)], TaggedLayout())
    assert rows.words == [["Tom", "Ray", "ran"], ["#", "#tea"]]
    assert rows.tags == [["B-person", "I-person", "O"], ["O", "B-product"]]


@pytest.mark.parametrize(
    ("word", "tag", "tags"),
    [(None, None, ["I-NP"]), (1, 2, ["NNP"]), ("1", "-2", ["I-NP"]), (2, 1, ["Tom"])],
)
def test_any_column_by_number(tmp_path: Path, word: Any, tag: Any, tags: list[str]) -> None:
    path = file(tmp_path, "Tom NNP I-NP\n") if tag != "-2" else file(tmp_path, "Tom I-NP x\n")
    assert read_tagged([path], TaggedLayout(word=word, tag=tag)).tags == [tags]


@pytest.mark.parametrize("head", ["# global.columns = FORM UPOS NER\n", "form upos ner\n"])
def test_any_column_by_name(tmp_path: Path, head: str) -> None:
    path = file(tmp_path, f"{head}Tom PROPN B-x\nran VERB O\n")
    rows = read_tagged([path], TaggedLayout(word="form", tag="NER"))
    assert (rows.words, rows.tags) == ([["Tom", "ran"]], [["B-x", "O"]])


@pytest.mark.parametrize(
    ("tag", "tags"),
    [
        (None, ["AUX", "VERB", "PRON"]),
        ("xpos", ["VBP", "VB", "PRP"]),
        ("feats", ["Mood=Ind", "_", "Case=Acc|Number=Sing"]),
        ("deprel", ["aux", "root", "obj"]),
        (4, ["AUX", "VERB", "PRON"]),
    ],
)
def test_conllu_has_words_but_no_multiword_tokens_and_no_empty_nodes(tmp_path: Path, tag: Any, tags: list[str]) -> None:
    rows = read_tagged([file(tmp_path, CONLLU, "a.conllu")], TaggedLayout(tag=tag))
    assert rows.words == [["du", "nno", "it"], ["Go"]]
    assert rows.tags[0] == tags


@pytest.mark.parametrize(
    ("text", "layout", "message"),
    [
        ("Tom x\nRay\nIda y\n", {}, "words.conll, line 2 has 1 columns, not 2 as the others; mend or remove it"),
        ("Tom\nRay\n", {}, "words.conll has one column, and a word and its tag take two"),
        ("\n\n", {}, "words.conll holds no tagged sentence"),
        ("Tom x\n", {"tag": 3}, "tag_column 3 is none of the 2 columns of"),
        ("form pos\nTom x\n", {"tag": "ner"}, "has no column 'ner' for tag_column"),
        ("Tom x\n", {"format": "conllu"}, "line 1 has 1 columns between tabs, not the 10 of CoNLL-U"),
    ],
)
def test_what_a_file_lacks_is_said(tmp_path: Path, text: str, layout: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_tagged([file(tmp_path, text)], TaggedLayout(**layout))
    assert message in str(caught.value)


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "iobes", "bilou"])
def test_schemes_are_found_converted_and_written_back(tmp_path: Path, scheme: str) -> None:
    path = file(tmp_path, "a B-x\nb I-x\nc B-x\nd O\ne B-y\n")
    made = data(path, scheme=scheme)
    assert (made.file_scheme, made.scheme, made.labels.scheme) == ("iob2", scheme, scheme)
    written = "".join(
        as_conll(words, tags) for words, tags in zip(made.words("train"), made.tags("train"), strict=True)
    )
    again = data(file(tmp_path, written, "again.conll"), scheme="iob2", file_scheme=scheme)
    assert again.tags("train") == [["B-x", "I-x", "B-x", "O", "B-y"]]
    assert "does not allow" not in again.describe()


def test_violations_are_counted_and_said(tmp_path: Path) -> None:
    made = data(file(tmp_path, "a O\nb I-x\nc O\n\nd B-x\ne I-y\n"), file_scheme="iob2")
    assert "2 tags that iob2 does not allow where they stand, read as conlleval does" in str(made)
    assert made.tags("train") == [["O", "B-x", "O"], ["B-x", "B-y"]]


def test_parts_of_speech_mark_no_spans(tmp_path: Path) -> None:
    made = data(file(tmp_path, CONLLU, "a.conllu"))
    assert made.labels.names == ("AUX", "PRON", "VERB")
    assert made.scheme is None
    with pytest.raises(UserError, match="scheme iobes is for tags that mark spans, such as B-person"):
        data(file(tmp_path, CONLLU, "a.conllu"), scheme="iobes")


def test_a_batch(tmp_path: Path) -> None:
    made = data(file(tmp_path, "To A\nbe B\nor C\nto A\nbe B\n\nBe B\n"), cleaning="lower", max_characters=2)
    batch = made.train_batches(Shard()).batch(0, 0)
    order = batch.lengths.argsort(descending=True)
    words = made.codecs["text"].vocab  # type: ignore[union-attr]
    assert words.tokens(batch.ids[order].tolist()) == [
        ["to", "be", "or", "to", "be"],
        ["be", *["<pad>"] * 4],
    ]
    assert batch.tags[order].tolist() == [[0, 1, 2, 0, 1], [1, -1, -1, -1, -1]]
    assert batch.casing[order][0].tolist() == [2, 1, 1, 1, 1]
    characters = made.codecs["characters"].vocab  # type: ignore[union-attr]
    spelled = ["".join(characters.tokens(row)) for row in batch.spellings[batch.places[order][0]].tolist()]
    assert spelled == ["To", "be", "or", "to", "be"]
    assert len(batch.spellings) == 5, "each different word once"
    assert batch.spelling_lengths.tolist() == [2] * 5


def test_the_middle_of_a_long_word_is_left_out(tmp_path: Path) -> None:
    made = data(file(tmp_path, "abcdefgh A\nx B\n"), max_characters=5)
    batch = made.train_batches(Shard()).batch(0, 0)
    vocab = made.codecs["characters"].vocab  # type: ignore[union-attr]
    assert "abfgh" in ["".join(vocab.tokens(row)) for row in batch.spellings.tolist()]


def test_long_sentences_are_cut_into_parts_of_one_length_and_their_spans_with_them(tmp_path: Path) -> None:
    path = file(tmp_path, "a O\nb B-x\nc I-x\nd I-x\ne O\n\nf O\n")
    made = data(path, max_length=3)
    assert [*pieces_of(0, "abcde", made.codecs["text"])] == [(0, 0, 2), (0, 2, 5)]  # type: ignore[arg-type]
    assert "1 sentences of more than 3 words cut into parts" in made.describe()
    encoded = made.encoded("train")
    batch = encoded.batch(torch.arange(3).numpy())
    names = made.labels.names
    rows = [[names[tag] for tag in row if tag >= 0] for row in batch.tags.tolist()]
    assert rows == [["O", "B-x"], ["B-x", "I-x", "O"], ["O"]]
    assert [piece.sentence for piece in encoded.pieces] == [0, 0, 1]


def test_a_batch_is_bounded_by_words(tmp_path: Path) -> None:
    text = "\n".join("w A\n" * (1 + n % 7) for n in range(60)) + "\nv B\n"
    made = data(file(tmp_path, text), batch_tokens=21)
    batches = made.train_batches(Shard())
    sizes = [batches.batch(0, index).ids.numel() for index in range(len(batches))]
    assert max(sizes) <= 21
    seen = [item for index in range(len(batches)) for item in batches.batch(0, index).items.tolist()]
    assert sorted(seen) == [*range(61)]


def test_equal_sentences_fall_into_one_part_and_unseen_tags_are_said(tmp_path: Path) -> None:
    text = "\n".join(f"w{n % 10} A\nx B\n" for n in range(40))
    made = TaggedData(str(file(tmp_path, text)), val_fraction=0.3, test_fraction=0.3)
    parts = [{*map(tuple, made.words(split))} for split in ("train", "val", "test")]
    assert sum(map(len, parts)) == 10
    other = data(file(tmp_path, text), val_path=str(file(tmp_path, "a C\nb A\n", "v.conll")))
    assert "1 of the val words with a tag that training lacks" in other.describe()


def test_raw_words_are_spelled_for_a_prediction(tmp_path: Path) -> None:
    made = data(file(tmp_path, "a A\nb B\n"))
    sentences = TaggedSentences([["b", "z"], []], made.codecs)
    assert len(sentences) == 1
    batch = sentences.batch(torch.tensor([0]).numpy())
    assert batch.ids.tolist() == [[made.codecs["text"].vocab["b"], 0]]  # type: ignore[union-attr]
    assert batch.tags.tolist() == [[-1, -1]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": "iob"}, "unknown scheme 'iob': did you mean"),
        ({"tokenizer": "bpe"}, "unknown tokenizer 'bpe'"),
        ({"cleaning": "spaced"}, "unknown cleaning 'spaced'"),
        ({"max_length": 0}, "max_length 0 must be a whole number of at least 1"),
        ({"format": "conl"}, "unknown format 'conl': did you mean 'conll'?"),
        ({"fold": 1}, "fold 1 is none of the folds"),
        ({"min_freq": 9}, "all words of 'words' are <unk>; lower --data.min_freq 9"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        data(file(tmp_path, NAMES), **options)
    assert message in str(caught.value)


def test_one_tag_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="all words to train on have the tag 'A'"):
        data(file(tmp_path, "a A\nb A\n"))

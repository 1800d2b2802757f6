import bz2
import gzip
import lzma
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from seqlab.data.loader import Shard
from seqlab.data.parallel import SAMPLE, FraEng, ParallelData
from seqlab.errors import UserError
from seqlab.text.clean import spaced

LINES = [f"Sentence {number % 40}, go!\tPhrase {number}, va\u202f!" for number in range(60)]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    return path


def data(path: Path, **options: Any) -> ParallelData:
    given = {"batch_size": 4, "min_freq": 1, "val_fraction": 0.2, "test_fraction": 0.2, **options}
    return ParallelData(str(path), **given)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Go.", "go ."),
        ("Va\u202f!", "va !"),
        ("Qui\xa0?", "qui ?"),
        ("No, I won't!", "no , i won't !"),
        ("Wait...\r\n", "wait . . .\n"),
        ("is . spaced", "is . spaced"),
    ],
)
def test_the_books_preprocessing(text: str, expected: str) -> None:
    assert spaced(text) == expected


def test_no_source_falls_on_both_sides_of_a_split(pairs: Path) -> None:
    made = data(pairs)
    parts = [{spaced(source) for source, _ in made.pairs(split)} for split in ("train", "val", "test")]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 40
    assert sum(len(made.pairs(split)) for split in ("train", "val", "test")) == 60


def test_a_split_does_not_depend_on_what_else_there_is(pairs: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.tsv"
    half.write_text("\n".join(LINES[::2]), encoding="utf-8")
    for split in ("val", "test"):
        whole = {source for source, _ in data(pairs).pairs(split)}
        assert {source for source, _ in data(half).pairs(split)} <= whole


def test_vocabularies_know_the_training_part_alone(pairs: Path) -> None:
    made = data(pairs, min_freq=2)
    for side, codec in enumerate((made.source_codec, made.target_codec)):
        assert codec.vocab.tokens([0, 1, 2, 3]) == ["<unk>", "<pad>", "<bos>", "<eos>"]
        counts = Counter(word for pair in made.pairs("train") for word in spaced(pair[side]).split())
        assert codec.vocab_size == 4 + sum(count >= 2 for count in counts.values())


def test_a_shared_vocabulary_is_one(pairs: Path) -> None:
    made = data(pairs, shared_vocab=True)
    assert made.source_codec is made.target_codec
    assert "sentence" in made.source_codec.vocab
    assert "phrase" in made.source_codec.vocab


@pytest.mark.parametrize(
    "options", [{}, {"tokens": "bpe", "cleaning": "raw", "num_subwords": 90}, {"tokens": "char"}], ids=str
)
def test_what_is_encoded_can_be_read_again(pairs: Path, options: dict[str, Any]) -> None:
    made = data(pairs, **options)
    source, _ = made.pairs("train")[0]
    decoded = made.source_codec.decode(made.source_codec.encode(source))
    assert re.sub(r"\s", "", decoded.lower()) == re.sub(r"\s", "", source.lower())


def test_reverse_swaps_the_languages(pairs: Path) -> None:
    forward, backward = data(pairs, val_fraction=0, test_fraction=0), None
    backward = data(pairs, val_fraction=0, test_fraction=0, reverse=True)
    assert [(target, source) for source, target in forward.pairs("train")] == backward.pairs("train")


def test_max_pairs_reads_the_first(pairs: Path) -> None:
    made = data(pairs, max_pairs=7, val_fraction=0, test_fraction=0)
    assert [source for source, _ in made.pairs("train")] == [f"Sentence {number}, go!" for number in range(7)]


def test_long_pairs_are_left_out_or_cut(pairs: Path) -> None:
    with pairs.open("a", encoding="utf-8") as file:
        file.write("one two three four five six seven\tun deux\nshort\tun deux trois quatre cinq six sept\n")
    options = {"max_length": 5, "val_fraction": 0, "test_fraction": 0}
    dropped, cut = data(pairs, **options), data(pairs, too_long="truncate", **options)
    assert dropped.describe().startswith("60 pairs to train on, ")
    assert dropped.describe().endswith(", 2 pairs of more than 5 tokens left out")
    assert cut.describe().startswith("62 pairs to train on, ")
    assert cut.describe().endswith(", 2 pairs of more than 5 tokens cut")
    encoded = cut.encoded("train")
    assert int(encoded.sources.lengths.max()) == int(encoded.targets.lengths.max()) == 5


def test_two_files_and_gzip_are_the_same_pairs(pairs: Path, tmp_path: Path) -> None:
    expected = data(pairs).pairs("train")
    columns = [line.split("\t") for line in LINES]
    for column, name in enumerate(("en", "fr")):
        text = "".join(f"{row[column]}\n" for row in columns)
        (tmp_path / f"corpus.{name}.gz").write_bytes(gzip.compress(text.encode()))
    files = {"source_path": str(tmp_path / "corpus.en.gz"), "target_path": str(tmp_path / "corpus.fr.gz")}
    made = ParallelData(**files, val_fraction=0.2, test_fraction=0.2)  # type: ignore[arg-type]
    assert made.pairs("train") == expected
    assert made.corpus_name == "corpus"


def test_files_of_their_own_to_validate_on(pairs: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.tsv"
    held.write_text("Sentence 3, go!\tPhrase trois\nAnother one\tUn autre\n", encoding="utf-8")
    made = data(pairs, val_path=str(held))
    assert len(made.pairs("val")) == 2
    assert not made.pairs("test")
    assert len(made.pairs("train")) == 58  # without the two pairs whose source is held out


def test_files_may_lie_in_the_home_folder(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "held.tsv").write_text("Another one\tUn autre\n")
    (tmp_path / "en").write_text("One more\n")
    (tmp_path / "fr").write_text("Encore un\n")
    made = data(Path("~/pairs.tsv"), val_path="~/held.tsv", test_path=["~/en", "~/fr"])
    assert made.pairs("val") == [("Another one", "Un autre")]
    assert made.pairs("test") == [("One more", "Encore un")]
    assert len(made.pairs("train")) == 60


def test_two_files_to_validate_on_and_to_test_on(pairs: Path, tmp_path: Path) -> None:
    texts = {"val.en": "Sentence 3, go!\nA b\u2028c\n", "val.fr": "Phrase trois\nD", "test.en": "E\n", "test.fr": "F\n"}
    for name, text in texts.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    val, test = ([str(tmp_path / f"{part}.{side}.gz") for side in ("en", "fr")] for part in ("val", "test"))
    made = data(pairs, val_path=val, test_path=test)
    assert made.pairs("val") == [("Sentence 3, go!", "Phrase trois"), ("A b\u2028c", "D")]
    assert made.pairs("test") == [("E", "F")]
    assert len(made.pairs("train")) == 58
    assert data(pairs, val_path=val, reverse=True).pairs("val")[0] == ("Phrase trois", "Sentence 3, go!")
    recipe = {name: value for name, value in made.recipe().items() if name != "name"}
    assert ParallelData(**recipe).pairs("val") == made.pairs("val")  # type: ignore[arg-type]


HELD_OUT = {
    "no file": (["gone"], "cannot read gone: no such file or directory"),
    "no second file": (["a", "gone"], "cannot read gone: no such file or directory"),
    "one of them": (["a"], "a, line 1 has no tab between a source and a target"),
    "lengths": (["a", "b"], "line 2 of a has none in b: a has 2 lines and b 1; give one target for every source"),
    "not UTF-8": (["a", "d"], "d, line 2 is not UTF-8 text; convert the file first"),
    "three files": (["a", "b", "c"], "val_path has 3 files; give one of pairs, or two as [SOURCES,TARGETS]"),
}


@pytest.mark.parametrize("case", HELD_OUT)
def test_held_out_files_that_hold_no_pairs(case: str, pairs: Path, here: Path) -> None:
    for name, content in {"a": b"one\ntwo\n", "b": b"un\n", "c": b"un\n\n", "d": b"un\n\xff\n"}.items():
        (here / name).write_bytes(content)
    files, words = HELD_OUT[case]
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        data(pairs, val_path=files)


def test_a_part_without_pairs(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "held.tsv").write_text("Another one\tUn autre\n")
    words = f"^the corpus '{tmp_path.name}' has no test part; give --data.test_fraction or --data.test_path$"
    with pytest.raises(UserError, match=words):
        data(pairs, val_path=str(tmp_path / "held.tsv")).test_dataloader()


def test_the_recipe_makes_it_again(pairs: Path) -> None:
    made = data(pairs, reverse=True)
    recipe = made.recipe()
    assert recipe.pop("name") == "parallel"
    again = ParallelData(**recipe, codecs=made.codecs)  # type: ignore[arg-type]
    assert again.pairs("test") == made.pairs("test")
    assert again.codecs == {"source": made.source_codec, "target": made.target_codec}


WRONG_LINES = {
    "no tab": (b"go\tva\njust this\n", "pairs.tsv, line 2 has no tab between a source and a target"),
    "no source": (b"\tva\n", "pairs.tsv holds no pair of sentences"),
    "not UTF-8": (b"go\tva\nrun\t\xff\n", "pairs.tsv, line 2 is not UTF-8 text; convert the file first"),
    "nothing": (b"\n\n", "pairs.tsv holds no pair of sentences"),
}


@pytest.mark.parametrize("name", WRONG_LINES)
def test_a_file_that_holds_no_pairs(name: str, tmp_path: Path) -> None:
    content, words = WRONG_LINES[name]
    (tmp_path / "pairs.tsv").write_bytes(content)
    with pytest.raises(UserError, match=f"{re.escape(words)}$"):
        data(tmp_path / "pairs.tsv")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot read .*gone.tsv: no such file or directory$"):
        data(tmp_path / "gone.tsv")
    (tmp_path / "cut.tsv.gz").write_bytes(gzip.compress(b"go\tva\n" * 50)[:-20])
    with pytest.raises(UserError, match=r"^cannot read .*cut.tsv.gz: "):
        data(tmp_path / "cut.tsv.gz")
    whole = gzip.compress(b"go\tva\n" * 5000)
    (tmp_path / "cut.tsv.gz").write_bytes(whole[:20] + b"\xff" * 20 + whole[40:])
    with pytest.raises(UserError, match=r"^cannot read .*cut.tsv.gz: "):
        data(tmp_path / "cut.tsv.gz")
    (tmp_path / "a").write_text("one\ntwo\n")
    (tmp_path / "b").write_text("un\n")
    with pytest.raises(UserError, match=r"a has 2 lines and .*b 1; give one target for every source$"):
        ParallelData(source_path=str(tmp_path / "a"), target_path=str(tmp_path / "b"))


PACKED = [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]


def aligned(folder: Path, sources: bytes, targets: bytes, **options: Any) -> ParallelData:
    (folder / "a").write_bytes(sources)
    (folder / "b").write_bytes(targets)
    files = {"source_path": str(folder / "a"), "target_path": str(folder / "b")}
    return ParallelData(**files, val_fraction=0, test_fraction=0, **options)  # type: ignore[arg-type]


def test_pairs_with_a_blank_side_are_left_out_and_counted(tmp_path: Path) -> None:
    made = aligned(tmp_path, b"one\n\nthree\nfour\n", b"un\ndeux\n \nquatre\n")
    assert made.pairs("train") == [("one", "un"), ("four", "quatre")]
    assert "2 pairs with a blank side left out" in str(made)
    (tmp_path / "pairs.tsv").write_text("go\tva\n\nrun\t \n")
    assert data(tmp_path / "pairs.tsv", val_fraction=0, test_fraction=0).blank_pairs == 1


def test_a_carriage_return_within_a_line_ends_none(tmp_path: Path) -> None:
    made = aligned(tmp_path, b"one\r\ntwo\r\nthree\r\n", b"un\ndeux\rsic\ntrois\n")
    assert made.pairs("train") == [("one", "un"), ("two", "deux\rsic"), ("three", "trois")]
    assert aligned(tmp_path, b"one\rtwo\r", b"un\ndeux").pairs("train") == [("one", "un"), ("two", "deux")]


def test_pairs_whose_source_is_held_out_are_counted(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "held.tsv").write_text("sentence 3, go!\tautre\n")
    assert "2 pairs whose source is held out left out" in str(data(pairs, val_path=str(tmp_path / "held.tsv")))


@pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_pairs_may_be_compressed(ending: str, compress: Any, tmp_path: Path) -> None:
    path = tmp_path / f"pairs.tsv{ending}"
    path.write_bytes(compress(b"go\tva\nrun\tcours\n"))
    assert data(path, val_fraction=0, test_fraction=0).pairs("train") == [("go", "va"), ("run", "cours")]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batch_size": 0}, "batch_size 0 must be a whole number of at least 1"),
        ({"max_length": 0}, "max_length 0 must be a whole number of at least 1"),
        ({"max_pairs": 0}, "max_pairs 0 must be a whole number of at least 1"),
        ({"too_long": "cut"}, "unknown too_long 'cut': choose one of drop, truncate"),
        ({"cleaning": "spacd"}, "unknown cleaning 'spacd'; did you mean 'spaced'?"),
        ({"tokens": "wrd"}, "unknown tokens 'wrd'; did you mean 'word'?"),
        ({"val_fraction": 0.9}, "val_fraction 0.9 and test_fraction 0.2 must be at least 0 and sum below 1"),
    ],
    ids=str,
)
def test_wrong_options(pairs: Path, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        data(pairs, **wrong)


def test_no_file_is_named() -> None:
    with pytest.raises(UserError, match=r"^--data parallel needs pairs; give --data.path, or"):
        ParallelData()


def test_the_bundled_sample() -> None:
    columns = [line.split("\t") for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    assert len(columns) >= 1000
    assert {len(row) for row in columns} == {2}
    assert len({source for source, _ in columns}) == len(columns)
    assert all(source[-1] in ".?!" and target[-1] in ".?!" for source, target in columns)


@pytest.mark.slow
def test_the_real_corpus(corpora: None) -> None:
    if "SEQLAB_DATA" not in os.environ:
        pytest.skip("the English-French corpus is not in ../shared/data")
    made = FraEng()
    sizes = [len(made.pairs(split)) for split in ("train", "val", "test")]
    assert sum(sizes) == 167_130
    assert sizes[1] == pytest.approx(0.02 * 167_130, rel=0.1)
    parts = [{spaced(source) for source, _ in made.pairs(split)} for split in ("train", "val", "test")]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]  # noqa: PT018
    batches = made.train_batches(Shard())
    padded = real = 0
    for index in range(0, len(batches), 20):
        batch = batches.batch(0, index)
        padded += batch.source.numel() + batch.targets.numel()
        real += int(batch.source_lengths.sum() + batch.valid.sum())
    assert 1 - real / padded < 0.1
    first = FraEng(max_pairs=600, val_fraction=0.0, test_fraction=0.0)
    assert (first.source_codec.vocab_size, first.target_codec.vocab_size) == (184, 201)


def test_the_sample_stands_in_loudly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from seqlab.data import named
    from seqlab.data.download import Unavailable

    def nothing(*_: object) -> Path:
        raise Unavailable("no network")

    monkeypatch.setattr(named, "fetch", nothing)
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    made = FraEng()
    assert made.corpus_name == "sample"
    assert "BUNDLED SAMPLE" in capsys.readouterr().err
    monkeypatch.setenv("SEQLAB_DATA", "/somewhere")
    with pytest.raises(Unavailable):
        FraEng()


def test_pairs_that_cleaning_empties_are_left_out(tmp_path: Path) -> None:
    lines = [f"{word} {number}.\t{word} {number}.\n" for number in range(9) for word in ("one", "1984", "two")]
    (tmp_path / "pairs.tsv").write_text("".join(lines))
    data = ParallelData(str(tmp_path / "pairs.tsv"), cleaning="letters", val_fraction=0, test_fraction=0)
    assert "18 pairs to train on" in data.describe()
    assert data.describe().endswith(", 9 pairs of which letters cleaning leaves nothing left out")
    assert ParallelData(str(tmp_path / "pairs.tsv"), val_fraction=0, test_fraction=0).emptied_pairs == 0


@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".xz"])
def test_the_language_is_that_of_what_is_compressed(pairs: Path, ending: str) -> None:
    data = ParallelData(str(pairs), val_fraction=0, test_fraction=0)
    assert data.language_of(f"folder/train.zh{ending}") == "zh"
    assert data.language_of(f"train{ending}") is None

import bz2
import gzip
import json
import lzma
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqlab.data import text_files as corpus_module
from seqlab.data.parts import Split
from seqlab.data.text_files import Corpus, Recipe, read_corpus
from seqlab.errors import UserError
from seqlab.text.codec import Codec
from seqlab.text.line_reader import read_lines

STORY = Path(__file__).parents[1] / "fixtures" / "story.txt"
PACKED = [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
RAW = Recipe(cleaning="raw", val_fraction=0.1, test_fraction=0.2)


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every corpus is a large one."""
    monkeypatch.setattr(corpus_module, "MEMORY_LIMIT", 0)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(tmp_path: Path, *train: Path, recipe: Recipe = RAW, codec: Codec | None = None, **more: Path) -> Corpus:
    files: dict[Split, list[Path]] = {"train": list(train)}
    for split in ("val", "test"):
        if split in more:
            files[split] = [more[split]]
    return read_corpus(files, recipe, tmp_path / "cache", codec)


def text_of(corpus: Corpus, split: Split) -> str:
    return corpus.codec.decode(corpus.parts[split].ids)


def test_cut_literal(tmp_path: Path) -> None:
    lines = [f"line {number}\n" for number in range(10)]
    corpus = read(tmp_path, write(tmp_path / "text", "".join(lines)))
    assert text_of(corpus, "train") == "".join(lines[:7])
    assert corpus.parts["train"].characters == corpus.parts["train"].ids.size == 49
    # only the training part is known to the vocabulary: 7, 8 and 9 are not
    assert text_of(corpus, "val") == "line <unk>\n"
    assert text_of(corpus, "test") == "line <unk>\nline <unk>\n"
    assert [corpus.parts[split].characters for split in ("val", "test")] == [7, 14]
    assert corpus.codec.vocab_size == 1 + len(set("line \n0123456"))


@pytest.mark.parametrize("cleaning", ["raw", "classic", "letters"])
@pytest.mark.parametrize(("val", "test"), [(0.05, 0.1), (0.3, 0.3), (0.0, 0.1), (0.1, 0.0), (0.0, 0.0), (0.01, 0.9)])
def test_parts_are_disjoint_in_order_and_whole(tmp_path: Path, cleaning: str, val: float, test: float) -> None:
    whole = read(tmp_path, STORY, recipe=Recipe(cleaning, val_fraction=0, test_fraction=0))
    corpus = read(tmp_path, STORY, recipe=Recipe(cleaning, val_fraction=val, test_fraction=test), codec=whole.codec)
    texts = [text_of(corpus, split) for split in ("train", "val", "test")]
    total = sum(map(len, texts))
    joined = "".join(texts)
    assert joined == text_of(whole, "train") if cleaning != "letters" else joined.split() == STORY_WORDS
    assert [part.characters for part in corpus.parts.values()] == list(map(len, texts))
    for text, share in zip(texts, (1 - val - test, val, test), strict=True):
        assert abs(len(text) - share * total) <= 80  # a line


STORY_WORDS = Codec.build(lambda: read_lines([STORY]), "letters").clean(STORY.read_text(encoding="utf-8")).split()


def test_a_character_of_the_test_part_alone_is_unknown(tmp_path: Path) -> None:
    corpus = read(tmp_path, STORY, recipe=Recipe("raw", val_fraction=0.05, test_fraction=0.05))
    assert "ë" in STORY.read_text(encoding="utf-8").splitlines()[-1]
    assert "ë" not in corpus.codec.vocab
    assert (corpus.parts["train"].ids == 0).sum() == 0
    assert text_of(corpus, "test").startswith("The dog slept")
    assert "\n<unk>o<unk>, the youngest" in text_of(corpus, "test")


def test_words_are_counted_in_the_training_part_alone(tmp_path: Path) -> None:
    text = write(tmp_path / "text", "a b a\n" * 8 + "c c c\n" * 2)
    corpus = read(tmp_path, text, recipe=Recipe("raw", "word", min_freq=9, val_fraction=0, test_fraction=0.2))
    assert corpus.codec.vocab.tokens([0, 1]) == ["<unk>", "a"]
    assert corpus.codec.vocab_size == 2
    assert corpus.parts["test"].ids.tolist() == [0] * 8


@pytest.mark.parametrize(("val", "test"), [(-0.1, 0.1), (0.1, -0.1), (0.5, 0.5), (1.0, 0.0), (0.0, 1.5)])
def test_fractions_must_leave_a_share_to_train_on(tmp_path: Path, val: float, test: float) -> None:
    words = rf"^val_fraction {val} and test_fraction {test} must be at least 0 and sum below 1$"
    with pytest.raises(UserError, match=words):
        read(tmp_path, STORY, recipe=Recipe(val_fraction=val, test_fraction=test))


def test_a_short_file_of_one_line_is_cut_inside_it(tmp_path: Path) -> None:
    corpus = read(tmp_path, write(tmp_path / "line", "no line end here"))
    assert [text_of(corpus, split) for split in ("train", "val")] == ["no line end", " <unk>"]
    assert len(corpus.parts["test"].ids) == 3


@pytest.mark.parametrize(("split", "rest"), [("val", "test"), ("test", "val")])
def test_a_part_that_is_empty_although_it_was_asked_for_is_refused(tmp_path: Path, split: str, rest: str) -> None:
    path, shares = write(tmp_path / "line", "tiny"), {f"{split}_fraction": 0.01, f"{rest}_fraction": 0}
    words = rf"^{split}_fraction 0.01 of 4 tokens leaves the {split} part empty; .* --data.{split}_fraction 0 to do"
    with pytest.raises(UserError, match=words):
        read(tmp_path, path, recipe=Recipe("raw", **shares))  # type: ignore[arg-type]
    words = r"^val_path .*empty leaves the val part empty; name files that hold tokens, or leave out --data.val_path$"
    with pytest.raises(UserError, match=words):
        read(tmp_path, path, val=write(tmp_path / "empty", ""))


def test_a_long_line_is_cut_by_the_fractions(tmp_path: Path) -> None:
    words = "".join(f"word{number} " for number in range(5000))
    corpus = read(
        tmp_path, write(tmp_path / "line", words), recipe=Recipe("letters", "word", val_fraction=0.1, test_fraction=0.2)
    )
    assert [len(corpus.parts[split].ids) for split in ("train", "val", "test")] == pytest.approx(
        [3500, 500, 1000], abs=20
    )
    assert sum(len(part.ids) for part in corpus.parts.values()) == 5000
    assert corpus.codec.vocab_size == 2


LONG = "Well, she's 3.5 m tall -- so “they” say; naïve. " * 400
ONE_LINE = {"english": LONG, "chinese": "他们说今天天气很好，我们走吧。" * 700, "mixed": f"{LONG}\nshort\n{LONG}"}


@pytest.mark.parametrize("tokens", ["char", "word", "space", "bpe", "wordpiece", "unigram"])
@pytest.mark.parametrize("cleaning", ["raw", "classic", "letters", "spaced"])
@pytest.mark.parametrize("text", ONE_LINE)
def test_how_a_text_is_read_in_pieces_changes_no_token(tmp_path: Path, text: str, cleaning: str, tokens: str) -> None:
    codec = Codec.build(lambda: iter([ONE_LINE[text][:2000]]), cleaning, tokens, vocab_size=300)
    recipe = Recipe(cleaning, tokens, val_fraction=0, test_fraction=0)
    corpus = read(tmp_path, write(tmp_path / "text", ONE_LINE[text]), recipe=recipe, codec=codec)
    whole = [*codec.encode_lines(ONE_LINE[text].splitlines(keepends=True))]
    assert corpus.parts["train"].ids.tolist() == [id_ for ids in whole for id_ in ids.tolist()]


@pytest.mark.parametrize(("cleaning", "text"), [("raw", "chinese"), ("classic", "english"), ("raw", "english")])
def test_a_long_line_is_cut_by_the_fractions_and_loses_nothing(tmp_path: Path, cleaning: str, text: str) -> None:
    path = write(tmp_path / "line", ONE_LINE[text])
    whole = read(tmp_path, path, recipe=Recipe(cleaning, val_fraction=0, test_fraction=0))
    corpus = read(tmp_path, path, recipe=Recipe(cleaning, val_fraction=0.05, test_fraction=0.1), codec=whole.codec)
    total = len(whole.parts["train"].ids)
    assert [corpus.parts[split].characters for split in ("train", "val", "test")] == pytest.approx(
        [0.85 * total, 0.05 * total, 0.1 * total], abs=2
    )
    assert "".join(text_of(corpus, split) for split in ("train", "val", "test")) == text_of(whole, "train")
    assert not corpus.at_line_ends


def test_it_is_said_that_parts_follow_the_shares_but_for_a_line(tmp_path: Path) -> None:
    assert read(tmp_path, STORY).at_line_ends
    assert not read(
        tmp_path, write(tmp_path / "text", "".join(f"line {number}\n" for number in range(10)))
    ).at_line_ends


@pytest.mark.parametrize(("ending", "compress"), PACKED)
def test_a_text_may_be_compressed(tmp_path: Path, ending: str, compress: Callable[[bytes], bytes]) -> None:
    plain = read(tmp_path, STORY)
    packed = read(tmp_path, write(tmp_path / f"story.txt{ending}", compress(STORY.read_bytes())))
    assert np.array_equal(packed.parts["train"].ids, plain.parts["train"].ids)
    with pytest.raises(UserError, match=r"^cannot read .*cut.*; name an existing text file with --data.path$"):
        read(tmp_path, write(tmp_path / f"cut{ending}", compress(STORY.read_bytes())[:-20]))


def test_several_files_are_one_text(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", "ab\ncd\n"), write(tmp_path / "two", "ef\n")
    recipe = Recipe("raw", val_fraction=0, test_fraction=0)
    assert text_of(read(tmp_path, one, two, recipe=recipe), "train") == "ab\ncd\nef\n"
    assert text_of(read(tmp_path, two, one, recipe=recipe), "train") == "ef\nab\ncd\n"


def test_files_of_their_own_for_the_parts(tmp_path: Path) -> None:
    train, val, test = (write(tmp_path / name, text) for name, text in {"a": "abc\n", "b": "cab\n", "c": "bad"}.items())
    corpus = read(tmp_path, train, val=val, test=test)
    assert [text_of(corpus, split) for split in ("train", "val", "test")] == ["abc\n", "cab\n", "ba<unk>"]
    assert set(read(tmp_path, train, test=test).parts) == {"train", "test"}


def test_missing_file(tmp_path: Path) -> None:
    words = rf"^cannot read {tmp_path}/none: no such file or directory; name an existing text file with --data.path$"
    with pytest.raises(UserError, match=words):
        read(tmp_path, STORY, tmp_path / "none")


def test_a_folder_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^cannot read {tmp_path}: is a folder; name an existing text file"):
        read(tmp_path, tmp_path)


@pytest.mark.parametrize("content", ["", "\n"])
def test_a_file_of_nothing(tmp_path: Path, content: str) -> None:
    corpus = read(tmp_path, write(tmp_path / "empty", content), recipe=Recipe("classic"))
    assert corpus.codec.vocab_size == 1
    assert {split: len(part.ids) for split, part in corpus.parts.items()} == {"train": 0, "val": 0, "test": 0}


@pytest.mark.usefixtures("mapped")
def test_a_mapped_file_of_nothing(tmp_path: Path) -> None:
    corpus = read(tmp_path, write(tmp_path / "blank", "\n"), recipe=Recipe("classic"))
    assert {split: len(part.ids) for split, part in corpus.parts.items()} == {"train": 0, "val": 0, "test": 0}


@pytest.mark.parametrize(
    "recipe", [RAW, Recipe("letters", "word"), Recipe("raw", "bpe", num_subwords=60)], ids=lambda r: r.tokens
)
def test_large_corpora_give_the_same_ids(tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = read(tmp_path, STORY, recipe=recipe)
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr(corpus_module, "MEMORY_LIMIT", 0)
    for _ in range(2):
        corpus = read(tmp_path, STORY, recipe=recipe)
        assert corpus.codec.state() == in_memory.codec.state()
        for split, part in in_memory.parts.items():
            assert isinstance(corpus.parts[split].ids, np.memmap)
            assert not isinstance(part.ids, np.memmap)
            assert corpus.parts[split].ids.dtype == part.ids.dtype == np.min_scalar_type(corpus.codec.vocab_size - 1)
            assert np.array_equal(corpus.parts[split].ids, part.ids)
            assert corpus.parts[split].characters == part.characters


def test_characters_take_a_byte_each_on_disk(tmp_path: Path, mapped: None) -> None:
    corpus = read(tmp_path, STORY)
    assert corpus.parts["train"].ids.dtype == np.uint8
    sizes = {path.stem: path.stat().st_size for path in (tmp_path / "cache").glob("*/*.ids")}
    assert sizes == {split: len(part.ids) for split, part in corpus.parts.items()}


def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Fills with a folder for each corpus that is encoded."""
    folders: list[Path] = []
    write_corpus: Callable[..., None] = corpus_module._write

    def count(folder: Path, *rest: Any) -> None:
        folders.append(folder)
        write_corpus(folder, *rest)

    monkeypatch.setattr(corpus_module, "_write", count)
    return folders


def test_a_large_corpus_is_encoded_once(tmp_path: Path, mapped: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made, path = builds(monkeypatch), write(tmp_path / "text", STORY.read_bytes())
    first = read(tmp_path, path)
    monkeypatch.setattr(Codec, "build", None)  # a second reading needs neither the text nor a codec of its own
    assert np.array_equal(read(tmp_path, path).parts["val"].ids, first.parts["val"].ids)
    assert len(made) == 1


def test_whatever_changes_the_ids_encodes_anew(tmp_path: Path, mapped: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made, path = builds(monkeypatch), write(tmp_path / "text", "some text\n" * 9)
    codec = read(tmp_path, path).codec
    read(tmp_path, path, recipe=Recipe("raw", val_fraction=0.2, test_fraction=0.2))
    read(tmp_path, path, recipe=Recipe("classic", val_fraction=0.1, test_fraction=0.2))
    read(tmp_path, path, codec=codec)
    read(tmp_path, path, path)
    read(tmp_path, path, val=path)
    assert len(set(made)) == len(made) == 6
    write(path, "SOME TEXT\n" * 9)
    os.utime(path, ns=(1, 1))
    assert text_of(read(tmp_path, path), "train").startswith("SOME TEXT\n")
    assert len(made) == 7


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, mapped: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(corpus_module, "_encode", full)
        words = rf"^cannot keep the encoded text in {tmp_path}/cache: no space left on device; .* XDG_CACHE_HOME$"
        with pytest.raises(UserError, match=words):
            read(tmp_path, STORY)
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} <= {".lock"}
    assert len(read(tmp_path, STORY).parts["train"].ids) > 1000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written(tmp_path: Path, mapped: None) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="^cannot keep the encoded text .* permission denied; name a folder"):
        read(tmp_path, STORY)


def read_slowly(tmp_path: Path, barrier: Any, answers: Any) -> None:
    """A process that notes each encoding, and takes its time over it."""
    corpus_module.MEMORY_LIMIT = 0
    encode = corpus_module._encode

    def slow(*arguments: Any) -> Any:
        with (tmp_path / "log").open("a") as log:
            log.write("encoded\n")
        time.sleep(0.1)
        return encode(*arguments)

    corpus_module._encode = slow  # type: ignore[assignment]
    barrier.wait(60)
    corpus = read(tmp_path, STORY)
    answers.put(json.dumps({split: part.ids.tolist() for split, part in corpus.parts.items()}))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="starts its processes by fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_two_processes_encode_once(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    barrier, answers = fork.Barrier(2), fork.Queue()
    processes = [fork.Process(target=read_slowly, args=(tmp_path, barrier, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    try:
        one, other = (answers.get(timeout=60) for _ in processes)
    finally:
        for process in processes:
            process.join(10)
            process.kill()
    assert one == other == json.dumps({s: part.ids.tolist() for s, part in read(tmp_path, STORY).parts.items()})
    assert (tmp_path / "log").read_text().splitlines() == ["encoded"] * 3


@pytest.mark.parametrize("begins", [False, True])
def test_an_empty_part_holds_no_line_end_either(tmp_path: Path, begins: bool) -> None:
    path = write(tmp_path / "line", "one line of text")
    ends = {"line_ends": True, "line_begins": begins}
    corpus = read(tmp_path, path, recipe=Recipe("raw", "word", val_fraction=0, test_fraction=0.5, **ends))
    assert [text_of(corpus, split) for split in ("train", "val")] == ["one line\n", ""]
    with pytest.raises(UserError, match="^test_fraction 0.01 of .* leaves the test part empty"):
        read(tmp_path, path, recipe=Recipe("raw", "word", val_fraction=0, test_fraction=0.01, **ends))


@pytest.mark.parametrize(("terminal", "large"), [(True, True), (True, False), (False, True)])
def test_a_bar_shows_how_far_a_large_text_is_read(
    terminal: bool, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(corpus_module, "BARRED", 1 if large else 10**6)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    text = "the café\n" * 100
    corpus = read(tmp_path, write(tmp_path / "a.txt", text))
    assert text_of(corpus, "train") == text[: len(corpus.parts["train"].ids)]
    shown = capsys.readouterr().err
    assert ("reading:" in shown) == (terminal and large)

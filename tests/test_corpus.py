from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seqlab
from seqlab.errors import UserError

Command = Callable[..., Any]


@pytest.fixture
def tiny(here: Path) -> list[str]:
    Path("tiny.txt").write_text("to be or not to be\nthat is to say\n")
    return ["--data", "text", "--data.path", "tiny.txt", "--data.tokens", "word"]


def test_a_tiny_text_by_hand(verb: Command, tiny: list[str]) -> None:
    code, out, err = verb("corpus", *tiny, "--data.cleaning", "letters", "--num_frequent", "2")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert "tokens          10 (word), 0 of them <unk>" in out  # to x3, be x2, or not that is say
    assert "vocabulary      7 distinct, 5 of them (71.4%) seen once" in out
    assert "most frequent   to 3  be 2\n" in out
    assert [row for row in rows if row and row[-1].endswith("%")] == [
        *(["1", "30.00%"], ["2", "50.00%"], ["5", "80.00%"], ["7", "100.00%"])
    ]
    assert ["1", "7", "5"] in [row[:3] for row in rows]
    assert ["2", "8", "7"] in [row[:3] for row in rows]  # "to be" twice


def test_all_of_the_text_is_counted(tiny: list[str]) -> None:
    whole = seqlab.corpus(data={"name": "text", "path": "tiny.txt", "cleaning": "raw", "tokens": "char"})
    assert len(whole.ids) == whole.characters == len(Path("tiny.txt").read_text())
    assert "'\\n' 2" in str(whole)


def test_rare_tokens_are_unknown(verb: Command, tiny: list[str]) -> None:
    out = verb("corpus", *tiny, "--data.min_freq", "2", "--data.cleaning", "letters").out
    assert "tokens          10 (word), 5 of them <unk>" in out


def test_a_text_of_one_token_has_no_law(verb: Command, here: Path) -> None:
    Path("a.txt").write_text("a")
    assert verb("corpus", "--data", "text", "--data.path", "a.txt").code == 2
    Path("a.txt").write_text("aa")
    assert "nan" in verb("corpus", "--data", "text", "--data.path", "a.txt").out


def test_the_figure(verb: Command, tiny: list[str]) -> None:
    out = verb("corpus", *tiny, "--output", "figures/of").out
    assert out.endswith("\nFigure: figures/of/zipf-tiny-word.png\n")
    assert Path("figures/of/zipf-tiny-word.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_made(refusal: Command, tiny: list[str]) -> None:
    assert refusal("corpus", *tiny, "--output", "tiny.txt").startswith("cannot write tiny.txt/zipf-tiny-word.png: ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--data.tokns word", "unknown option --data.tokns: did you mean '--data.tokens'?; --help_all lists them"),
        ("--data time_mahcine", "unknown data 'time_mahcine': did you mean 'time_machine'?"),
        ("--num_frequent 0", "--num_frequent 0 must be a whole number of at least 1"),
    ],
)
def test_refusals(refusal: Command, corpora: None, words: str, sentence: str) -> None:
    assert refusal("corpus", *words.split()) == sentence


@pytest.mark.parametrize("name", ["fra_eng", "parallel"])
def test_pairs_are_not_counted(name: str, refusal: Command) -> None:
    assert refusal("corpus", "--data", name).startswith(
        f"unknown data '{name}': choose one of five_sentences, ptb, text"
    )


def test_a_path_for_a_corpus_that_has_its_own() -> None:
    with pytest.raises(UserError, match="unknown option of the data 'path'"):
        seqlab.corpus(data={"path": "tiny.txt"})

import importlib
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import seqlab
from seqlab.data import named
from seqlab.data.download import Unavailable
from seqlab.metrics import bleu_book, corpus_bleu, corpus_chrf

Command = Callable[..., Any]
ELSEWHERE = "name a file in a folder that can be written"
FIT = (
    *("--model", "seq2seq", "--model.hidden_size", "32", "--model.embedding_size", "16", "--model.dropout", "0"),
    *("--trainer.accelerator", "cpu", "--optimizer.lr", "0.01", "--run", "toy"),
    *("--watch", "none", "--bar", "none", "--model.bleu_sentences", "0"),
)


@pytest.fixture(scope="module")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that learned to say English numbers in French."""
    root = tmp_path_factory.mktemp("numbers")
    english, french = ["one", "two", "three", "four", "five", "six"], ["un", "deux", "trois", "quatre", "cinq", "six"]
    lines = [f"{english[a]} {english[b]}.\t{french[a]} {french[b]}." for a in range(6) for b in range(6)]
    (root / "numbers.tsv").write_text("\n".join(lines), encoding="utf-8")
    data = ("--data", "parallel", "--data.path", "numbers.tsv", "--data.batch_size", "6", "--data.min_freq", "1")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        shares = ("--data.val_fraction", "0.15", "--data.test_fraction", "0.15", "--trainer.max_epochs", "40")
        assert importlib.import_module("seqlab.fit").main([*FIT, *data, *shares, "--patience", "null"]) == 0
    return root


@pytest.fixture
def ckpt(toy_run: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(toy_run)
    return "lightning_logs/toy/checkpoints/best.ckpt"


def test_sentences_on_the_command_line(ckpt: str, verb: Command) -> None:
    finished = verb("translate", ckpt, "one two.", "Six five .")
    assert (finished.code, finished.out, finished.err) == (0, "un deux.\nsix cinq.\n", "")
    assert seqlab.translate(ckpt, ["one two."], beam_size=1) == [["un deux."]]


def test_files_keep_their_order(ckpt: str, verb: Command, tmp_path: Path) -> None:
    lines = ["six one.", "one.", "two three.", "one two."]
    (tmp_path / "in.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    finished = verb("translate", ckpt, "--input", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out.txt"))
    assert (finished.code, finished.out) == (0, "")
    out = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    assert len(out) == 4
    assert (out[0], out[2], out[3]) == ("six un.", "deux trois.", "un deux.")


def test_a_file_that_cannot_be_written_leaves_nothing_beside_it(ckpt: str, verb: Command, tmp_path: Path) -> None:
    (tmp_path / "out" / "folder").mkdir(parents=True)
    finished = verb("translate", ckpt, "one.", "--output", str(tmp_path / "out" / "folder"))
    assert finished.code == 2
    assert finished.err == f"seqlab: cannot write {tmp_path / 'out' / 'folder'}: is a directory; {ELSEWHERE}\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["folder"]


def test_lines_of_stdin(ckpt: str, verb: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one two.\nfive six.\n")))
    assert verb("translate", ckpt).out == "un deux.\ncinq six.\n"


def test_several_translations_with_scores(ckpt: str, verb: Command) -> None:
    rows = [line.split("\t") for line in verb("translate", ckpt, "one two.", "--n_best", "3").out.splitlines()]
    assert [row[0] for row in rows] == ["1"] * 3
    scores = [float(row[1]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert rows[0][2] == "un deux."
    assert len({row[2] for row in rows}) == 3


def test_a_prefix_is_kept(ckpt: str, verb: Command) -> None:
    assert verb("translate", ckpt, "one two.", "--prefix", "quatre").out.startswith("quatre")


def test_attention_as_a_picture(ckpt: str, verb: Command, tmp_path: Path) -> None:
    assert verb("translate", ckpt, "one two.", "--attention", str(tmp_path / "a.png")).code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_says_bleu_by_length(ckpt: str, verb: Command) -> None:
    finished = verb("evaluate", ckpt, "--split", "val", "--beam_size", "2")
    assert finished.code == 0, finished.err
    rows = {line[:24].strip(): line[24:] for line in finished.out.splitlines()}
    assert rows["corpus"] == "numbers, val part"
    assert "nrefs:1|case:mixed" in rows["BLEU"]
    assert float(rows["perplexity"]) < 2
    assert rows["search"] == "beam of 2"
    assert "BLEU, 1 to 4 words" in rows
    found = seqlab.evaluate(ckpt, split="val", beam_size=1)
    assert found.perplexity == pytest.approx(float(rows["perplexity"]), abs=1e-3)


def test_two_files_of_pairs_train_validate_and_test(verb: Command, here: Path) -> None:
    for part, number in (("train", 8), ("val", 2), ("test", 3)):
        (here / f"{part}.en").write_text("".join(f"one {part} {n}\n" for n in range(number)))
        (here / f"{part}.fr").write_text("".join(f"un {n}\n" for n in range(number)))
    data = ["--data.source_path", "train.en", "--data.target_path", "train.fr", "--data.val_path", "[val.en,val.fr]"]
    data += ["--data.name_shown", "toy"]
    small = ["--model.hidden_size", "4", "--model.embedding_size", "4", "--data.batch_size", "4"]
    finished = verb("fit", "--model", "seq2seq", "--data", "parallel", *data, *small, "--trainer.max_epochs", "1")
    assert finished.code == 0, finished.err
    (name,) = (path.name for path in (here / "lightning_logs").iterdir())
    assert name.startswith("seq2seq-toy-hidden_size=4")
    assert f"on toy: 8 pairs to train on, 6 and 5 ids; run {name}\n" in finished.out
    checkpoint = str(here / "lightning_logs" / name / "checkpoints" / "best.ckpt")
    assert " 2 sentences, " in verb("evaluate", checkpoint, "--split", "val").out
    assert " 3 sentences, " in verb("evaluate", checkpoint, "--data.test_path", "[test.en,test.fr]").out


def test_a_model_of_the_other_direction_is_measured_in_it_on_other_pairs(
    verb: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: object) -> Path:
        raise Unavailable("no network")

    monkeypatch.setattr(named, "fetch", nowhere)
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    (here / "pairs.tsv").write_text("I am cold.\tJ'ai froid.\nRun!\tCours !\n")
    finished = verb("fit", "--data", "fra_eng", "--data.reverse", "true", "--model", "ibm1", "--run", "back")
    assert finished.code == 0, finished.err
    checkpoint = str(here / "lightning_logs" / "back" / "checkpoints" / "best.ckpt")
    report = seqlab.evaluate(checkpoint, data={"name": "parallel", "path": "pairs.tsv"}, items=True)
    assert {*report.items["source"]} == {"J'ai froid.", "Cours !"}


def test_it_goes_on_where_it_stopped(ckpt: str, verb: Command) -> None:
    finished = verb("fit", "--ckpt_path", "last", "--run", "toy", "--trainer.max_epochs", "41", "--patience", "null")
    assert finished.code == 0, finished.err
    assert "on numbers: " in finished.out + finished.err


MESSAGES = {
    "nothing to say": (["  "], "sentence 1 (' ') has nothing to translate; give it at least one word"),
    "beam": (["one.", "--beam_size", "0"], "--beam_size 0 must be a whole number of at least 1"),
    "n_best": (["one.", "--n_best", "9"], "--n_best 9 must be at most beam_size 5"),
    "two pictures": (["one.", "two.", "--attention", "a.png"], "--attention draws one sentence, not 2; give one"),
    "no such file": (["--input", "gone.txt"], "cannot read gone.txt: no such file or directory"),
    "nowhere to write": (
        ["one.", "--output", "no/where"],
        f"cannot write no/where: no such file or directory; {ELSEWHERE}",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_messages(case: str, ckpt: str, verb: Command) -> None:
    arguments, words = MESSAGES[case]
    finished = verb("translate", ckpt, *arguments)
    assert (finished.code, finished.out) == (2, "")
    assert finished.err == f"seqlab: {words}\n"


def test_verbs_refuse_each_others_models(ckpt: str, verb: Command, story_run: Path) -> None:
    refused = verb("translate", str(story_run / "checkpoints" / "best.ckpt"), "a").err
    able = "it can evaluate, predict, generate, inspect, export"
    assert f"holds a language model, which does not translate; {able}" in refused
    able = "it can evaluate, predict, translate, inspect, export"
    assert f"holds a translation model, which does not generate; {able}" in verb("generate", ckpt).err
    refused = verb("evaluate", ckpt, "--data", "time_machine").err
    assert refused == "seqlab: time_machine cannot be read here; choose one of fra_eng, parallel\n"


def test_models_refuse_data_of_the_other_kind(verb: Command, here: Path) -> None:
    for model, data in (("ngram", "fra_eng"), ("seq2seq", "time_machine"), ("ibm1", "text")):
        finished = verb("fit", "--model", model, "--data", data)
        assert finished.code == 2
        assert f"--model {model} does not read --data {data}" in finished.err
    assert not (here / "lightning_logs").exists()


def test_bleu_by_hand() -> None:
    assert bleu_book("va !", "va !") == 1.0
    assert bleu_book("il est paresseux .", "il est calme .") == pytest.approx((3 / 4) ** 0.5 * (1 / 3) ** 0.25)
    assert bleu_book("a b c", "a b c d e f") == pytest.approx(torch.tensor(-1.0).exp().item(), abs=1e-6)
    assert bleu_book("a", "a b") == 0.0
    same = ["the cat sat on the mat"]
    assert corpus_bleu(same, same).value == pytest.approx(100)
    assert corpus_chrf(same, same).value == pytest.approx(100)
    assert "version:" in corpus_bleu(same, same).signature


def test_lines_end_at_line_ends_alone(ckpt: str, verb: Command, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes("\ufeffone two.\r\nfive\u2028six.\r\n".encode())
    assert verb("translate", ckpt, "--input", str(tmp_path / "in.txt")).out == "un deux.\ncinq six.\n"


def test_a_prefix_longer_than_the_translation_may_be(ckpt: str, refusal: Command) -> None:
    said = refusal("translate", ckpt, "one two.", "--max_length", "1", "--prefix", "un deux")
    assert said == "the prefix has 2 tokens, but max_length 1; give a larger one"


def test_the_books_bleu_parts_words_from_punctuation(ckpt: str) -> None:
    assert seqlab.evaluate(ckpt, split="train", beam_size=1).bleu_book == pytest.approx(1.0)


def test_another_file_of_pairs_brings_its_own_held_out_pairs(ckpt: str, verb: Command, tmp_path: Path) -> None:
    pairs = [f"one {word}.\tun {wort}." for word, wort in (("two", "deux"), ("three", "trois"), ("six", "six"))]
    (tmp_path / "other.tsv").write_text("\n".join(pairs), encoding="utf-8")
    shares = ("--data.val_fraction", "0", "--data.test_fraction", "0", "--split", "train")
    for options, part in ((shares, "other, train part"), ((), "other, whole")):
        out = verb("evaluate", ckpt, "--data.path", str(tmp_path / "other.tsv"), *options).out
        assert part in out
        assert "3 sentences" in out


def test_a_blank_line_stays_one(ckpt: str, verb: Command, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one two.\n\n  \nsix five.\n")
    words = ("--input", str(tmp_path / "in.txt"))
    assert verb("translate", ckpt, *words).out == "un deux.\n\n\nsix cinq.\n"
    assert verb("predict", ckpt, *words).out == "un deux.\n\n\nsix cinq.\n"


def test_how_bleu_cuts_words_is_passed_on_and_in_the_signature(ckpt: str, verb: Command, refusal: Command) -> None:
    assert "tok:13a" in verb("evaluate", ckpt).out
    assert "tok:char" in verb("evaluate", ckpt, "--tokenize", "char").out
    assert refusal("evaluate", ckpt, "--tokenize", "chr").startswith("unknown tokenize 'chr': did you mean 'char'?")


def test_a_file_of_pairs_that_the_model_never_saw_is_scored_whole(ckpt: str, verb: Command, tmp_path: Path) -> None:
    long = " ".join(["one two"] * 30)
    pairs = [*(f"one {word}.\tun {word}." for word in ("two", "three", "six", "four")), f"{long}.\tun deux."]
    (tmp_path / "other.tsv").write_text("\n".join(pairs), encoding="utf-8")
    out = verb("evaluate", ckpt, "--data.path", str(tmp_path / "other.tsv"), "--beam_size", "1").out
    assert "other, whole" in out
    assert " 5 sentences, " in out


def test_sentences_below_one(ckpt: str, refusal: Command) -> None:
    assert refusal("evaluate", ckpt, "--sentences", "-1").startswith(
        "--sentences -1 must be a whole number of at least 1"
    )


def test_what_was_cut_is_said_wherever_something_is_translated(ckpt: str, verb: Command) -> None:
    room = "--max_length, or --length_factor and --length_addend, allow more tokens"
    finished = verb("translate", ckpt, "one two.", "six five.", "--max_length", "1", "--beam_size", "1")
    assert finished.err == f"seqlab: 2 of 2 answers were cut before their end; {room}\n"
    assert len(finished.out.splitlines()) == 2
    assert verb("translate", ckpt, "one two.", "--max_length", "3").err == ""
    finished = verb("predict", ckpt, "one two.", "--max_length", "1", "--beam_size", "1", "--format", "tsv")
    assert finished.out.endswith("\tfalse\n")
    assert finished.err == "seqlab: 1 of 1 answers were cut before their end; --help lists what bounds them\n"
    said = verb("evaluate", ckpt, "--split", "val", "--max_length", "1", "--beam_size", "1").out
    assert re.search(r"^cut {21}\d translations at their token limit; --length_factor and --length_addend", said, re.M)
    assert "cut" not in verb("evaluate", ckpt, "--split", "val").out


def test_nothing_left_to_say_ends_a_translation(ckpt: str, verb: Command) -> None:
    finished = verb("translate", ckpt, "one two.", "--no_repeat_ngram", "1", "--min_length", "40")
    assert finished.code == 0
    assert len(finished.out.split()) > 3
    assert "1 of 1 answers were cut before their end" in finished.err

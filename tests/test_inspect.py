import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_weights import LINES, write_bert, write_gpt2

import seqlab
from seqlab.fit import main
from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def stacked(tmp_path_factory: pytest.TempPathFactory, small: list[str]) -> str:
    """A checkpoint of an lstm of two layers."""
    root = str(tmp_path_factory.mktemp("stacked"))
    assert (
        main(["--model", "lstm", *small, "--model.num_layers", "2", "--trainer.default_root_dir", root, "--run", "two"])
        == 0
    )
    return f"{root}/lightning_logs/two/checkpoints/last.ckpt"


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory, small: list[str]) -> str:
    """A run of a language model of words."""
    root = str(tmp_path_factory.mktemp("words"))
    fewer = ["--data.tokens", "word", "--trainer.limit_train_batches", "2", "--bar", "none"]
    assert main([*small, *fewer, "--trainer.default_root_dir", root, "--run", "words"]) == 0
    return f"{root}/lightning_logs/words"


@pytest.fixture
def ckpt(story_run: Path) -> str:
    return f"{story_run}/checkpoints/best.ckpt"


def test_what_is_printed(verb: Command, ckpt: str, stacked: str) -> None:
    code, out, err = verb("inspect", ckpt, stacked, "--num_steps", "20")
    assert (code, err) == (0, "")
    first, second = out.split("\n\ntwo: ")
    assert re.search(r"k +1 +2 +4 +8 +16\n +layer 0 +1 ", first)
    assert re.search(r"layer 1 +1 .*\n", second)
    for gate in ("layer 0, forget gate", "layer 1, output gate"):
        assert re.search(rf"{gate} +\d+\.\d% +\d+\.\d%\n", second)
        assert re.search(rf"{gate} +\d\.\d{{3}}\n", second)
    assert "16 + 16 units" in second


def test_the_figures(verb: Command, ckpt: str, stacked: str) -> None:
    out = verb("inspect", ckpt, stacked, "--text", "the keeper of the lamp", "--output", "of/figures").out
    named = re.findall(r"Figure: (\S+)", out)
    assert len(named) == 7
    for path in named:
        content = Path(path).read_bytes()
        assert content.startswith(b"\x89PNG" if path.endswith(".png") else b"<!doctype html>"), path


def test_a_text_of_ones_own_and_html_that_escapes(stacked: str, verb: Command) -> None:
    assert verb("inspect", stacked, "--text", "the keeper of the lamp", "--output", ".").code == 0
    page = Path("two-units.html").read_text(encoding="utf-8")
    spans = re.findall(r"<span [^>]*>(.*?)</span>", page)
    assert "".join(spans[:22]) == "the keeper of the lamp"
    assert len(spans) == 22 * 6


def test_from_python(ckpt: str) -> None:
    found = seqlab.inspect(ckpt, num_steps=5)
    assert found.gradients.shape == (1, 6)
    assert all(math.isfinite(radius) for radius in found.radii.values())
    assert "e" in found.neighbours


def test_refusals(refusal: Command, ckpt: str, here: Path) -> None:
    assert refusal("inspect", ckpt, "--num_steps", "0") == "--num_steps 0 must be a whole number of at least 1"
    assert refusal("inspect", ckpt, "--text", "a").startswith("the text has 1 tokens, which is too short")
    assert refusal("inspect", "none.ckpt") == "there is no checkpoint 'none.ckpt'; python -m seqlab.fit makes one"
    (here / "taken").write_text("")
    assert refusal("inspect", ckpt, "--output", "taken").startswith("cannot write taken/gradient_flow.png: ")


def test_n_grams_have_no_recurrence(verb: Command, small: list[str]) -> None:
    ngram = ["--model", "ngram", *small[:8], "--run", "counts"]
    assert verb("fit", *ngram).code == 0
    finished = verb("inspect", "lightning_logs/counts/checkpoints/last.ckpt")
    assert finished.code == 2
    assert "holds n-grams, with no recurrence and no attention to look at" in finished.err


def test_a_single_step(verb: Command, ckpt: str) -> None:
    assert verb("inspect", ckpt, "--num_steps", "1").code == 0


def test_what_a_trainer_alone_wrote_is_named_after_its_file(verb: Command, ckpt: str, tmp_path: Path) -> None:
    content = read_checkpoint(ckpt)
    del content["run"]
    torch.save(content, tmp_path / "plain.ckpt")
    assert "plain" in verb("inspect", str(tmp_path / "plain.ckpt")).out


class TestAWord:
    """``--word``: the states at its places, of a language model of words."""

    def test_in_a_file_and_in_the_held_out_part(self, verb: Command, words: str, here: Path) -> None:
        (here / "own.txt").write_text("He crossed the river.\nThe river was cold.\n", encoding="utf-8")
        code, out, err = verb("inspect", words, "--word", "river", "--text", "own.txt", "--output", "drawn")
        assert (code, err) == (0, "")
        assert out.startswith("words: 'river' in own.txt, 12 tokens, at 2 places\n")
        assert "Figure: drawn/words-river-places.png" in out
        assert "story, test part" in verb("inspect", words, "--word", "the").out
        assert seqlab.inspect(words, word="river", text="the river and the river").states["layer 0"].shape == (2, 16)

    def test_refusals(self, refusal: Command, words: str, ckpt: str) -> None:
        assert re.match(
            r"'rivr' is none of the \d+ words that words knows: did you mean",
            refusal("inspect", words, "--word", "rivr"),
        )
        said = refusal("inspect", words, "--word", "river", "--text", "the river")
        assert said.startswith("'river' stands once in the text given; cosines between places need")
        assert "which are no words; give --word with a model" in refusal("inspect", ckpt, "--word", "river")
        assert "projection" in refusal("inspect", words, "--word", "river", "--projection", "umap")

    def test_of_both_directions(self, verb: Command, small: list[str], here: Path) -> None:
        fewer = ["--data.tokens", "word", "--trainer.limit_train_batches", "2", "--bar", "none"]
        assert verb("fit", *small, *fewer, "--model.backward", "true", "--run", "pair").code == 0
        said = verb("inspect", "lightning_logs/pair", "--word", "river", "--text", "the river and the river ran").out
        assert "states of two stacks side by side" in said
        found = seqlab.inspect("lightning_logs/pair", word="river", text="the river and the river ran")
        assert found.states["layer 0"].shape == (2, 32)
        assert verb("evaluate", "lightning_logs/pair").code == 0


class TestWeightsOfHuggingFace:
    """``--word`` of a local folder; the report is skipped where transformers is not installed."""

    def test_the_report_and_the_figures(self, verb: Command, here: Path) -> None:
        pytest.importorskip("transformers")
        write_bert(here / "bert")
        write_gpt2(here / "gpt2")
        (here / "own.txt").write_text("\n".join(LINES), encoding="utf-8")
        code, out, err = verb("inspect", "bert", "gpt2", "--word", "bank", "--text", "own.txt", "--output", "drawn")
        assert (code, err) == (0, "")
        assert out.startswith("bert: 'bank' in own.txt, 29 words, at 4 places\n")
        assert "\n\ngpt2: 'bank' in own.txt, 29 words, at 3 places\n" in out
        for name in ("bert", "gpt2"):
            assert f"Figure: drawn/{name}-bank-places.png" in out
        assert seqlab.inspect("bert", word="bank", text="own.txt").states["layer 1"].shape == (4, 16)

    def test_refusals(self, refusal: Command, ckpt: str, here: Path) -> None:
        (here / "bert").mkdir()
        (here / "bert/config.json").write_text("{}")
        assert refusal("inspect", "bert", "--word", "bank") == (
            "--text is missing: bert holds weights of Hugging Face; give --word and --text"
        )
        assert "unknown option --num_steps" in refusal("inspect", "bert", "--num_steps", "3")
        assert "give checkpoints of one task at once" in refusal("inspect", "bert", ckpt)
        words = "bert holds weights of Hugging Face, which only inspect --word reads; give a run's folder"
        assert refusal("evaluate", "bert") == refusal("generate", "bert") == words
        assert refusal("fit", "--ckpt_path", "bert") == words

    def test_without_the_package(self, refusal: Command, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (here / "bert").mkdir()
        (here / "bert/config.json").write_text("{}")
        monkeypatch.setitem(sys.modules, "transformers", None)
        assert refusal("inspect", "bert", "--word", "bank", "--text", "bank by bank") == (
            "bert holds weights of Hugging Face, which need transformers; install with "
            "pip install 'seqlab[transformers]'"
        )

from pathlib import Path

import pytest
import torch

from seqlab.cli import verbs
from seqlab.cli.parser import Parser
from seqlab.cli.verbs import (
    Loaded,
    add_options_of,
    check_names,
    checked,
    first_words,
    load_all,
    load_any,
    load_for,
    named_checkpoint,
    options_of,
)
from seqlab.errors import UserError
from seqlab.models.language import LanguageModel
from seqlab.models.translation import TranslationModel
from seqlab.runs.checkpoint import read_checkpoint


@pytest.fixture
def ckpt(story_run: Path) -> str:
    return str(story_run / "checkpoints" / "best.ckpt")


def test_words_that_are_neither_options_nor_values() -> None:
    words = ["a.ckpt", "--device", "cpu", "b", "--split=val", "c", "-h"]
    assert first_words(words) == ["a.ckpt", "b", "c"]
    assert named_checkpoint(Parser(), "evaluate", ["--help"]) is None


def test_the_model_of_a_checkpoint_and_its_data(ckpt: str) -> None:
    loaded = named_checkpoint(Parser(), "generate", ["--num_tokens", "3", ckpt])
    assert loaded is not None
    assert isinstance(loaded.model, LanguageModel)
    assert not loaded.model.training
    assert loaded.model.run == "story"
    data = loaded.data()
    assert data.corpus_name == "story"
    assert data.codecs["text"] is loaded.model.codecs["text"]


def test_an_option_that_no_model_has_is_refused_before_the_checkpoint() -> None:
    words = ["nowhere.ckpt", "--data.path", "a.txt", "--beam_size=3"]
    with pytest.raises(UserError, match="^there is no checkpoint 'nowhere.ckpt'"):
        named_checkpoint(Parser(), "evaluate", words, ["data"])
    with pytest.raises(UserError, match="^unknown option --beam_siz: did you mean '--beam_size'"):
        named_checkpoint(Parser(), "evaluate", [*words, "--beam_siz", "3"], ["data"])
    check_names(Parser(), "inspect", ["--word", "bank", "--", "--a text"])


def test_what_a_trainer_alone_wrote(ckpt: str, tmp_path: Path) -> None:
    content = read_checkpoint(ckpt)
    del content["run"]
    content["seqlab"]["data"] = None
    torch.save(content, tmp_path / "plain.ckpt")
    loaded = load_for("evaluate", tmp_path / "plain.ckpt")
    assert loaded.model.run == "plain"
    with pytest.raises(UserError, match="plain.ckpt does not say what it was trained on; give the text itself$"):
        loaded.data()


def test_a_verb_that_the_model_does_not_have(ckpt: str) -> None:
    able = "evaluate, predict, generate, inspect, export"
    with pytest.raises(UserError, match=f"holds a language model, which does not translate; it can {able}$"):
        load_for("translate", ckpt)


def test_checkpoints_of_one_task_at_once(ckpt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = load_for("evaluate", ckpt)
    other = Loaded("b.ckpt", TranslationModel.__new__(TranslationModel), None)
    assert [each.ckpt for each in load_all("evaluate", [ckpt, ckpt])] == [ckpt, ckpt]
    monkeypatch.setattr(verbs, "load_for", lambda verb, path: one if path == ckpt else other)
    words = f"^b.ckpt holds a translation model and {ckpt} a language model; give checkpoints of one task at once$"
    with pytest.raises(UserError, match=words):
        load_all("evaluate", [ckpt, "b.ckpt"])


def test_weights_of_another_program(ckpt: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    foreign = load_any("inspect", tmp_path)
    assert foreign.ckpt == str(tmp_path)
    assert {"text", "word", "projection"} == options_of(type(foreign.model), "inspect").keys()
    with pytest.raises(UserError, match="does not say what it was trained on; give the text itself$"):
        foreign.data()
    assert isinstance(load_any("inspect", ckpt).model, LanguageModel)
    with pytest.raises(UserError, match="holds weights of Hugging Face, which only inspect --word reads"):
        load_any("evaluate", tmp_path)


def test_options_are_the_keywords_of_the_method() -> None:
    assert {"num_tokens", "temperature", "num_samples"} <= options_of(LanguageModel, "generate").keys()
    assert "prefix" not in options_of(LanguageModel, "generate")
    assert "beam_size" in options_of(TranslationModel, "evaluate")


def test_options_that_the_method_does_not_have(ckpt: str) -> None:
    model = load_for("generate", ckpt).model
    assert checked(model, "generate", {"num_tokens": 3}) == {"num_tokens": 3}
    with pytest.raises(UserError, match="^unknown option 'num_token' of generate: did you mean 'num_tokens'"):
        checked(model, "generate", {"num_token": 3})


def test_words_that_an_option_does_not_take(ckpt: str) -> None:
    model = load_for("inspect", ckpt).model
    assert checked(model, "inspect", {"projection": "tsne"}) == {"projection": "tsne"}
    with pytest.raises(UserError, match="unknown projection 'umap': choose one of pca, tsne"):
        checked(model, "inspect", {"projection": "umap"})


def test_without_a_model_the_options_of_the_only_one_that_can(ckpt: str) -> None:
    parser = Parser(prog="p")
    assert "num_tokens" in add_options_of(parser, None, "generate")
    assert parser.parse_sentence(["--num_tokens", "7"]).num_tokens == 7
    assert add_options_of(Parser(prog="p"), None, "evaluate") == []  # each task has its own
    assert "temperature" in add_options_of(Parser(prog="p"), load_for("predict", ckpt), "predict")

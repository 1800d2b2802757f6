import json
import shutil
import socket
from pathlib import Path

import pytest
from tiny_weights import LINES, write_bert, write_gpt2

from seqlab.analysis.huggingface import HuggingFace, load_reader
from seqlab.errors import UserError

pytest.importorskip("transformers", reason="weights of Hugging Face are read by an optional package")

TEXT = "\n".join(LINES)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("weights") / "bert")


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gpt2(tmp_path_factory.mktemp("weights") / "gpt2")


def test_whole_words_in_the_case_of_the_tokenizer(bert: Path, gpt2: Path) -> None:
    """The tests of this file are skipped where transformers is not installed."""
    said = HuggingFace(bert).inspect(text=TEXT, word="Bank")
    assert (said.name, said.word) == ("bert", "bank")
    assert said.source == "the text given, 29 words, at 4 places"
    assert said.told.startswith("states that have read the whole line; ")
    assert [*said.measures] == ["static", "embedding", "layer 0", "layer 1"]
    assert said.measures["static"].own == pytest.approx(1.0)
    assert said.measures["layer 1"].own < 1
    assert "of a riverbank are no [bank] of money." in said.contexts
    other = HuggingFace(gpt2).inspect(text=TEXT, word="bank")
    assert other.source == "the text given, 29 words, at 3 places"
    assert "of what follows they know nothing" in other.told
    assert any("the [bank] , the Bank" in context for context in other.contexts)


def test_what_follows_a_word_matters_to_an_encoder_alone(bert: Path, gpt2: Path) -> None:
    for folder, same in ((bert, False), (gpt2, True)):
        said = HuggingFace(folder).inspect(text="the bank was muddy\nthe bank of money", word="bank")
        one, other = said.states["layer 1"]
        assert one.allclose(other, atol=1e-5) == same


def test_neighbours_are_other_subwords(bert: Path) -> None:
    near = HuggingFace(bert).inspect(text="the river, the river", word="river").neighbours
    assert len(near) == 5
    assert "river" not in near
    assert [*near.values()] == sorted(near.values(), reverse=True)


def test_nothing_is_downloaded(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("no connection is made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load_reader(bert)


def test_words_and_options_that_are_refused(bert: Path) -> None:
    def refusal(**options: str) -> str:
        with pytest.raises(UserError) as error:
            HuggingFace(bert).inspect(**options)
        return str(error.value)

    given = f"{bert} holds weights of Hugging Face; give --word and --text"
    assert refusal(word="bank") == f"--text is missing: {given}"
    assert refusal(text=TEXT) == f"--word is missing: {given}"
    assert refusal(word="the bank", text=TEXT) == "word 'the bank' is 2 words; give one word"
    assert refusal(word="paid", text=TEXT).startswith("'paid' stands once in the text given; cosines between places")
    assert refusal(word="nk", text=TEXT).startswith("'nk' stands nowhere in the text given")
    assert refusal(word="bank", text="").startswith("'bank' stands nowhere in the text '', which is no file")


def test_folders_that_are_refused(bert: Path, tmp_path: Path) -> None:
    def refusal(name: str) -> str:
        with pytest.raises(UserError) as error:
            load_reader(tmp_path / name)
        return str(error.value)

    for name in ("words", "cut", "none", "kind", "code", "fewer"):
        shutil.copytree(bert, tmp_path / name)
    for path in (tmp_path / "words").glob("tokenizer*"):
        path.unlink()
    assert refusal("words").endswith("words holds no fast tokenizer; put its tokenizer.json beside the weights")
    whole = (bert / "model.safetensors").read_bytes()
    (tmp_path / "cut/model.safetensors").write_bytes(whole[:999])
    assert "cannot read weights in" in refusal("cut")
    (tmp_path / "none/model.safetensors").unlink()
    assert "no file named model.safetensors" in refusal("none")
    config = json.loads((bert / "config.json").read_text())
    (tmp_path / "kind/config.json").write_text(json.dumps(config | {"model_type": "unheard"}))
    assert "cannot read" in refusal("kind")
    (tmp_path / "code/own.py").write_text("raise SystemExit('this ran')")
    own = {"model_type": "unheard", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}}
    (tmp_path / "code/config.json").write_text(json.dumps(config | own))
    assert "cannot read" in refusal("code")
    (tmp_path / "fewer/config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    assert "lacks 16 of the weights that its config.json asks for, such as encoder.layer.2." in refusal("fewer")

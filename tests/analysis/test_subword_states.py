from pathlib import Path

import pytest
import torch
from tiny_weights import LINES, PIECES, write_bert, write_gpt2

from seqlab.analysis import subword_states
from seqlab.analysis.huggingface import load_reader
from seqlab.analysis.subword_states import Place, SubwordReader
from seqlab.errors import UserError

pytest.importorskip("transformers", reason="weights of Hugging Face are read by an optional package")

BANKS = [Place(0, 4, 8), Place(2, 21, 25), Place(2, 31, 35), Place(3, 32, 36)]
WORDS = [*BANKS, Place(3, 4, 9), Place(3, 15, 24)]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> SubwordReader:
    return load_reader(write_bert(tmp_path_factory.mktemp("weights") / "bert"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> SubwordReader:
    return load_reader(write_gpt2(tmp_path_factory.mktemp("weights") / "gpt2"))


def test_a_word_is_the_mean_of_its_subwords(bert: SubwordReader) -> None:
    """The tests of this file are skipped where transformers is not installed."""
    found = bert.vectors(LINES, WORDS)
    assert [*found] == ["static", "embedding", "layer 0", "layer 1"]
    marked = ["[CLS]", "she", "paid", "money", "at", "the", "ba", "##nk", ",", "the", "ba", "##nk", "!", "[SEP]"]
    ids = [PIECES.index(piece) for piece in marked]
    with torch.no_grad():
        states = bert.network(torch.tensor([ids]), output_hidden_states=True).hidden_states
    for name, layer in zip(["embedding", "layer 0", "layer 1"], states, strict=True):
        torch.testing.assert_close(found[name][1], layer[0, 6:8].mean(0))
        torch.testing.assert_close(found[name][2], layer[0, 10:12].mean(0))
    rows = bert.network.embeddings.word_embeddings.weight.detach()
    torch.testing.assert_close(found["static"][0], rows[[5, 6]].mean(0))
    torch.testing.assert_close(found["static"][4], rows[[5, 6, 7]].mean(0))
    torch.testing.assert_close(found["static"][5], rows[[8, 9, 6]].mean(0))


def test_the_space_before_a_word_is_not_the_word(gpt2: SubwordReader) -> None:
    read, place = gpt2.tokenizer(LINES[3], return_offsets_mapping=True), Place(3, 15, 24)
    inside = [k for k, (begin, end) in enumerate(read["offset_mapping"]) if begin < place.end and end > place.begin]
    assert 0 < inside[0] < inside[-1]
    with torch.no_grad():
        states = gpt2.network(torch.tensor([read["input_ids"]]), output_hidden_states=True).hidden_states
    found = gpt2.vectors(LINES, [place])
    for name, layer in zip(["embedding", "layer 0", "layer 1"], states, strict=True):
        torch.testing.assert_close(found[name][0], layer[0, inside].mean(0))


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_what_is_read_beside_a_line_changes_nothing(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader: SubwordReader = request.getfixturevalue(kind)
    lines = [*LINES, *(line.replace(" the ", " are ") for line in LINES)]
    places = [*WORDS, *(Place(line + 4, *span) for line, *span in WORDS)]
    together = reader.vectors(lines, places)
    for number, place in enumerate(places):
        alone = reader.vectors([lines[place.line]], [place._replace(line=0)])
        for name, vectors in together.items():
            torch.testing.assert_close(vectors[[number]], alone[name])
    monkeypatch.setattr(subword_states, "ROWS", 1)
    torch.testing.assert_close(reader.vectors(lines, places), together)


def test_who_reads_ahead(bert: SubwordReader, gpt2: SubwordReader, tmp_path: Path) -> None:
    assert (bert.reads_ahead, gpt2.reads_ahead) == (True, False)
    assert not load_reader(write_bert(tmp_path, is_decoder=True)).reads_ahead


def test_who_ignores_case(bert: SubwordReader, gpt2: SubwordReader) -> None:
    assert (bert.ignores_case(), gpt2.ignores_case()) == (True, False)


def test_a_line_longer_than_the_network_is_read_in_pieces(bert: SubwordReader, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "the river was muddy . " * 20 + "the bank"
    place = Place(0, len(line) - 4, len(line))
    assert bert.vectors([line], [place, Place(0, 4, 9)])["layer 1"].isfinite().all()
    monkeypatch.setattr(subword_states, "MOST_POSITIONS", 5)
    short = bert.vectors([LINES[0]], [Place(0, 4, 8)])["layer 1"]
    torch.testing.assert_close(short, bert.vectors(["the bank"], [Place(0, 4, 8)])["layer 1"])


def test_positions_of_roberta_and_of_networks_without_a_limit(
    bert: SubwordReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import RobertaConfig, RobertaModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = RobertaConfig(**sizes, vocab_size=len(PIECES), max_position_embeddings=12, pad_token_id=1)
    roberta = SubwordReader("roberta", bert.tokenizer, RobertaModel(config).eval())
    assert roberta.vectors(["the river was muddy . " * 9], [Place(0, 4, 9)])["layer 0"].isfinite().all()
    short = bert.vectors(LINES, BANKS)
    monkeypatch.setattr(bert.network.config, "max_position_embeddings", -1)
    torch.testing.assert_close(bert.vectors(LINES, BANKS), short)


def test_refusals(bert: SubwordReader, tmp_path: Path) -> None:
    other = load_reader(write_bert(tmp_path / "fewer", vocab_size=10))
    with pytest.raises(UserError, match=r"the tokenizer of .*fewer gives id \d+, but its weights have 10 embeddings; "):
        other.vectors(LINES, BANKS)
    broken = load_reader(write_bert(tmp_path / "broken"))
    torch.nn.init.constant_(broken.network.encoder.layer[0].output.dense.bias, torch.nan)
    with pytest.raises(UserError, match=r"states of .*broken in layer 0 are not finite; its weights are broken"):
        broken.vectors(LINES, BANKS)
    with pytest.raises(UserError, match="holds a Linear, which does not read text alone; give one like BERT or GPT-2"):
        SubwordReader("a folder", bert.tokenizer, torch.nn.Linear(2, 2))

from pathlib import Path

import pytest
import torch

from seqlab.decoding.text import continue_text
from seqlab.errors import UserError
from seqlab.native import draws
from seqlab.nn import one_step
from seqlab.nn.language_network import LanguageNetwork, LanguageOptions
from seqlab.text.codec import Codec
from seqlab.text.line_reader import read_lines

STORY = Path(__file__).parents[1] / "fixtures" / "story.txt"


@pytest.fixture
def codec() -> Codec:
    return Codec.build(lambda: read_lines([STORY]), "classic")


@pytest.fixture
def network(codec: Codec) -> LanguageNetwork:
    torch.manual_seed(0)
    made = LanguageOptions(cell="lstm", hidden_size=16, dropout=0.0).build(codec.vocab_size).double()
    for parameter in made.parameters():
        parameter.data *= 4
    return made


def test_text_grows_by_a_token(network: LanguageNetwork, codec: Codec) -> None:
    texts = [text for (text,) in continue_text(network, codec, "the dog", num_tokens=9, seeds=[1])]
    assert [len(text) for text in texts] == list(range(8, 17))
    assert all(later.startswith(earlier) for earlier, later in zip(texts, texts[1:], strict=False))
    assert texts[0].startswith("the dog")


def test_the_prefix_is_cleaned_as_the_training_text(network: LanguageNetwork, codec: Codec) -> None:
    plain, shouted = (list(continue_text(network, codec, prefix, 20)) for prefix in ("the dog", "THE... dog"))
    assert plain == shouted


def test_temperature_zero_is_argmax_by_hand(network: LanguageNetwork, codec: Codec) -> None:
    ids = codec.encode("the dog")
    for _ in range(20):
        logits = network(torch.tensor([ids]))[0][0, -1]
        ids.append(1 + int(logits[1:].argmax()))
    *_, (text,) = continue_text(network, codec, "the dog", 20, temperature=0)
    assert text == codec.decode(ids)


def test_an_empty_prefix_is_the_most_frequent_token_unseen(network: LanguageNetwork, codec: Codec) -> None:
    assert codec.vocab.tokens(1) == " "
    *_, (from_nothing,) = continue_text(network, codec, "", 20)
    *_, (from_space,) = continue_text(network, codec, " ", 20)
    assert " " + from_nothing == from_space
    assert len(from_nothing) == 20


def test_unknown_is_read_but_never_written(network: LanguageNetwork, codec: Codec) -> None:
    with torch.no_grad():
        network.output.bias[0] = 1000.0
    for temperature in (0, 1.0):
        *_, (text,) = continue_text(network, codec, "the dog", 50, temperature)
        assert "<unk>" not in text
    raw = Codec.build(lambda: iter(["ab"] * 9), "raw")
    small = LanguageOptions(hidden_size=4).build(raw.vocab_size)
    *_, (text,) = continue_text(small, raw, "aXb", 5)
    assert text.startswith("a<unk>b")
    assert set(text[7:]) <= {"a", "b"}


def test_seeds_make_samples_of_their_own(network: LanguageNetwork, codec: Codec) -> None:
    *_, together = continue_text(network, codec, "the", 30, seeds=[3, 4, 3])
    assert together[0] == together[2] != together[1]
    for text, seed in zip(together, (3, 4, 3), strict=True):
        *_, alone = continue_text(network, codec, "the", 30, seeds=[seed])
        assert alone == [text]


@pytest.mark.parametrize("options", [{"temperature": 0.3}, {"top_k": 2}, {"top_p": 0.2}], ids=str)
def test_every_option_changes_the_text(network: LanguageNetwork, codec: Codec, options: dict[str, float]) -> None:
    *_, plain = continue_text(network, codec, "the", 60)
    *_, changed = continue_text(network, codec, "the", 60, **options)  # type: ignore[arg-type]
    assert plain != changed


@pytest.mark.parametrize("training", [True, False])
def test_reads_without_dropout_and_leaves_the_mode(codec: Codec, training: bool) -> None:
    torch.manual_seed(0)
    network = LanguageOptions(hidden_size=16, dropout=0.9).build(codec.vocab_size).train(training)
    *_, one = continue_text(network, codec, "the", 30)
    *_, again = continue_text(network, codec, "the", 30)
    assert one == again
    assert network.training == training
    for _ in continue_text(network, codec, "the", 30):
        break  # somebody stopped listening
    assert network.training == training


@pytest.mark.parametrize("num_tokens", [0, -5])
def test_num_tokens_must_be_positive(network: LanguageNetwork, codec: Codec, num_tokens: int) -> None:
    with pytest.raises(UserError, match=rf"^num_tokens {num_tokens} must be a whole number of at least 1$"):
        next(continue_text(network, codec, "the", num_tokens))


def test_sampling_options_are_checked(network: LanguageNetwork, codec: Codec) -> None:
    with pytest.raises(UserError, match="^top_k 0 must be"):
        next(continue_text(network, codec, "the", 5, top_k=0))


@pytest.mark.parametrize("options", [{}, {"top_k": 5}, {"top_p": 0.9}, {"temperature": 0}], ids=str)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_texts_are_the_same_with_compiled_code(
    codec: Codec, cell: str, options: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = LanguageOptions(cell=cell, hidden_size=24, num_layers=2).build(codec.vocab_size)
    for parameter in network.parameters():
        parameter.data *= 3

    def written() -> list[str]:
        (texts,) = continue_text(network, codec, "the", 80, seeds=range(3), streaming=False, **options)  # type: ignore[arg-type]
        return texts

    compiled = written()
    monkeypatch.setattr(draws, "able", lambda logits: False)
    monkeypatch.setattr(one_step, "able", lambda cell, table: False)
    assert written() == compiled

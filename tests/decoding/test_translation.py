import pytest
import torch

from seqlab.decoding import translation
from seqlab.decoding.beam import Beam
from seqlab.decoding.translation import encoded, translate, translate_ids
from seqlab.errors import UserError
from seqlab.nn.translation_network import TranslationNetwork, TranslationOptions
from seqlab.text.clean import detokenize
from seqlab.text.codec import Codec
from seqlab.text.vocab import BOS, EOS, PAD, UNK

RESERVED = (UNK, PAD, BOS, EOS)
SOURCES = ["a b c", "c", "b a", "c c a b"]


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.build(lambda: iter(["a b c d ."]), cleaning="raw", tokens="word", reserved=RESERVED)


@pytest.fixture(scope="module")
def network(codec: Codec) -> TranslationNetwork:
    torch.manual_seed(3)
    options = TranslationOptions(hidden_size=6, embedding_size=6, dropout=0.0)
    made = options.build(codec.vocab_size, codec.vocab_size).double().eval()
    for weight in made.parameters():
        weight.data *= 4  # so that predictions differ
    return made


@pytest.mark.parametrize(
    ("tokens", "text"), [("va , va !", "va, va!"), ("qui ?", "qui?"), ("a ; b", "a ; b"), (".", ".")]
)
def test_no_space_before_punctuation(tokens: str, text: str) -> None:
    assert detokenize(tokens) == text


def test_sentences_without_words_are_named(codec: Codec) -> None:
    assert encoded(codec, ["a b"]) == [codec.vocab.ids(["a", "b"])]
    with pytest.raises(UserError, match=r"^sentence 2 \(' '\) has nothing to translate; give it at least one word$"):
        encoded(codec, ["a", " "])


@pytest.mark.parametrize("size", [1, 3])
def test_a_translation_does_not_depend_on_its_company(
    size: int, codec: Codec, network: TranslationNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    beam = Beam(size, max_length=6, n_best=size)
    together = translate(network, codec, codec, SOURCES, beam)
    alone = [translate(network, codec, codec, [source], beam)[0] for source in SOURCES]
    monkeypatch.setattr(translation, "HYPOTHESES", 2 * size)
    batches = translate(network, codec, codec, SOURCES, beam)
    assert len({best[0].text for best in alone}) > 1
    for one, other, third in zip(together, alone, batches, strict=True):
        assert [each.text for each in one] == [each.text for each in other] == [each.text for each in third]
        assert [each.score for each in one] == pytest.approx([each.score for each in other])
        assert len(one) == size


def test_what_a_translation_says_of_itself(codec: Codec, network: TranslationNetwork) -> None:
    long, short = translate(network, codec, codec, ["a b c", "c"], Beam(max_length=4), attention=True)
    assert long[0].source == ["a", "b", "c", EOS]
    assert short[0].source == ["c", EOS]
    for best in (long[0], short[0]):
        assert best.attention is not None
        assert best.attention.shape == (len(best.target), len(best.source))
        assert best.target[-1] == EOS
        assert not {UNK, PAD, BOS} & {*best.target}
        torch.testing.assert_close(best.attention.sum(1), torch.ones(len(best.target)).double(), rtol=0, atol=1e-6)
    assert translate_ids(network, codec, codec, [codec.encode("c")], Beam(1))[0][0].attention is None


def test_a_prefix_is_kept(codec: Codec, network: TranslationNetwork) -> None:
    for best in translate(network, codec, codec, SOURCES, Beam(2, max_length=5), prefix="d d"):
        assert best[0].target[:2] == ["d", "d"]

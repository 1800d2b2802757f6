from seqlab.text.any_codec import codec_of
from seqlab.text.codec import Codec
from seqlab.text.context_codec import ContextCodec


def codec(cleaning: str, tokens: str = "word") -> ContextCodec:
    lines = ["Tom saw the cat, and Ida's cat saw Tom.\n"]
    return ContextCodec(Codec.build(lines.__iter__, cleaning, tokens, 1), "recurrent", {"hidden_size": 3})


def test_words_are_those_of_the_language_model() -> None:
    made = codec("lower")
    tokens = made.text.vocab.tokens(made.ids(["TOM", "cat", "Ida's", ",", "dog"]))
    assert tokens == ["tom", "cat", "ida's", ",", "<unk>"]


def test_a_word_of_several_tokens_or_none_is_unknown() -> None:
    made = codec("letters")
    assert made.text.vocab.tokens(made.ids(["cat", "Ida's", ",", ""])) == ["cat", *["<unk>"] * 3]
    assert codec("lower").ids(["cat tom"]) == [0]


def test_line_ends_of_the_language_model_are_no_words() -> None:
    text = Codec.build(["a b\n"].__iter__, "raw", "space", 1, line_ends=True)
    assert text.vocab.tokens(ContextCodec(text, "recurrent", {}).ids(["b", "a"])) == ["b", "a"]


def test_the_state_is_enough() -> None:
    made = codec("lower")
    again = codec_of(made.state())
    assert isinstance(again, ContextCodec)
    assert again.state() == made.state()
    assert (again.network, again.options, again.vocab_size) == ("recurrent", {"hidden_size": 3}, made.vocab_size)
    assert again.ids(["Cat"]) == made.ids(["cat"]) != [0]


def test_capitals_that_the_language_model_lacks() -> None:
    text = Codec.build(["a May b may\n"].__iter__, "raw", "space", 1)
    made = ContextCodec(text, "recurrent", {})
    assert text.vocab.tokens(made.ids(["May", "B", "MAY", "C"])) == ["May", "b", "may", "<unk>"]

from collections.abc import Iterator

import pytest

from seqlab.errors import UserError
from seqlab.text.codec import Codec
from seqlab.text.phrases import PhraseTokenizer, joined, learn_phrases
from seqlab.text.tokenize import SpaceTokenizer, WordTokenizer

NEW_YORK = frozenset({("new", "york")})
CITY = frozenset({("new_york", "city")})


def test_words_are_of_one_pair_at_most() -> None:
    assert joined(["a", "new", "york", "new", "york", "b"], NEW_YORK) == ["a", "new_york", "new_york", "b"]
    assert joined(["a", "a", "a"], frozenset({("a", "a")})) == ["a_a", "a"]
    assert joined(["new", "york", "city"], NEW_YORK | CITY) == ["new_york", "city"]
    assert joined([], NEW_YORK) == []


@pytest.mark.parametrize("words", [WordTokenizer(), SpaceTokenizer()])
def test_phrases_are_joined_and_taken_apart(words: WordTokenizer | SpaceTokenizer) -> None:
    made = PhraseTokenizer(words, [NEW_YORK, CITY])
    text = "in new york city , new york\nnew"
    tokens = ["in", "new_york_city", ",", "new_york", "\n", "new"]
    assert [token for token in made.tokenize(text) if token != " "] == tokens
    assert [*made.tokenize_lines([text])] == [made.tokenize(text)]
    assert made.join(made.tokenize(text)) == words.join(words.tokenize(text))
    assert made.name == words.name


def test_phrases_are_those_of_the_equation() -> None:
    """Of 100 words "new york" stands 10 times and each of both 10 times: (10 - 5) 100 / (10 10) = 5."""
    line = [*("new york " * 10).split(), *(f"w{n}" for n in range(80))]

    def lines() -> Iterator[list[str]]:
        return (line[at : at + 2] for at in range(0, 100, 2))

    assert learn_phrases(lines, 1, 4.99) == [NEW_YORK]
    assert learn_phrases(lines, 1, 5.0) == [frozenset()]
    assert learn_phrases(lines, 2, 4.99) == [NEW_YORK, frozenset()]


def test_longer_phrases_need_more_passes_and_marks_are_no_words() -> None:
    def lines() -> Iterator[list[str]]:
        return (["new", "york", "city", ".", f"a{n}", f"b{n}"] for n in range(50))

    assert learn_phrases(lines, 2, 2.0) == [
        frozenset({("new", "york"), ("york", "city")}),
        frozenset({("new_york", "city")}),
    ]


@pytest.mark.parametrize("tokens", ["word", "space"])
def test_a_codec_keeps_its_phrases(tokens: str) -> None:
    lines = [f"{n} new york {n}\n" for n in range(50)]
    codec = Codec.build(lambda: iter(lines), "raw", tokens, phrases=1, phrase_threshold=2.0)
    assert codec.vocab["new_york"] > 0
    assert "york" not in codec.vocab
    again = Codec.from_state(codec.state())
    assert again.state() == codec.state()
    assert again.encode("3 new york 3") == codec.encode("3 new york 3")
    assert again.decode(again.encode("3 new york 3")) == "3 new york 3"
    encoded = [int(one) for piece in again.encode_lines(["3 new york 3\n"]) for one in piece]
    assert encoded[:3] == codec.encode("3 new york 3")


def test_phrases_of_characters_are_refused() -> None:
    words = "phrases are of words, not of char; give --data.tokens word or space, or --data.phrases 0"
    with pytest.raises(UserError, match=words):
        Codec.build(lambda: iter(["ab"]), "raw", "char", phrases=1)
    with pytest.raises(UserError, match="phrases -1 must be a whole number of at least 0"):
        Codec.build(lambda: iter(["ab"]), "raw", "word", phrases=-1)

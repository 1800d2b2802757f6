import pytest

from seqlab.text.casing import CASINGS, casing_of
from seqlab.text.tokenize import SpaceTokenizer, tokenizer_from_state
from seqlab.text.treebank import TreebankTokenizer, offsets_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't know, it's Tom's.", "I do n't know , it 's Tom 's ."),
        ("We cannot go; they'd win", "We can not go ; they 'd win"),
        ("a well-known U.S. firm (1,000.5 km)", "a well - known U.S. firm ( 1,000.5 km )"),
        ("See https://a.example/b?c=1. Now!!", "See https://a.example/b?c=1 . Now !!"),
        ("@ann likes #tea :) ... ok--bye", "@ann likes #tea :) ... ok -- bye"),
        ("write to a.b@c.example today", "write to a.b@c.example today"),
        ("isn’t he’s naïve", "is n’t he ’s naïve"),
        ("", ""),
    ],
)
def test_words_as_treebanks_cut_them(text: str, words: str) -> None:
    assert TreebankTokenizer().tokenize(text) == words.split()


@pytest.mark.parametrize("kind", [TreebankTokenizer, SpaceTokenizer])
def test_offsets_lead_back_to_the_words(kind: type[TreebankTokenizer | SpaceTokenizer]) -> None:
    text = "  Isn't it  a well-known\tthing? it is. "
    words = kind().tokenize(text)
    assert [text[start:end] for start, end in offsets_of(words, text)] == words


@pytest.mark.parametrize("kind", [TreebankTokenizer, SpaceTokenizer])
def test_a_checkpoint_keeps_them_by_name(kind: type[TreebankTokenizer | SpaceTokenizer]) -> None:
    assert isinstance(tokenizer_from_state(kind().state()), kind)


def test_each_way_to_write_a_word_has_its_number() -> None:
    assert [casing_of(word) for word in CASINGS[1:]] == [*range(1, len(CASINGS))]
    assert casing_of("don't") == 1
    assert casing_of("$") == len(CASINGS) - 1

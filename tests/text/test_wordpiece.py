import pytest

from seqlab.text.wordpiece import WordPieceTokenizer

STORY = [f"the {a} {b} saw the other {b}, and {a}ly ran\n" for a in ("quick", "slow", "sad") for b in ("fox", "hen")]
SMALL = ["<unk>", "\n", "▁", "a", "b", "ab", "##a", "##b", "##bc", ","]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("abc ab", ["ab", "##c", "ab"]),
        ("babc", ["b", "##a", "##bc"]),
        ("a  b", ["a", "▁", "b"]),
        ("a, b ,", ["a", "##,", "b", ","]),
        ("xa\nbx", ["x", "##a", "\n", "b", "##x"]),
    ],
)
def test_the_longest_known_piece_is_the_first(text: str, tokens: list[str]) -> None:
    wordpiece = WordPieceTokenizer(SMALL)
    assert wordpiece.tokenize(text) == tokens
    assert wordpiece.join(tokens) == text


def test_wordpiece_marks_later_pieces() -> None:
    wordpiece = WordPieceTokenizer.train(iter(STORY), 60)
    tokens = wordpiece.tokenize("the sadfox")
    assert tokens[0] == "the"
    assert len(tokens) > 2
    assert all(token.startswith("##") for token in tokens[2:])
    assert not tokens[1].startswith("##")
    assert wordpiece.join(tokens) == "the sadfox"


def test_frequent_words_are_pieces() -> None:
    assert WordPieceTokenizer.train(iter(STORY), 120).tokenize("saw the other") == ["saw", "the", "other"]


def test_state() -> None:
    state = WordPieceTokenizer(SMALL).state()
    assert state == {"name": "wordpiece", "rules": 2, "pieces": SMALL}
    assert WordPieceTokenizer.from_state(state).tokenize("abc") == ["ab", "##c"]

import pytest

from seqlab.text.words import GLUE, WordTokenizer

WRITTEN = [
    "Don't go, he said; it's ‘late’.",
    'He said: "Who (me)?" and went.\n"No!"\nThe well-known end...',
    "wait -- what",
]


WORDS = {
    "hindi": ("हिन्दी भाषा में लिखना है", "हिन्दी|भाषा|में|लिखना|है"),
    "persian with a joiner": ("می‌خواهم بروم", "می‌خواهم|بروم"),
    "hebrew": ("כ\"ץ ז'ק", "כ\"ץ|ז'ק"),
    "chinese by character": ("他们在", "他|们|在"),
    "katakana": ("カタカナひら", "カタカナ|ひ|ら"),
    "thai by cluster": ("กำลัง", "กำ|ลั|ง"),
    "korean": ("나는 한국어", "나는|한국어"),
    "emoji sequences": ("👩‍🚀 👍🏽 🇫🇷", "👩‍🚀|👍🏽|🇫🇷"),
    "numbers": ("7,20 3.5 1,000,000.5", "7,20|3.5|1,000,000.5"),
    "apostrophes and hyphens": ("e-mail can't l’été aujourd'hui dit-il", "e-mail|can't|l’été|aujourd'hui|dit-il"),
    "marks": ("a... b", "a|...|b"),
    "underscores": ("a_b __init__", "a_b|__init__"),
    "narrow space": ("5\u202f000", "5|000"),
    "abbreviations": ("U.S. co.uk", "U.S|.|co.uk"),
}


@pytest.mark.parametrize("name", WORDS)
def test_words_of_any_script(name: str) -> None:
    text, words = WORDS[name]
    assert WordTokenizer().tokenize(text) == words.split("|")


def test_words_of_cleaned_text_are_those_of_split() -> None:
    text = " the time  traveller for so "
    assert WordTokenizer().tokenize(text) == text.split()


def test_words_of_raw_text() -> None:
    tokens = WordTokenizer().tokenize("Don't (stop), “half-way”--well...\n3.5 cafe\u0301!\n")
    assert tokens == [
        *("Don't", "(", "stop", ")", ",", "“", "half-way", "”", "--", "well", "...", "\n"),
        *("3.5", "cafe\u0301", "!", "\n"),
    ]


def test_words_take_time_linear_in_the_text() -> None:
    for hard in ("a'", "a-", "a_", "🇫", "\"'", "א'", "1,", "\u0301", "中"):
        assert WordTokenizer().join(WordTokenizer().tokenize(hard * 5000)) == hard * 5000


@pytest.mark.parametrize("text", WRITTEN)
def test_words_join_to_what_was_written(text: str) -> None:
    word = WordTokenizer()
    assert word.join(word.tokenize(text)) == text


def test_join_of_words_alone() -> None:
    assert WordTokenizer().join(["a", "b", "<unk>"]) == "a b <unk>"
    assert WordTokenizer().join([]) == ""


@pytest.mark.parametrize(
    ("text", "apart", "tokens"),
    [
        ("a ,b", "", ["a", " ", ",", GLUE, "b"]),
        ("a, b", "", ["a", ",", "b"]),
        ("a\u00a0,b", "", ["a", "\u00a0", ",", GLUE, "b"]),
        ("go , he", ",.!?", ["go", ",", "he"]),
        ("go, he", ",.!?", ["go", GLUE, ",", "he"]),
        ("他 们", "", ["他", " ", "们"]),
    ],
)
def test_what_is_not_spaced_as_usual_has_a_token_that_says_so(text: str, apart: str, tokens: list[str]) -> None:
    word = WordTokenizer(apart)
    assert word.tokenize(text) == tokens
    assert word.join(tokens) == text


def test_state() -> None:
    assert WordTokenizer().state() == {"name": "word", "rules": 2}
    assert WordTokenizer(",.").state() == {"name": "word", "rules": 2, "apart": ",."}

import json
import subprocess
import sys

import pytest

from seqlab.errors import UserError
from seqlab.text.tokenize import OLD_SUBWORDS, SUBWORDS, TOKENIZERS, Tokenizer, WordTokenizer, tokenizer_from_state

STORY = [f"the {a} {b} saw the other {b}, and {a}ly ran\n" for a in ("quick", "slow", "sad") for b in ("fox", "hen")]
STRANGE = "naïve 😀👩‍🚀 \u202eтест\n\ttab  two ▁ <unk> don't\n"

WRITTEN = [
    "Don't go, he said; it's ‘late’.",
    'He said: "Who (me)?" and went.\n"No!"\nThe well-known end...',
    "wait -- what",
]


def trained(name: str, vocab_size: int = 80) -> Tokenizer:
    return SUBWORDS[name].train(iter(STORY), vocab_size) if name in SUBWORDS else TOKENIZERS[name]()


def test_char() -> None:
    char = trained("char")
    assert char.tokenize("a b\n") == ["a", " ", "b", "\n"]
    assert char.join(["a", " ", "b", "<unk>"]) == "a b<unk>"


def test_words_of_cleaned_text_are_those_of_split() -> None:
    text = " the time  traveller for so "
    assert trained("word").tokenize(text) == text.split()


def test_words_of_raw_text() -> None:
    tokens = trained("word").tokenize("Don't (stop), “half-way”--well...\n3.5 cafe\u0301!\n")
    assert tokens == [
        *("Don't", "(", "stop", ")", ",", "“", "half-way", "”", "--", "well", "...", "\n"),
        *("3.5", "cafe\u0301", "!", "\n"),
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


def test_words_take_time_linear_in_the_text() -> None:
    for hard in ("a'", "a-", "a_", "🇫", "\"'", "א'", "1,", "\u0301", "中"):
        assert WordTokenizer().join(WordTokenizer().tokenize(hard * 5000)) == hard * 5000


def test_old_words_keep_their_rules() -> None:
    old = tokenizer_from_state({"name": "word"})
    assert old.tokenize("7,20 --") == ["7", ",", "20", "--"]
    assert old.join(["7", ",", "20"]) == "7, 20"
    assert (old.name, old.state()) == ("word_1", {"name": "word"})


@pytest.mark.parametrize("name", ["bpe", "unigram"])
def test_old_subwords_keep_their_rules_and_cut_ordinary_text_alike(name: str) -> None:
    old, new = OLD_SUBWORDS[f"{name}_1"].train(iter(STORY), 90), SUBWORDS[name].train(iter(STORY), 90)
    again = tokenizer_from_state(json.loads(json.dumps(old.state())))
    assert again.name == f"{name}_1"
    assert again.tokenize("the fox <unk>")[-1] == "<unk>"
    assert new.tokenize(STORY[0]) == old.tokenize(STORY[0]) == again.tokenize(STORY[0])
    assert new.pieces == old.pieces


def test_old_wordpiece_keeps_its_rules() -> None:
    old = tokenizer_from_state(json.loads(json.dumps(OLD_SUBWORDS["wordpiece_1"].train(iter(STORY), 90).state())))
    assert old.join(old.tokenize("the fox, hen")) == "the fox, hen"
    assert old.tokenize("the a" + "x" * 101)[-1].endswith("xxx")


@pytest.mark.parametrize("text", WRITTEN)
def test_words_join_to_what_was_written(text: str) -> None:
    word = WordTokenizer()
    assert word.join(word.tokenize(text)) == text


def test_join_of_words_alone() -> None:
    assert trained("word").join(["a", "b", "<unk>"]) == "a b <unk>"
    assert trained("word").join([]) == ""


@pytest.mark.parametrize("text", [STRANGE, *STORY, "", " ", "\r\n", "".join(map(chr, range(0x300)))])
def test_bpe_loses_nothing(text: str) -> None:
    bpe = trained("bpe", 300)
    assert bpe.join(bpe.tokenize(text)) == text


@pytest.mark.parametrize("text", ["the quick fox\nran, sadly\n", " and  two spaces ", "hen\n\nhen"])
def test_unigram_loses_nothing_of_known_characters(text: str) -> None:
    unigram = trained("unigram")
    known = text.replace("p", "n").replace("c", "q").replace("m", "n")
    assert unigram.join(unigram.tokenize(known)) == known


def test_wordpiece_marks_later_pieces() -> None:
    wordpiece = trained("wordpiece", 60)
    tokens = wordpiece.tokenize("the sadfox")
    assert tokens[0] == "the"
    assert len(tokens) > 2
    assert all(token.startswith("##") for token in tokens[2:])
    assert not tokens[1].startswith("##")
    assert wordpiece.join(tokens) == "the sadfox"


def test_subwords_learn_frequent_words() -> None:
    assert trained("bpe", 400).tokenize(" saw the other") == ["Ġsaw", "Ġthe", "Ġother"]
    assert trained("unigram", 80).tokenize(" saw the other")[-2:] == ["▁the", "▁other"]
    assert trained("wordpiece", 120).tokenize("saw the other") == ["saw", "the", "other"]


@pytest.mark.parametrize("name", SUBWORDS)
def test_unk_is_the_first_piece_and_no_piece_comes_twice(name: str) -> None:
    pieces = trained(name).pieces
    assert pieces[0] == "<unk>"
    assert len(set(pieces)) == len(pieces)


@pytest.mark.parametrize("name", SUBWORDS)
def test_vocab_size_is_reached_where_the_text_allows(name: str) -> None:
    least = len(trained(name, 1).pieces)
    assert len(trained(name, least + 10).pieces) == least + 10
    assert len(trained(name, 100_000).pieces) < 1000


@pytest.mark.parametrize("name", SUBWORDS)
def test_text_too_small_to_learn_from(name: str) -> None:
    for lines in ([], ["\n"], ["a"]):
        tokenizer = SUBWORDS[name].train(iter(lines), 5)
        assert tokenizer.pieces[0] == "<unk>"
        assert tokenizer.join(tokenizer.tokenize("a" if lines == ["a"] else "")) == ("a" if lines == ["a"] else "")


@pytest.mark.parametrize("name", ["wordpiece", "unigram"])
def test_what_has_no_piece_appears_as_written(name: str) -> None:
    assert any("😀" in token for token in trained(name).tokenize("the 😀"))


@pytest.mark.parametrize("name", TOKENIZERS)
def test_lines_are_tokenized_as_one_by_one(name: str) -> None:
    tokenizer = trained(name)
    assert list(tokenizer.tokenize_lines(STORY)) == [tokenizer.tokenize(line) for line in STORY]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_state_is_json_and_rebuilds(name: str) -> None:
    tokenizer = trained(name)
    again = tokenizer_from_state(json.loads(json.dumps(tokenizer.state())))
    assert type(again) is type(tokenizer)
    assert again.state() == tokenizer.state()
    assert again.tokenize(STORY[0] + "unseen Q\n") == tokenizer.tokenize(STORY[0] + "unseen Q\n")


def test_training_is_equal_in_every_process_and_silent() -> None:
    script = f"""
import hashlib
from seqlab.text.tokenize import SUBWORDS
for name, kind in SUBWORDS.items():
    print(hashlib.sha1(str(kind.train(iter({STORY!r}), 90).state()).encode()).hexdigest())
"""
    runs = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True) for _ in range(3)]
    assert [run.stderr for run in runs] == [""] * 3
    assert len(runs[0].stdout.split()) == len(SUBWORDS)
    assert len({run.stdout for run in runs}) == 1


def test_text_imports_no_torch() -> None:
    script = "import sys, seqlab.text.codec; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"


def test_unknown_tokens_are_named() -> None:
    with pytest.raises(UserError, match=r"^unknown tokens 'wrd'; did you mean 'word'\?$"):
        tokenizer_from_state({"name": "wrd"})

import json

import pytest

from seqlab.text.rules_1 import WordTokenizer1
from seqlab.text.tokenize import OLD_SUBWORDS, SUBWORDS, tokenizer_from_state

STORY = [f"the {a} {b} saw the other {b}, and {a}ly ran\n" for a in ("quick", "slow", "sad") for b in ("fox", "hen")]


def test_words() -> None:
    tokens = ["Don't", "go", "--", "“", "now", "”", "...", "3", ".", "5", "\n"]
    assert WordTokenizer1().tokenize("Don't go--“now”... 3.5\n") == tokens


def test_words_are_joined_as_text_is_usually_written() -> None:
    assert WordTokenizer1().join(["He", ":", '"', "no", '"', "(", "x", ")", "\n", "he"]) == 'He: "no" (x)\nhe'


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

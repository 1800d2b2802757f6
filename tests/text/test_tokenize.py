import json
import subprocess
import sys

import pytest

from seqlab.errors import UserError
from seqlab.text.tokenize import SUBWORDS, TOKENIZERS, Tokenizer, tokenizer_from_state

STORY = [f"the {a} {b} saw the other {b}, and {a}ly ran\n" for a in ("quick", "slow", "sad") for b in ("fox", "hen")]


def trained(name: str, vocab_size: int = 80) -> Tokenizer:
    return SUBWORDS[name].train(iter(STORY), vocab_size) if name in SUBWORDS else TOKENIZERS[name]()


def test_char() -> None:
    char = trained("char")
    assert char.tokenize("a b\n") == ["a", " ", "b", "\n"]
    assert char.join(["a", " ", "b", "<unk>"]) == "a b<unk>"


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

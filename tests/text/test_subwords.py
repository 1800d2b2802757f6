import pytest
from tokenizers import Tokenizer as Library
from tokenizers import models

from seqlab.text.codec import Codec
from seqlab.text.subwords import (
    LONGEST_LEARNED,
    MARKED,
    BPETokenizer,
    SubwordTokenizer,
    UnigramTokenizer,
    in_id_order,
    in_parts,
    train_bpe,
)
from seqlab.text.tokenize import SUBWORDS

STORY = [f"the {a} {b} saw the other {b}, and {a}ly ran\n" for a in ("quick", "slow", "sad") for b in ("fox", "hen")]
STRANGE = "naïve 😀👩‍🚀 \u202eтест\n\ttab  two ▁ <unk> don't\n"


def test_the_most_frequent_pair_is_the_first_piece_after_the_characters() -> None:
    library = Library(models.BPE())
    assert train_bpe(library, ["bc", "abc", "bc"], 5) == ["a", "b", "c", "bc", "abc"]
    assert in_id_order(library) == ["a", "b", "c", "bc", "abc"]
    assert train_bpe(Library(models.BPE()), ["bc", "abc", "bc"], 5, ["<unk>"], "z") == ["<unk>", "a", "b", "c", "z"]


def test_marks_and_spaces_change_places_there_and_back() -> None:
    assert "a b▁c".translate(MARKED) == "a▁b c"
    assert "a b▁c".translate(MARKED).translate(MARKED) == "a b▁c"


@pytest.mark.parametrize("kind", [BPETokenizer, UnigramTokenizer])
def test_what_is_written_like_a_reserved_token_is_no_piece(kind: type[SubwordTokenizer]) -> None:
    learned = kind.train(["a<unk>b <pad>\n"] * 50, 400)
    assert not {"<unk>", "<pad>"} & {*learned.pieces[1:]}
    tokens = learned.tokenize("a<unk>b")
    assert "<unk>" not in tokens
    assert learned.join(tokens) == "a<unk>b"


def trained(kind: type[SubwordTokenizer], vocab_size: int) -> SubwordTokenizer:
    return kind.train(iter(STORY), vocab_size)


@pytest.mark.parametrize("text", [STRANGE, *STORY, "", " ", "\r\n", "".join(map(chr, range(0x300)))])
def test_bpe_loses_nothing(text: str) -> None:
    bpe = trained(BPETokenizer, 300)
    assert bpe.join(bpe.tokenize(text)) == text


@pytest.mark.parametrize("text", ["the quick fox\nran, sadly\n", " and  two spaces ", "hen\n\nhen"])
def test_unigram_loses_nothing_of_known_characters(text: str) -> None:
    unigram = trained(UnigramTokenizer, 80)
    known = text.replace("p", "n").replace("c", "q").replace("m", "n")
    assert unigram.join(unigram.tokenize(known)) == known


def test_subwords_learn_frequent_words() -> None:
    assert trained(BPETokenizer, 400).tokenize(" saw the other") == ["Ġsaw", "Ġthe", "Ġother"]
    assert trained(UnigramTokenizer, 80).tokenize(" saw the other")[-2:] == ["▁the", "▁other"]


@pytest.mark.parametrize("text", ["", "a few words", "x" * 10, " " * 10, "words of a line that is long enough " * 3])
def test_a_text_of_words_is_left_whole(text: str) -> None:
    assert in_parts(text, 10) == [text]


@pytest.mark.parametrize("text", ["x" * 35, " " * 35, f"two words {'x' * 25} and\t{'y' * 25}\n", "é\n" * 40])
def test_vast_words_are_cut_and_nothing_is_lost(text: str) -> None:
    parts = in_parts(text, 10)
    assert "".join(parts) == text
    assert max(map(len, parts)) <= 11


@pytest.mark.parametrize("tokens", ["bpe", "wordpiece", "unigram"])
def test_no_vast_word_is_learned_from(tokens: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    kind, lines = SUBWORDS[tokens], ["some words\n", "x" * 50_000 + "\n"]
    learn = kind.train
    monkeypatch.setattr(kind, "train", lambda given, size: learn(seen.extend(given) or seen, size))
    codec = Codec.build(lambda: iter(lines), "raw", tokens, vocab_size=60)
    assert max(map(len, seen)) <= LONGEST_LEARNED + 1
    assert "".join(seen) == "".join(lines)
    assert len([*codec.encode_lines(iter(lines))]) == 1


@pytest.mark.parametrize("tokens", ["bpe", "unigram"])
def test_a_vast_word_is_read_in_parts_and_comes_back(tokens: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = SUBWORDS[tokens].train(["some words and others\n"] * 3, 300)
    text = "some" * 30 + " words\n"
    whole = trained.tokenize(text)
    monkeypatch.setattr("seqlab.text.subwords.LONGEST_READ", 40)
    assert trained.join(trained.tokenize(text)) == trained.join(whole) == text
    assert [*trained.tokenize_lines(["words\n", text])] == [trained.tokenize("words\n"), trained.tokenize(text)]

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import models

from seqlab.text.subwords import MARKED, BPETokenizer, SubwordTokenizer, UnigramTokenizer, in_id_order, train_bpe

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

import json
import math

from tokenizers import Tokenizer as Library
from tokenizers import models

from seqlab.text.unigram import fit_unigram


def fitted(candidates: list[str], words: dict[str, int], vocab_size: int) -> dict[str, float]:
    """The pieces and their scores."""
    library = Library(models.Unigram([("<unk>", 0.0)], unk_id=0))
    fit_unigram(library, candidates, words, vocab_size)
    return dict(json.loads(library.to_str())["model"]["vocab"])


def test_scores_by_hand() -> None:
    """Both words are one piece each: log (count + 1) / (4 occurrences + 4 pieces)."""
    found = fitted(["a", "b", "ab", "ba"], {"ab": 3, "ba": 1}, 9)
    shares = {"ab": 4 / 8, "ba": 2 / 8, "a": 1 / 8, "b": 1 / 8}
    assert found == {"<unk>": 0.0, **{piece: round(math.log(share), 6) for piece, share in shares.items()}}


def test_the_least_used_pieces_go_and_characters_stay() -> None:
    words = {"abab": 5, "cd": 1}
    whole = fitted(["a", "b", "c", "d", "ab", "cd", "abab"], words, 99)
    assert set(whole) == {"<unk>", "a", "b", "c", "d", "abab", "cd"}  # ab is never part of the best segmentation
    small = fitted(["a", "b", "c", "d", "ab", "cd", "abab"], words, 6)
    assert set(small) == {"<unk>", "a", "b", "c", "d", "abab"}


def test_the_unknown_piece_is_no_candidate_and_ties_are_settled_by_order() -> None:
    one, two = (fitted(["<unk>", "a", "b", *pair], {"ab": 2, "ba": 2}, 5) for pair in (("ab", "ba"), ("ba", "ab")))
    assert [*one][:2] == ["<unk>", "ab"]
    assert [*two][:2] == ["<unk>", "ba"]

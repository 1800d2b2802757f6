import numpy as np
import pytest

from seqlab.nn import expectation
from seqlab.nn.expectation import BOS, EOS, UNK, blocks_of, entries_of, expected, flat

NULL = SIZE = 8
"""The id of the empty source word, and the number of target words."""


def test_rows_behind_each_other() -> None:
    ids, lengths = flat([[4, 5], [], np.array([6], dtype=np.uint8)])
    assert (ids.tolist(), lengths.tolist()) == ([4, 5, 6], [2, 0, 1])
    assert [part.tolist() for part in flat([])] == [[], []]


def test_every_target_word_stands_beside_every_source_word_and_the_empty_one() -> None:
    ((keys, widths),) = entries_of([[4], [5, 6]], [[7, EOS], [UNK, BOS]], NULL, SIZE)
    assert widths.tolist() == [2, 3]  # ends and beginnings are no words
    pairs = [(4, 7), (NULL, 7), (5, UNK), (6, UNK), (NULL, UNK)]
    assert keys.tolist() == [e * SIZE + f for e, f in pairs]


def test_a_word_is_shared_by_probability() -> None:
    keys, blocks = blocks_of([[4], [4]], [[5], [5]], NULL, SIZE)
    assert keys.tolist() == [4 * SIZE + 5, NULL * SIZE + 5]
    assert expected(np.array([0.6, 0.2]), blocks).tolist() == pytest.approx([1.5, 0.5])


def test_no_words_make_no_blocks() -> None:
    assert blocks_of([[4]], [[EOS]], NULL, SIZE)[1] == []


def test_blocks_are_cut_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [[4, 5], [6], [5, 4, 6]], [[7, 6], [5], [4, 7]]
    keys, (whole,) = blocks_of(*rows, NULL, SIZE)
    t = np.linspace(0.1, 0.9, len(keys))
    monkeypatch.setattr(expectation, "BLOCK", 4)
    again, parts = blocks_of(*rows, NULL, SIZE)
    assert len(parts) > 2
    assert np.concatenate([part.widths for part in parts]).tolist() == whole.widths.tolist() == [3, 3, 2, 4, 4]
    assert again.tolist() == keys.tolist()
    np.testing.assert_allclose(expected(t, parts), expected(t, [whole]), rtol=1e-12)

import json
from pathlib import Path

import numpy as np
import pytest

from seqlab.errors import UserError
from seqlab.text.vocab import Vocab

COUNTS = {"b": 2, "the": 5, "a": 2, "rare": 1}


def test_most_frequent_first_ties_alphabetical() -> None:
    vocab = Vocab(COUNTS)
    assert vocab.tokens(range(5)) == ["<unk>", "the", "a", "b", "rare"]
    assert vocab.frequencies == [("the", 5), ("a", 2), ("b", 2), ("rare", 1)]
    assert len(vocab) == 5
    assert vocab.unk == 0


@pytest.mark.parametrize(("min_freq", "size"), [(0, 5), (1, 5), (2, 4), (3, 2), (6, 1)])
def test_min_freq(min_freq: int, size: int) -> None:
    assert len(Vocab(COUNTS, min_freq)) == size


def test_reserved_tokens_come_first() -> None:
    vocab = Vocab(COUNTS, reserved=("<unk>", "<pad>", "<bos>"))
    assert vocab[["<unk>", "<pad>", "<bos>", "the"]] == [0, 1, 2, 3]
    assert Vocab(COUNTS, reserved=("<pad>",)).tokens([0, 1]) == ["<unk>", "<pad>"]


def test_a_reserved_name_in_the_text_has_one_id() -> None:
    vocab = Vocab({"<pad>": 9, "<unk>": 8, "a": 1}, reserved=("<unk>", "<pad>", "<pad>"))
    assert vocab.tokens(range(len(vocab))) == ["<unk>", "<pad>", "a"]
    assert vocab.frequencies == [("a", 1)]


def test_nested_lookup_both_ways() -> None:
    vocab = Vocab(COUNTS)
    assert vocab["the"] == 1
    assert vocab[["the", ["b", "never"], []]] == [1, [3, 0], []]
    assert vocab.tokens([1, [3, 0], []]) == ["the", ["b", "<unk>"], []]
    assert vocab.tokens(np.array([[1, 2], [3, 4]], dtype=np.uint8)) == [["the", "a"], ["b", "rare"]]
    assert vocab.tokens(np.int64(2)) == "a"
    assert vocab.ids(["the", "never", "b"]) == [1, 0, 3]


def test_contains() -> None:
    vocab = Vocab(COUNTS, min_freq=2)
    assert "a" in vocab
    assert "rare" not in vocab


@pytest.mark.parametrize("wrong", [-1, 5])
def test_ids_out_of_range(wrong: int) -> None:
    with pytest.raises(IndexError, match=rf"^id {wrong} is not in this vocabulary; its ids are 0 to 4$"):
        Vocab(COUNTS).tokens([0, wrong])


def test_id_of_demands_the_token() -> None:
    assert Vocab(COUNTS).id_of("the") == 1
    with pytest.raises(LookupError, match=r"^the vocabulary has no token '<pad>'; reserved are <unk>$"):
        Vocab(COUNTS).id_of("<pad>")


def test_in_order_keeps_the_order() -> None:
    vocab = Vocab.in_order(["<unk>", "z", "a"], reserved=("<unk>", "<pad>"))
    assert vocab.tokens(range(4)) == ["<unk>", "<pad>", "z", "a"]


@pytest.mark.parametrize("vocab", [Vocab(COUNTS, reserved=("<unk>", "<eos>")), Vocab.in_order(["z", "a"]), Vocab({})])
def test_state_and_file_rebuild_the_vocabulary(vocab: Vocab, tmp_path: Path) -> None:
    vocab.save(tmp_path / "vocab.json")
    for again in (Vocab.from_state(json.loads(json.dumps(vocab.state()))), Vocab.load(tmp_path / "vocab.json")):
        assert again.state() == vocab.state()
        assert again.tokens(range(len(vocab))) == vocab.tokens(range(len(vocab)))
    assert [file.name for file in tmp_path.iterdir()] == ["vocab.json"]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot read the vocabulary .*none\.json: no such file or directory; name a"):
        Vocab.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"reserved": ["<unk>"], "tok',
        b"[]",
        b'{"reserved": ["<unk>"]}',
        b'{"reserved": ["<unk>"], "tokens": ["a"], "counts": []}',
        b'{"reserved": ["<unk>"], "tokens": ["a", "a"], "counts": [1, 1]}',
        b'{"reserved": [], "tokens": ["a"], "counts": [1]}',
        b'{"reserved": ["<unk>"], "tokens": [1], "counts": [1]}',
        b"\xff\xfe\x00",
    ],
)
def test_damaged_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "vocab.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"vocab\.json holds no vocabulary or a damaged one; write it again with"):
        Vocab.load(path)


def test_save_fails_whole(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot save the vocabulary to .*: no such file or directory; name a file"):
        Vocab(COUNTS).save(tmp_path / "missing" / "vocab.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot save the vocabulary"):
        Vocab(COUNTS).save(tmp_path / "folder")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]

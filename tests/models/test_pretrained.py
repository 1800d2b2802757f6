from pathlib import Path

import pytest
import torch
from torch import nn

from seqlab.errors import UserError
from seqlab.models.pretrained import set_vectors
from seqlab.text.vocab import Vocab


@pytest.fixture
def vocab() -> Vocab:
    return Vocab({"dog": 3, "cat": 2, "sofa": 1})


def test_rows_of_tokens_that_have_a_vector(vocab: Vocab, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("cat 1 2\nbird 3 4\ndog 5 6\n")
    embedding = nn.Embedding(len(vocab), 2, dtype=torch.float64)
    before = embedding.weight.detach().clone()
    said = set_vectors(embedding, str(tmp_path / "v.txt"), vocab, "words")
    assert said == "vectors of 2 of 4 words from v.txt"
    assert embedding.weight[vocab.ids(["dog", "cat"])].tolist() == [[5, 6], [1, 2]]
    assert torch.equal(embedding.weight[vocab.ids(["sofa", "<unk>"])], before[vocab.ids(["sofa", "<unk>"])])
    assert embedding.weight.requires_grad


def test_a_file_below_the_home_folder(vocab: Vocab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "v.txt").write_text("cat 1 2\n")
    assert set_vectors(nn.Embedding(4, 2), "~/v.txt", vocab) == "vectors of 1 of 4 tokens from v.txt"


def test_vectors_of_another_size(vocab: Vocab, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("cat 1 2\n")
    with pytest.raises(
        UserError, match="has a vector of size 2, but embedding_size is 3; give --model.embedding_size 2"
    ):
        set_vectors(nn.Embedding(4, 3), str(tmp_path / "v.txt"), vocab)

import pytest
import torch

from seqlab.analysis.embeddings import nearest, shown_token


def test_nearest_by_hand() -> None:
    vectors = torch.tensor([[1.0, 0.0], [10.0, 0.0], [1.0, 1.0], [-1.0, 0.0]])
    first, last = nearest(vectors, [0, 3], 2)
    assert [near.id for near in first] == [1, 2]
    assert [near.cosine for near in first] == pytest.approx([1, 0.5**0.5])
    assert [near.id for near in last] == [2, 1] or last[1].cosine == pytest.approx(-1)


def test_no_more_than_there_are() -> None:
    assert len(nearest(torch.eye(3), [1], 10)[0]) == 2


@pytest.mark.parametrize(("token", "shown"), [("the", "the"), (" ", "␣"), ("\n", "⏎"), ("\t", "\\t"), ("é", "é")])
def test_tokens_that_are_seen(token: str, shown: str) -> None:
    assert shown_token(token) == shown

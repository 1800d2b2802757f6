import pytest
import torch

from seqlab.nn.string_grams import grams_of


@pytest.mark.parametrize("order", [1, 2, 3])
def test_what_follows_every_context_sums_to_one(order: int) -> None:
    table = grams_of([[0, 1, 1], [], [2]], 3, order)
    assert table.shape == (4 ** (order - 1), 4)
    assert torch.allclose(table.exp().sum(1), torch.ones(len(table), dtype=torch.float64))


def test_shares_are_those_counted_mixed_with_shorter_ones() -> None:
    """Of 0 0 end and 1 end: three times of five a symbol, twice the end; after 0 once 0 and once the end."""
    table = grams_of([[0, 0], [1]], 2, 2, smoothing=1.0).exp()
    one = [(count + 1 / 3) / (5 + 1) for count in (2, 1, 2)]
    assert table[1].tolist() == pytest.approx(
        [(count + share) / (2 + 1) for count, share in zip((1, 0, 1), one, strict=True)]
    )
    assert table[0].tolist() == pytest.approx(
        [(count + share) / (2 + 1) for count, share in zip((1, 1, 0), one, strict=True)]
    )
    assert table[2].tolist() == pytest.approx(
        [(count + share) / (1 + 1) for count, share in zip((0, 0, 1), one, strict=True)]
    )


def test_a_context_is_the_last_symbols() -> None:
    table = grams_of([[0, 1, 2]] * 50, 3, 3).exp()
    assert int(table[1 * 4 + 2].argmax()) == 2  # after 0 1
    assert int(table[2 * 4 + 3].argmax()) == 3  # after 1 2 the end
    assert int(table[0].argmax()) == 0

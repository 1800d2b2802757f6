import math

import torch

from seqlab.nn.positions import Rotation, sinusoidal

LIKE = torch.empty(0)


def test_sinusoidal_positions_by_hand() -> None:
    table = sinusoidal(3, 4, 6, LIKE)
    assert table.shape == (4, 6)
    for row, p in enumerate(range(3, 7)):
        for i in range(3):
            angle = p / 10_000 ** (2 * i / 6)
            assert math.isclose(table[row, 2 * i], math.sin(angle), abs_tol=1e-5)
            assert math.isclose(table[row, 2 * i + 1], math.cos(angle), abs_tol=1e-5)


def test_rotation_turns_pairs_and_keeps_their_length() -> None:
    heads = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    turned = Rotation(5, 4, LIKE)(heads)
    torch.testing.assert_close(turned[:, :, 0], heads[:, :, 0])
    torch.testing.assert_close(turned.norm(dim=-1), heads.norm(dim=-1))
    angle, u, v = 2 / 10_000 ** (2 * 1 / 4), heads[0, 0, 2, 1], heads[0, 0, 2, 3]
    expected = u * math.cos(angle) - v * math.sin(angle)
    torch.testing.assert_close(turned[0, 0, 2, 1], expected)


def test_fewer_vectors_than_positions_are_the_last_ones() -> None:
    heads = torch.randn(1, 1, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Rotation(5, 4, LIKE)(heads[:, :, 3:]), Rotation(5, 4, LIKE)(heads)[:, :, 3:])

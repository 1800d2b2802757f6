import numpy as np
import pytest

from seqlab.data.drawn_digits import STROKES, drawn_digit, drawn_digits


def test_there_is_a_stroke_for_each_digit() -> None:
    assert sorted(STROKES) == [*"0123456789"]


@pytest.mark.parametrize("size", [8, 28])
def test_ink_is_light_and_stays_inside(size: int) -> None:
    drawn = drawn_digits(100, size)
    assert drawn.pixels.shape == (100, size, size)
    assert drawn.pixels.dtype == np.uint8
    assert (drawn.pixels.max((1, 2)) > 120).all()
    assert 0.05 < drawn.pixels.mean() / 255 < 0.3


def test_one_is_drawn_alike_alone_and_among_others() -> None:
    assert np.array_equal(drawn_digits(8, 12).pixels[7], drawn_digit(7, 12))

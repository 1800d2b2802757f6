import numpy as np
import pytest

from seqlab.errors import UserError
from seqlab.text.any_codec import codec_of
from seqlab.text.strip import Strip


def test_a_picture_is_read_from_left_to_right() -> None:
    picture = np.array([[0, 9, 0, 0], [0, 8, 0, 0], [0, 7, 0, 0], [0, 0, 0, 0]], dtype=np.uint8)
    assert Strip(4).columns(picture).tolist() == [[0] * 4, [9, 8, 7, 0], [0] * 4, [0] * 4]


def test_dark_signs_on_light_paper_are_turned_around() -> None:
    picture = np.full((5, 6), 255, dtype=np.uint8)
    picture[2, 3] = 5
    read = Strip(5).columns(picture)
    assert read[3, 2] == 250
    assert read.sum() == 250


def test_another_height_is_scaled_with_the_width() -> None:
    picture = np.zeros((8, 20), dtype=np.uint8)
    picture[:, 10:] = 200
    for height, wide in ((4, 10), (16, 40)):
        read = Strip(height).scaled(picture)
        assert read.shape == (height, wide)
        assert (read[:, : wide // 2 - 2] == 0).all()
        assert (read[:, wide // 2 + 2 :] == 200).all()


def test_a_picture_that_would_be_too_wide_is_refused() -> None:
    with pytest.raises(UserError, match="a picture of 5,000 x 1 dots would be 140,000 columns wide at the 28 rows"):
        Strip(28).columns(np.zeros((1, 5000), dtype=np.uint8))


def test_its_state_makes_it_again() -> None:
    again = codec_of(Strip(28).state())
    assert isinstance(again, Strip)
    assert again.vocab_size == again.height == 28

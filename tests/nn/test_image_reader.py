import pytest
import torch

from seqlab.errors import UserError
from seqlab.nn.image_reader import ImageReader, Seen

PIXELS = torch.arange(12, dtype=torch.uint8).view(2, 2, 3) * 20
SHAPES = {"vector": (2, 6), "image": (2, 1, 2, 3), "rows": (2, 2, 3), "pixels": (2, 6, 1)}


@pytest.mark.parametrize("view", SHAPES)
def test_each_view_has_its_shape_and_all_have_the_same_numbers(view: str) -> None:
    reader = ImageReader(Seen(2, 3, view, mean=0.2, deviation=0.5), [*SHAPES])
    found = reader(PIXELS)
    assert found.shape == SHAPES[view]
    assert torch.allclose(found.flatten(1), (PIXELS.flatten(1) / 255 - 0.2) / 0.5)


def test_steps_and_their_width() -> None:
    rows, pixels = (ImageReader(Seen(2, 3, view), ["rows", "pixels"]) for view in ("auto", "pixels"))
    assert (rows.view, rows.steps, rows.width) == ("rows", 2, 3)
    assert (pixels.steps, pixels.width) == (6, 1)


def test_pixels_are_read_in_the_order_asked_for() -> None:
    order = [3, 0, 5, 1, 4, 2]
    found = ImageReader(Seen(2, 3, "vector", order), ["vector"])(PIXELS)
    assert torch.allclose(found, PIXELS.flatten(1)[:, order] / 255)


def test_a_view_that_a_network_does_not_read_is_refused() -> None:
    with pytest.raises(UserError, match="does not read --data.view image; it reads rows and pixels"):
        ImageReader(Seen(2, 3, "image"), ["rows", "pixels"])

import numpy as np

from seqlab.views.wrong_images import draw_wrong

ITEMS = {
    "item": [0, 1, 2],
    "label": ["3", "5", "9"],
    "predicted": ["3", "6", "4"],
    "probability": [0.9, 0.6, 0.8],
    "correct": [1, 0, 0],
}


def test_the_wrong_images_are_drawn_the_surest_first() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    figure = draw_wrong(ITEMS, pixels)
    assert figure is not None
    drawn = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in drawn] == ["4 for 9, 0.80", "6 for 5, 0.60"]
    assert np.array_equal(drawn[0].images[0].get_array(), pixels[2])


def test_nothing_is_drawn_where_all_are_right() -> None:
    assert draw_wrong({**ITEMS, "correct": [1, 1, 1]}, np.zeros((3, 2, 2), np.uint8)) is None

from pathlib import Path

import numpy as np

from seqlab.analysis.alignments import Alignment, StringInspection, draw_alignment


def alignment(symbols: str = "31") -> Alignment:
    columns = np.zeros((9, 6), dtype=np.uint8)
    columns[1:3], columns[6] = 200, 255
    chances = np.full((5, 5), 0.02)
    chances[[0, 1, 2, 3, 4], [0, 4, 0, 2, 0]] = 0.92
    steps = [(1, 1, 0.92), (3, 3, 0.92)][: len(symbols)]
    return Alignment(columns, chances, [*"0123"], 2, [*symbols], steps, 0.8)


def test_places_are_columns_of_the_picture_as_it_was_given() -> None:
    assert [(one["first"], one["last"]) for one in alignment().places()] == [(2, 3), (6, 7)]
    assert [(one["first"], one["last"]) for one in alignment().places(2.0)] == [(4, 7), (12, 15)]
    last = alignment()._replace(symbols=["3"], steps=[(4, 4, 0.5)])
    assert [(one["first"], one["last"]) for one in last.places()] == [(8, 8)]


def test_a_picture_stands_over_the_probabilities() -> None:
    figure = draw_alignment("31", alignment())
    picture, chances = figure.axes
    assert picture.get_title() == "predicted 31, true 31"
    assert np.array_equal(picture.images[0].get_array(), alignment().columns.T)
    assert [line.get_label() for line in chances.lines] == ["blank", "1", "3"]
    assert chances.lines[0].get_xdata().tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert [text.get_text() for text in chances.texts] == [*"31"]
    assert draw_alignment("", alignment("")).axes[0].get_title() == "predicted nothing"


def test_it_is_told_and_drawn(tmp_path: Path) -> None:
    found = StringInspection("run", [("31", alignment()), ("", alignment(""))])
    told = str(found).splitlines()
    assert told[0] == "run, 0: 31 for 31, probability 0.8000"
    assert told[1] == "  3  columns    2 to    3  0.9200"
    assert told[-1] == "run, 1: (nothing), probability 0.8000"
    written = StringInspection.draw([found], tmp_path)
    assert [path.name for path in written] == ["run-0.png", "run-1.png"]
    assert all(path.stat().st_size > 1000 for path in written)

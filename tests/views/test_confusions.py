import numpy as np

from seqlab.views.confusions import coloured, draw_confusion, escaped, listed

ITEMS = {
    "text": ["one", "two | three", "four"],
    "label": ["a", "b", "a"],
    "predicted": ["a", "a", "b"],
    "probability": [0.6, 0.9, 0.7],
    "correct": [1, 0, 0],
}


class Stub:
    def evaluate(self, data: object, split: object, items: bool) -> None: ...

    def word_weights(self, texts: list[str]) -> list[list[tuple[str, float]]]:
        return [[("<b>", 0.25), ("word", 0.75)] for _ in texts[:1]]


def test_the_wrong_ones_come_first_the_surest_first() -> None:
    lines = listed(ITEMS).splitlines()[2:]
    assert lines == ["| 0.90 | a | b | two / three |", "| 0.70 | b | a | four |", "| 0.60 | a | a | one |"]


def test_words_are_coloured_by_what_they_counted() -> None:
    html = coloured(Stub(), ITEMS)
    assert 'rgba(255, 140, 0, 0.33)">&lt;b&gt;</span>' in html
    assert 'rgba(255, 140, 0, 1.00)">word</span>' in html


def test_signs_of_html_and_markdown_are_escaped() -> None:
    assert escaped("a<b>|*_`&") == "a&lt;b&gt;&#124;&#42;&#95;&#96;&amp;"


def test_the_picture_has_a_row_a_class() -> None:
    figure = draw_confusion(np.array([[3, 1], [0, 5]]), ["no", "yes"])
    (axes, _) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["no", "yes"]
    assert sorted(text.get_text() for text in axes.texts) == ["0", "1", "3", "5"]

import re

import numpy as np
import pytest
import torch

from seqlab.analysis.activations import Saturation
from seqlab.analysis.pictures import (
    draw_gradient_flow,
    draw_gradient_history,
    draw_saturation,
    draw_units,
    units_as_html,
)


def test_gradients_are_drawn_relative_to_lag_one() -> None:
    (axes,) = draw_gradient_flow({"gru": torch.tensor([9.0, 4.0, 2.0, 0.0])}).axes
    (line,) = axes.lines
    assert [*line.get_xdata()] == [1, 2, 3]
    assert [*line.get_ydata()] == pytest.approx([1, 0.5, 1e-12])
    assert axes.get_yscale() == "log"


def test_a_history_has_a_column_for_each_moment() -> None:
    axes = draw_gradient_history([10, 2000], torch.tensor([[7.0, 1.0, 0.1, 1.0], [7.0, 10.0, 0.1, 1.0]])).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0, 0], [-1, -2], [0, -1]], atol=1e-6)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10", "2,000"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["1", "2"]


def test_a_dot_for_each_unit() -> None:
    gates = {"z": Saturation(torch.tensor([0.25, 0.0]), torch.tensor([0.5, 1.0]))}
    (axes,) = draw_saturation(gates).axes
    dots = axes.lines[0]
    assert (dots.get_label(), [*dots.get_xdata()], [*dots.get_ydata()]) == ("z", [0.5, 1.0], [0.25, 0.0])


def test_a_text_once_for_each_unit() -> None:
    tokens = ["a"] * 64 + ["\n"]
    values = torch.zeros(65, 2)
    values[64, 0] = 65.0
    first, second = draw_units(tokens, values, ["unit 3", "unit 1"]).axes
    assert [first.get_title(loc="left"), second.get_title(loc="left")] == ["unit 3", "unit 1"]
    strength = first.images[0].get_array()
    assert strength.shape == (2, 64)  # a row holds 64 tokens
    assert strength[1, 0] == pytest.approx(1)
    assert strength[0, 0] == pytest.approx(-1 / 64)
    assert [text.get_text() for text in first.texts][63:] == ["a", "⏎"]
    assert not np.any(second.images[0].get_array())


def test_a_page_escapes_and_says_values() -> None:
    page = units_as_html(["<b>", " ", "\n"], torch.tensor([[1.0], [0.0], [-1.0]]), ["unit <1>"])
    spans = re.findall(r'<span style="background:rgba\((.*?)\)" title="(.*?)">(.*?)</span>', page)
    assert spans == [
        ("255,60,60,1.00", "1.000", "&lt;b&gt;"),
        ("60,110,255,0.00", "0.000", " "),
        ("60,110,255,1.00", "-1.000", "⏎<br>"),
    ]
    assert "<h3>unit &lt;1&gt;</h3>" in page

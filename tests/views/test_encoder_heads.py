from types import SimpleNamespace
from typing import Any

import pytest
import torch

from seqlab.views.encoder_heads import HeadsView


@pytest.mark.parametrize("weights", [None, torch.full((1, 2, 40, 40), 1 / 40)])
def test_heads_are_drawn_over_the_first_validation_text(weights: torch.Tensor | None) -> None:
    read: list[str] = []
    drawn: list[tuple[str, int]] = []

    def attention(text: str) -> tuple[list[str], torch.Tensor | None]:
        read.append(text)
        return [str(word) for word in range(40)], weights

    model: Any = SimpleNamespace(attention=attention)
    writer: Any = SimpleNamespace(add_figure=lambda tag, figure, step, close: drawn.append((tag, step)))
    data = SimpleNamespace(inputs=lambda split: [f"first of {split}", "second"])
    HeadsView(True).show([writer], data, model, 7)
    assert read == ["first of val"]
    assert drawn == ([] if weights is None else [("watch pictures/attention by head", 7)])

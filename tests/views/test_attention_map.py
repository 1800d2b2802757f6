import numpy as np
import pytest
import torch

from seqlab.decoding.translation import Translation
from seqlab.errors import UserError
from seqlab.views.attention_map import draw_attention


def test_a_row_for_each_word_said() -> None:
    weights = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.5, 0.25]])
    axes = draw_attention(Translation("va", 0.0, ["go", ".", "<eos>"], ["va", "<eos>"], weights)).axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["go", ".", "<eos>"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["va", "<eos>"]
    assert axes.images[0].get_clim() == (0, 1)


def test_without_attention_there_is_nothing_to_draw() -> None:
    with pytest.raises(UserError, match="^this model has no attention to draw$"):
        draw_attention(Translation("va", 0.0, ["go"], ["va"], None))

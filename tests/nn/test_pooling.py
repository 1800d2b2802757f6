import pytest
import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.nn.pooling import Pooling


def steps() -> tuple[Tensor, Tensor]:
    """Two sequences of three steps and four units, the second one two steps long."""
    return torch.arange(24.0, dtype=torch.float64).view(2, 3, 4), torch.tensor(
        [[True, True, True], [True, True, False]]
    )


def test_pooling_by_hand() -> None:
    outputs, valid = steps()
    assert Pooling("mean", 4)(outputs, valid).vectors.tolist() == [[4, 5, 6, 7], [14, 15, 16, 17]]
    assert Pooling("max", 4)(outputs, valid).vectors.tolist() == [[8, 9, 10, 11], [16, 17, 18, 19]]
    assert Pooling("last", 4)(outputs, valid).vectors.tolist() == [[8, 9, 10, 11], [16, 17, 18, 19]]
    assert Pooling("last", 4, 2)(outputs, valid).vectors.tolist() == [[8, 9, 2, 3], [16, 17, 14, 15]]


def test_weights_of_pooling_by_hand() -> None:
    outputs, valid = steps()
    assert Pooling("mean", 4)(outputs, valid).weights.tolist() == [[1 / 3] * 3, [0.5, 0.5, 0]]
    assert Pooling("last", 4, 2)(outputs, valid).weights.tolist() == [[0.5, 0, 0.5], [0.5, 0.5, 0]]
    outputs[0, 1, 0] = 99
    assert Pooling("max", 4)(outputs, valid).weights.tolist() == [[0, 0.25, 0.75], [0, 1, 0]]


def test_attention_is_a_softmax_of_scores_over_real_steps() -> None:
    outputs, valid = steps()
    pooling = Pooling("attention", 4).double()
    pooled = pooling(outputs / 24, valid)
    for row, length in enumerate((3, 2)):
        h = outputs[row, :length] / 24
        a = torch.stack([torch.tanh(pooling.key.weight @ each + pooling.key.bias) @ pooling.energy for each in h])
        a = a.exp() / a.exp().sum()
        torch.testing.assert_close(pooled.weights[row, :length], a, rtol=0, atol=1e-12)
        torch.testing.assert_close(
            pooled.vectors[row], sum(w * each for w, each in zip(a, h, strict=True)), rtol=0, atol=1e-12
        )
    assert pooled.weights[1, 2] == 0


def test_unknown_pooling_is_refused() -> None:
    with pytest.raises(UserError, match="unknown pooling 'maxx': did you mean 'max'"):
        Pooling("maxx", 4)  # type: ignore[arg-type]

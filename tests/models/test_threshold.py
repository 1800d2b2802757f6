import pytest
import torch

from seqlab.models.threshold import BestThreshold


def best(probabilities: list[float], wanted: list[int]) -> float:
    metric = BestThreshold()
    for one, other in zip(probabilities, wanted, strict=True):
        metric.update(torch.tensor([one]), torch.tensor([other]))
    return float(metric.compute())


def test_it_lies_between_what_is_said_and_what_is_not() -> None:
    assert best([0.9, 0.4, 0.3, 0.1], [1, 1, 0, 0]) == pytest.approx(0.35)
    assert best([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0]) == pytest.approx(0.4)


def test_equal_probabilities_are_said_together() -> None:
    assert best([0.5, 0.5, 0.2], [1, 0, 0]) == pytest.approx(0.35)


def test_nothing_seen() -> None:
    assert float(BestThreshold().compute()) == 0.5

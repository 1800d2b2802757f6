import numpy as np
import pytest

from seqlab.models.classification_report import of_macro_f1

LABELS = ["a", "a", "a", "b", "b", "c"]
SAID = ["a", "a", "b", "b", "a", "c"]


def columns() -> dict[str, np.ndarray]:
    return {"label": np.array(LABELS), "predicted": np.array(SAID)}


def test_macro_f1_by_hand() -> None:
    expected = (2 * 2 / (3 + 3) + 2 * 1 / (2 + 2) + 1) / 3  # of a, b and c
    assert of_macro_f1(columns(), np.ones((1, 6)))[0] == pytest.approx(expected)


def test_macro_f1_of_a_resample_without_a_class() -> None:
    weights = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]])
    assert of_macro_f1(columns(), weights)[0] == pytest.approx((2 * 2 / 6 + 2 * 1 / 4) / 2)

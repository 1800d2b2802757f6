import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CORPORA

from seqlab.data.drawn_digits import drawn_digits
from seqlab.data.image_corpora import named_picture, read_digits, read_mnist
from seqlab.errors import UserError


def test_drawn_digits_are_always_the_same_and_differ_among_themselves() -> None:
    drawn = drawn_digits(30, 28)
    assert np.array_equal(drawn.pixels, drawn_digits(30, 28).pixels)
    assert drawn.labels[:12] == [*"012345678901"]
    assert len({image.tobytes() for image in drawn.pixels}) == 30
    assert np.array_equal(named_picture(drawn.names[17], (5, 5)), drawn.pixels[17])


def test_digits_are_those_of_scikit_learn() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    parts, name = read_digits()
    assert name == "digits"
    assert parts["train"].pixels.shape == (1797, 8, 8)
    assert parts["train"].pixels.max() == 255
    assert np.array_equal(named_picture("digits:5", (28, 28)), parts["train"].pixels[5])
    with pytest.raises(UserError, match="there are digits 0 to 1,796"):
        named_picture("digits:1797", (8, 8))


def test_the_sample_stands_in_for_both_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    monkeypatch.setattr("seqlab.data.image_corpora.verified", lambda *_: None)
    for (parts, name), size in ((read_digits(), 8), (read_mnist(), 28)):
        assert name == "sample"
        assert [*parts] == ["train"]
        assert parts["train"].pixels.shape[1:] == (size, size)
    assert "pip install 'seqlab[digits]'" in capsys.readouterr().err


def test_mnist_has_its_parts() -> None:
    if not (CORPORA / "mnist").is_dir():
        pytest.skip("this machine does not have MNIST")
    parts, name = read_mnist(CORPORA)
    assert name == "mnist"
    assert {split: len(part.labels) for split, part in parts.items()} == {"train": 60_000, "test": 10_000}
    assert parts["test"].labels[:5] == [*"72104"]

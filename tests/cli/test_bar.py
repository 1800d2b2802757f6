import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seqlab
from seqlab.cli import bar as bars

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "user_cache_dir", lambda name: str(tmp_path / "cache"))


@pytest.fixture
def small(small: list[str]) -> list[str]:
    """The same, with the bar."""
    place = small.index("--bar")
    return small[:place] + small[place + 2 :]


def counted(small: list[str]) -> list[str]:
    """The options of a small run on the same data, of the model that counts."""
    pairs = zip(small[::2], small[1::2], strict=True)
    return ["--model", "ngram", *(word for pair in pairs for word in pair if not pair[0].startswith("--model."))]


def test_fit_says_what_counting_reaches(verb: Command, small: list[str], here: Path) -> None:
    finished = verb("fit", *small, "--run", "r")
    assert finished.code == 0, finished.err
    result = json.loads((here / "lightning_logs/r/result.json").read_text())
    value = result["bar"]["metrics"]["val_perplexity"]
    assert f"The bar to beat, ngram: validation perplexity {value:.3f} (THIS RUN IS NOT BETTER: " in finished.out
    assert verb("fit", *counted(small), "--run", "n").code == 0
    assert seqlab.evaluate("lightning_logs/n/checkpoints/last.ckpt", split="val").perplexity == pytest.approx(value)


def test_it_is_measured_once(verb: Command, small: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = verb("fit", *small, "--run", "a").out
    monkeypatch.setattr(bars, "_measure", lambda *_: pytest.fail("counted again"))
    assert verb("fit", *small, "--run", "b").out.splitlines()[-1] == first.splitlines()[-1]


def test_where_it_takes_long_its_command_is_said(
    verb: Command, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "MOMENT", 0.0)
    monkeypatch.setattr(bars, "SHARE", 0.0)
    out = verb("fit", *small, "--run", "a").out
    (command,) = [line.strip() for line in out.splitlines() if "--model ngram" in line]
    assert command.startswith("python -m seqlab.fit --data text --data.path=")
    assert command.endswith("--model ngram")


@pytest.mark.parametrize("words", [("--bar", "none"), ("--data.val_fraction", "0")])
def test_where_there_is_none(verb: Command, small: list[str], words: tuple[str, ...]) -> None:
    finished = verb("fit", *small, *words, "--run", "a")
    assert finished.code == 0, finished.err
    assert "The bar" not in finished.out


def test_the_bar_has_none(verb: Command, small: list[str]) -> None:
    finished = verb("fit", *counted(small), "--run", "a")
    assert finished.code == 0, finished.err
    assert "The bar" not in finished.out

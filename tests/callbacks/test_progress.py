import math
import re
import sys
import time
from typing import Any

import lightning.pytorch as pl
import pytest

from seqlab.callbacks.progress import Bar, Lines, progress
from seqlab.callbacks.tally import Tally


@pytest.mark.parametrize(("terminal", "kind"), [(True, Bar), (False, Lines)])
def test_a_bar_on_a_terminal_and_lines_elsewhere(
    terminal: bool, kind: type[Bar | Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert type(progress(Tally())) is kind


class Losses(pl.Callback):
    """Keeps nats and tokens of each step, and the perplexity of each validation."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, int]] = []
        self.validations: list[float] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        self.steps.append((float(outputs["total"]), int(outputs["count"])))

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        self.validations.append(float(trainer.callback_metrics["val/perplexity"]))

    def perplexity(self, begin: int, end: int) -> float:
        nats, tokens = zip(*self.steps[begin:end], strict=True)
        return math.exp(sum(nats) / sum(tokens))


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch")]


def test_lines_hold_the_figures_since_the_line_before(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    tally, losses = Tally(), Losses()
    fit(losses, tally, Lines(tally, seconds=0.0), max_epochs=3, enable_progress_bar=True)
    lines = lines_of(capsys)
    assert lines[0] == "epoch 1/3 step 0: training starts"
    assert len(lines) == 4
    for number, line in enumerate(lines[1:], 1):
        train, val = losses.perplexity(10 * number - 10, 10 * number), losses.validations[number - 1]
        words = rf"epoch {number}/3 step {number}0: train ppl {train:.3f}, val ppl {val:.3f}, [\d,]+ tokens/s"
        assert re.fullmatch(words, line)


def test_within_an_epoch_lines_repeat_nothing(
    fit: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqlab.callbacks.progress.EARLY", 0.0)
    tally, losses = Tally(), Losses()
    fit(losses, tally, Lines(tally), max_epochs=2, enable_progress_bar=True)
    figures = [line for line in lines_of(capsys) if " ppl " in line]
    assert len(figures) == 21
    assert f"step 14: train ppl {losses.perplexity(13, 14):.3f}, " in "".join(figures)
    assert sum("val ppl" in line for line in figures) == 2
    assert re.fullmatch(rf"epoch 2/2 step 20: val ppl {losses.validations[1]:.3f}", figures[-1])


def test_what_takes_long_is_said(capsys: pytest.CaptureFixture[str], fit: Any) -> None:
    class Slow(pl.Callback):
        def on_validation_start(self, *_: Any) -> None:
            time.sleep(0.3)

    tally = Tally()
    fit(Slow(), tally, Lines(tally, often=0.1), max_epochs=1, enable_progress_bar=True)
    assert "epoch 1/1 step 10: validating, nothing new to say yet" in lines_of(capsys)


def test_lines_are_not_too_many(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    fit(tally, Lines(tally, seconds=1e6, often=1e6), max_epochs=4, enable_progress_bar=True)
    assert [line.split(":")[0] for line in lines_of(capsys)] == ["epoch 1/4 step 0", "epoch 4/4 step 40"]


def test_lines_may_be_silenced(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    lines = Lines(tally, seconds=0.0)
    lines.disable()
    fit(tally, lines, enable_progress_bar=True)
    assert "epoch" not in capsys.readouterr().err


def test_the_bar_shows_perplexities_and_speed(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    tally, losses = Tally(), Losses()
    bar = Bar(tally)
    trainer, model = fit(losses, tally, bar, enable_progress_bar=True)
    shown = bar.get_metrics(trainer, model)
    assert list(shown) == ["train ppl", "val ppl", "tokens/s"]
    assert shown["train ppl"] == f"{losses.perplexity(10, 20):.3f}"
    assert shown["val ppl"] == f"{losses.validations[-1]:.3f}"
    assert "Validation" not in capsys.readouterr().err


def test_a_run_that_ends_within_an_epoch_names_that_epoch(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    fit(tally, Lines(tally), max_epochs=4, max_steps=13, enable_progress_bar=True)
    assert [line.split(":")[0] for line in lines_of(capsys)] == ["epoch 1/4 step 0", "epoch 2/4 step 13"]

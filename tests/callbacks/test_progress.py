import re
import sys
from typing import Any

import pytest

from seqlab.callbacks.gradient_norms import GradientNorms
from seqlab.callbacks.progress import Bar, Lines, progress
from seqlab.callbacks.training_log import TrainingLog


@pytest.mark.parametrize(("terminal", "kind"), [(True, Bar), (False, Lines)])
def test_a_bar_on_a_terminal_and_lines_elsewhere(
    terminal: bool, kind: type[Bar | Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert type(progress(TrainingLog(GradientNorms()))) is kind


def test_lines(fit: Any, memory: Any, capsys: pytest.CaptureFixture[str]) -> None:
    log = TrainingLog(GradientNorms())
    fit(
        log.norms,
        log,
        Lines(log, seconds=0.0),
        logger=memory,
        log_every_n_steps=5,
        max_epochs=3,
        enable_progress_bar=True,
    )
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch")]
    assert lines[0] == "epoch 1/3 step 0: training starts"
    numbers = r"train ppl \d+\.\d{3}, val ppl \d+\.\d{3}, [\d,]+ tokens/s"
    for line, place in zip(lines[1:], ("1/3 step 10", "2/3 step 20", "3/3 step 30"), strict=True):
        assert re.fullmatch(rf"epoch {place}: {numbers}", line)


def test_lines_hold_the_last_numbers(fit: Any, memory: Any, capsys: pytest.CaptureFixture[str]) -> None:
    log = TrainingLog(GradientNorms())
    trainer, _ = fit(log.norms, log, Lines(log), logger=memory, log_every_n_steps=5, enable_progress_bar=True)
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"train ppl {memory.logged[20]['train/perplexity']:.3f}, " in last
    assert f"val ppl {float(trainer.callback_metrics['val/perplexity']):.3f}, " in last
    assert f"{memory.logged[20]['train/tokens_per_second']:,.0f} tokens/s" in last


def test_lines_are_not_too_many(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fit(Lines(TrainingLog(GradientNorms()), seconds=1e6), max_epochs=4, enable_progress_bar=True)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch")]
    assert [line.split(":")[0] for line in lines] == ["epoch 1/4 step 0", "epoch 4/4 step 40"]


def test_lines_may_be_silenced(fit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(TrainingLog(GradientNorms()), seconds=0.0)
    lines.disable()
    fit(lines, enable_progress_bar=True)
    assert "epoch" not in capsys.readouterr().err


def test_the_bar_shows_perplexities_and_speed(fit: Any, memory: Any, capsys: pytest.CaptureFixture[str]) -> None:
    log = TrainingLog(GradientNorms())
    bar = Bar(log)
    trainer, model = fit(log.norms, log, bar, logger=memory, log_every_n_steps=5, enable_progress_bar=True)
    shown = bar.get_metrics(trainer, model)
    assert list(shown) == ["train ppl", "val ppl", "tokens/s"]
    assert shown["train ppl"] == f"{memory.logged[20]['train/perplexity']:.3f}"
    assert shown["val ppl"] == f"{float(trainer.callback_metrics['val/perplexity']):.3f}"
    assert "Validation" not in capsys.readouterr().err

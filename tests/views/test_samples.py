from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import TensorBoardLogger

from seqlab.views.samples import TextSamples


def test_each_validation_writes_a_sample_of_each_temperature(
    tmp_path: Path, fit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = TensorBoardLogger(str(tmp_path), name="run", version="")
    written: list[tuple[str, str, int]] = []
    monkeypatch.setattr(board.experiment, "add_text", lambda *words: written.append(words))
    _, model = fit(TextSamples("the dog", num_tokens=12, temperatures=(0.5, 1.0)), logger=board)
    labels = ["sample/temperature 0.5", "sample/temperature 1"]
    assert [(label, step) for label, _, step in written] == [(label, step) for step in (10, 20) for label in labels]
    for (_, text, _), temperature in zip(written[-2:], (0.5, 1.0), strict=True):
        assert text == f"```\n{model.generate('the dog', num_tokens=12, temperature=temperature)}\n```"
        assert text.startswith("```\nthe dog")
        assert len(text) == 8 + 7 + 12


def test_without_tensorboard_nothing_is_drawn(fit: Any, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.views.samples.continue_text", None)
    fit(TextSamples("the dog"), logger=memory)


def test_training_goes_on_as_without_samples(tmp_path: Path, fit: Any) -> None:
    board = TensorBoardLogger(str(tmp_path), name="run", version="")
    _, sampled = fit(TextSamples("the dog", 5), logger=board, model={"dropout": 0.5})
    _, plain = fit(model={"dropout": 0.5})
    assert sampled.training == plain.training
    for one, other in zip(sampled.parameters(), plain.parameters(), strict=True):
        assert one.equal(other)


def test_samples_are_apart_also_in_a_resumed_run(tmp_path: Path, fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    board = TensorBoardLogger(str(tmp_path), name="run", version="")
    written: list[int] = []
    monkeypatch.setattr(board.experiment, "add_text", lambda *words: written.append(words[2]))
    samples = TextSamples("the dog", 5, temperatures=(1.0,), every=15)
    fit(samples, logger=board, max_epochs=4)
    assert written == [10, 30]
    again = TextSamples("the dog", 5, temperatures=(1.0,), every=15)
    again.load_state_dict({"last": 0})
    fit(again, logger=board, max_epochs=2)
    assert written == [10, 30, 20]
    assert samples.state_dict() == {"last": 30}

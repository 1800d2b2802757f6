from collections.abc import Callable
from typing import Any

import pytest
import torch

from seqlab.callbacks.saying import Saying

Fit = Callable[..., tuple[Any, Any]]


def test_it_says_what_the_model_says_and_changes_nothing(fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    _, silent = fit(model={"dropout": 0.5})
    capsys.readouterr()
    _, loud = fit(Saying(), model={"dropout": 0.5}, num_sanity_val_steps=1)
    said = capsys.readouterr().out
    assert said.startswith("epoch 1: ")
    assert said.count("epoch ") == 2
    assert said.rstrip("\n").endswith(loud.sample(loud.trainer.datamodule).rstrip("\n"))
    assert all(torch.equal(one, other) for one, other in zip(silent.parameters(), loud.parameters(), strict=True))


def test_several_lines_begin_below(fit: Fit, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("seqlab.models.language.LanguageModel.sample", lambda model, data: "one\ntwo")
    fit(Saying(), max_epochs=1)
    assert capsys.readouterr().out == "epoch 1:\none\ntwo\n"
    monkeypatch.setattr("seqlab.models.language.LanguageModel.sample", lambda model, data: "")
    fit(Saying(), max_epochs=1)
    assert capsys.readouterr().out == ""

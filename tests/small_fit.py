"""Fixtures that fit a small model, for tests of what watches a fit."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from lightning.pytorch.loggers import Logger

from seqlab.data.text import TextData
from seqlab.models.language import LanguageModel
from seqlab.nn.language_network import LanguageOptions

STORY = str(Path(__file__).parent / "fixtures" / "story.txt")

Fit = Callable[..., tuple[pl.Trainer, LanguageModel]]


class Memory(Logger):
    """Keeps what is logged: step -> name -> value."""

    name = "memory"
    version = ""

    def __init__(self) -> None:
        super().__init__()
        self.logged: dict[int, dict[str, float]] = {}

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        assert step is not None
        self.logged.setdefault(step, {}).update(metrics)

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        pass


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def memory_of() -> type[Memory]:
    """Makes a memory for each of several runs."""
    return Memory


@pytest.fixture
def data() -> TextData:
    return TextData(STORY, batch_size=4, num_steps=20, cleaning="classic", max_tokens=820)  # ten steps an epoch


@pytest.fixture
def fit(data: TextData) -> Fit:
    """Fits a small model: ``fit(*callbacks, model={...}, ckpt_path=..., **options of the Trainer)``."""
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)

    def run(
        *callbacks: pl.Callback, model: dict[str, Any] | None = None, ckpt_path: Path | None = None, **options: Any
    ) -> tuple[pl.Trainer, LanguageModel]:
        pl.seed_everything(0, verbose=False)
        given = {"hidden_size": 8, "embedding_size": None, "dropout": 0.0, **(model or {})}
        own = {name: given.pop(name) for name in ("optimizer", "lr_scheduler", "lr_interval") if name in given}
        made = LanguageModel(LanguageOptions(**given), data.codecs, **own)
        off = ("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "logger")
        quiet: dict[str, Any] = dict.fromkeys(off, False)
        quiet |= {"max_epochs": 2, "num_sanity_val_steps": 0}
        trainer = pl.Trainer(accelerator="cpu", callbacks=list(callbacks), **{**quiet, **options})
        trainer.fit(made, data, ckpt_path=ckpt_path, weights_only=True)
        return trainer, made

    return run

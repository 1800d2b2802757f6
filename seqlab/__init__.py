"""seqlab: a laboratory for sequence models on PyTorch Lightning.

``seqlab.fit(model="gru")`` trains a model, ``seqlab.load(CKPT)`` loads a trained model. Every verb of the command line
is a function of the same name, with the same options as arguments.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from seqlab.starting import begin_imports, fast_imports

if TYPE_CHECKING:
    from pathlib import Path

    from seqlab.cli.closing import Run
    from seqlab.compare import Comparison
    from seqlab.corpus import Statistics
    from seqlab.memory import Memory
    from seqlab.metrics import Report
    from seqlab.models.model import Model

__version__ = "0.1.0"
VERBS = {
    "fit": "Train a model.",
    "evaluate": "Measure a trained model on held-out data, every item once.",
    "predict": "Apply a trained model to raw input: text, a picture, a table of numbers.",
    "generate": "Continue a text with a trained language model.",
    "translate": "Translate sentences with a trained translation model.",
    "inspect": "Show what trained models do inside: memory, attention, embeddings.",
    "compare": "Run a grid of models, options and seeds; tables with intervals and paired tests.",
    "corpus": "Count a text: frequencies, coverage, Zipf's law.",
    "memory": "Measure how many steps back each cell learns to remember.",
    "export": "Write a trained model for other programs.",
}
"""What each verb does."""
__all__ = ["compare", "corpus", "evaluate", "export", "fit", "generate", "inspect", "load", "memory", "predict"]
__all__ += ["translate"]

SPINS = "1000"
"""Number of checks at a barrier before a thread sleeps, some microseconds.

GNU OpenMP runs torch's threads and those of the compiled code. Its default is 300,000 checks: if another program shares
the cores, threads then wait for each other, and training takes ten times as long. OpenMP reads the variable when torch
is imported.
"""

if "torch" not in sys.modules and not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & {*os.environ}:
    os.environ["GOMP_SPINCOUNT"] = SPINS

if sys.argv[:1] == ["-m"] and {f"{__name__}.{verb}" for verb in VERBS} & {*sys.orig_argv}:
    begin_imports()  # python -m has -m in sys.argv while it imports the package of its module

Choice = str | Mapping[str, Any] | None
"""A name, or a name and options: ``"lstm"``, ``{"name": "lstm", "hidden_size": 512}``."""


def fit(
    model: Choice = None,
    data: Choice = None,
    optimizer: Choice | Callable[..., Any] = None,
    lr_scheduler: Choice = None,
    trainer: Mapping[str, Any] | None = None,
    *,
    config: str | Sequence[str] | None = None,
    **options: Any,
) -> "Run":
    """Trains a model.

    Args:
        model: Name of the model, or a dict of its options with ``name``.
        data: Name of the data, or a dict of its options with ``name``.
        optimizer: Name of the optimizer, or its options; or a class of torch.optim or a partial of one.
        lr_scheduler: Name of the schedule, or its options.
        trainer: Arguments of Lightning's Trainer, including objects such as callbacks and loggers.
        config: YAML file of options, or several; the arguments here override them.
        options: Options of the run: ``seed``, ``run``, ``overwrite``, ``ckpt_path``, ``patience``, ``monitor``,
            ``ckpt_every``, ``on_nan``, ``watch``, ``samples``, ``bar``.

    Raises:
        UserError: An option is wrong.
    """
    groups = {"model": model, "data": data, "optimizer": optimizer, "lr_scheduler": lr_scheduler, "trainer": trainer}
    result: Run = _module("fit").fit(**groups, config=config, **options)
    return result


def evaluate(ckpt: str, **options: Any) -> "Report":
    """Measures a trained model; the arguments are those of ``seqlab.evaluate.evaluate``."""
    result: Report = _module("evaluate").evaluate(ckpt, **options)
    return result


def predict(ckpt: str, inputs: str | Iterable[str], **options: Any) -> list[Any]:
    """Predicts from raw input with a trained model; the arguments are those of ``seqlab.predict.predict``."""
    result: list[Any] = _module("predict").predict(ckpt, inputs, **options)
    return result


def generate(ckpt: str, prefix: str = "", **options: Any) -> list[str]:
    """Continues a text; the arguments are those of ``seqlab.generate.generate``."""
    result: list[str] = _module("generate").generate(ckpt, prefix, **options)
    return result


def translate(ckpt: str, sentences: str | Sequence[str], **options: Any) -> list[list[str]]:
    """Translates sentences; the arguments are those of ``seqlab.translate.translate``."""
    result: list[list[str]] = _module("translate").translate(ckpt, sentences, **options)
    return result


def corpus(**options: Any) -> "Statistics":
    """Counts the tokens of a text; the arguments are those of ``seqlab.corpus.corpus``."""
    result: Statistics = _module("corpus").corpus(**options)
    return result


def inspect(ckpt: str, **options: Any) -> Any:
    """Shows what a trained model does inside; the arguments are those of ``seqlab.inspect.inspect``."""
    return _module("inspect").inspect(ckpt, **options)


def memory(**options: Any) -> "Memory":
    """Measures how far back cells learn to remember; the arguments are those of ``seqlab.memory.memory``."""
    result: Memory = _module("memory").memory(**options)
    return result


def compare(experiments: Sequence[str] = (), **options: Any) -> "Comparison":
    """Runs a grid of models and compares them; the arguments are those of ``seqlab.compare.compare``."""
    result: Comparison = _module("compare").compare(experiments, **options)
    return result


def export(ckpt: str, **options: Any) -> "Path":
    """Writes a model for other programs; the arguments are those of ``seqlab.export.export``."""
    result: Path = _module("export").export(ckpt, **options)
    return result


def load(ckpt: "str | Path") -> "Model":
    """Loads the model of a checkpoint in evaluation mode, ready for ``predict`` and the other methods of its task."""
    model: Model = _module("models").load(ckpt)
    return model


def _module(name: str) -> Any:
    with fast_imports():
        return import_module(f"seqlab.{name}")


class _Package(ModuleType):
    """The package as a module class; importing the module ``seqlab.fit`` does not hide the function ``seqlab.fit``."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in VERBS or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

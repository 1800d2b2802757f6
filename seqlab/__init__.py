"""seqlab: a laboratory for sequence models on PyTorch Lightning.

``seqlab.fit(model="gru")`` trains, ``seqlab.load(CKPT)`` gives a trained model back; ``seqlab.evaluate``,
``seqlab.generate``, ``seqlab.translate``, ``seqlab.corpus``, ``seqlab.inspect``, ``seqlab.memory`` and
``seqlab.compare`` are other verbs, with the options of the command line as arguments.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqlab.compare import Comparison
    from seqlab.corpus import Statistics
    from seqlab.evaluate import Evaluation
    from seqlab.fit import Run
    from seqlab.inspect import Inspection
    from seqlab.memory import Memory
    from seqlab.models.model import SequenceModel

__version__ = "0.1.0"
__all__ = ["compare", "corpus", "evaluate", "fit", "generate", "inspect", "load", "memory", "translate"]

VERBS = ("fit", "evaluate", "generate", "translate", "corpus", "inspect", "memory", "compare", "export")


def fit(**options: Any) -> "Run":
    """Trains a model; the arguments are those of ``seqlab.fit.fit``."""
    result: Run = import_module("seqlab.fit").fit(**options)
    return result


def evaluate(ckpt: str, **options: Any) -> "Evaluation":
    """Measures a trained model; the arguments are those of ``seqlab.evaluate.evaluate``."""
    result: Evaluation = import_module("seqlab.evaluate").evaluate(ckpt, **options)
    return result


def generate(ckpt: str, prefix: str = "", **options: Any) -> list[str]:
    """Text that continues a prefix; the arguments are those of ``seqlab.generate.generate``."""
    result: list[str] = import_module("seqlab.generate").generate(ckpt, prefix, **options)
    return result


def translate(ckpt: str, sentences: Sequence[str], **options: Any) -> list[list[str]]:
    """Translations of sentences; the arguments are those of ``seqlab.translate.translate``."""
    result: list[list[str]] = import_module("seqlab.translate").translate(ckpt, sentences, **options)
    return result


def corpus(**options: Any) -> "Statistics":
    """Counts what a text is made of; the arguments are those of ``seqlab.corpus.corpus``."""
    result: Statistics = import_module("seqlab.corpus").corpus(**options)
    return result


def inspect(ckpt: str, **options: Any) -> "Inspection":
    """What a trained recurrence does with its memory; the arguments are those of ``seqlab.inspect.inspect``."""
    result: Inspection = import_module("seqlab.inspect").inspect(ckpt, **options)
    return result


def memory(**options: Any) -> "Memory":
    """How far back cells learn to remember; the arguments are those of ``seqlab.memory.memory``."""
    result: Memory = import_module("seqlab.memory").memory(**options)
    return result


def compare(experiments: Sequence[str] = (), **options: Any) -> "Comparison":
    """Runs a grid of models and compares them; the arguments are those of ``seqlab.compare.compare``."""
    result: Comparison = import_module("seqlab.compare").compare(experiments, **options)
    return result


def load(ckpt: str) -> Any:
    """The model of a checkpoint: a ``LanguageModel`` ready to ``generate``, or a ``Seq2Seq`` ready to ``translate``."""
    model: SequenceModel = import_module("seqlab.models").load(ckpt)
    return model


class _Package(ModuleType):
    """Importing the module ``seqlab.fit`` does not hide the function ``seqlab.fit``."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in VERBS or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

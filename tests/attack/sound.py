"""Sound runs of every task, which are attacked."""

import importlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from seqlab.data.drawn_digits import drawn_digit

from .verdict import Attack, outcome

STORY = Path(__file__).parents[1] / "fixtures" / "story.txt"
SAMPLES = Path(__file__).parents[2] / "seqlab" / "data" / "samples"
IMPORTED = ("fit", "evaluate", "predict", "generate", "translate", "inspect", "export", "corpus", "compare", "memory")
QUIET = ("--bar", "none", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false")
SHORT = (*QUIET, "--trainer.max_epochs", "2", "--trainer.limit_train_batches", "6", "--trainer.limit_val_batches", "2")
SMALL = ("--data.batch_size", "8", "--model.hidden_size", "8")
DATA: dict[str, tuple[str, ...]] = {
    "language": ("--data", "text", "--data.path", str(STORY), "--data.num_steps", "16"),
    "translation": (
        "--data",
        "parallel",
        "--data.path",
        str(SAMPLES / "english_french.tsv"),
        "--data.tokens",
        "bpe",
        "--data.num_subwords",
        "300",
    ),
    "classification": ("--data", "labelled", "--data.path", str(SAMPLES / "questions.tsv"), "--data.min_freq", "1"),
    "tagging": ("--data", "tagged", "--data.path", str(SAMPLES / "village.conll"), "--data.min_freq", "1"),
    "forecasting": ("--data", "series", "--data.path", "series.csv", "--data.history", "16"),
    "images": ("--data", "images", "--data.path", "pictures"),
    "regression": ("--data", "points", "--data.path", "series.csv"),
    "strings": ("--data", "digit_strings", "--data.source", "digits", "--data.strings", "64"),
}
"""What each task learns from."""

MODELS: dict[str, tuple[str, ...]] = {
    "language": ("--model", "gru"),
    "translation": ("--model", "seq2seq", "--model.embedding_size", "8", "--model.bleu_sentences", "0"),
    "classification": ("--model", "gru"),
    "tagging": ("--model", "gru", "--model.output", "crf"),
    "forecasting": ("--model", "gru"),
    "images": ("--model", "gru"),
    "regression": ("--model", "mlp"),
    "strings": ("--model", "gru"),
}

USED: dict[str, list[str]] = {
    "language": ["generate", "CKPT", "--num_tokens", "5"],
    "translation": ["translate", "CKPT", "I am home ."],
    "classification": ["predict", "CKPT", "What is it ?"],
    "tagging": ["predict", "CKPT", "Mara Ellin sleeps ."],
    "forecasting": ["predict", "CKPT", "--input", "series.csv"],
    "images": ["predict", "CKPT", "pictures/1/0.png"],
    "regression": ["predict", "CKPT", "1,2"],
    "strings": ["predict", "CKPT", "pictures/1/0.png"],
}
"""What is asked of a model of each task."""

RESUMED = ["fit", "--ckpt_path", "CKPT", "--run", "again", "--trainer.max_epochs", "3", *QUIET]


class Sound(NamedTuple):
    """What is attacked.

    Args:
        here: The folder to attack in, which is the current one.
        good: A sound checkpoint of each task.
    """

    here: Path
    good: dict[str, Path]

    def words(self, words: Sequence[str], ckpt: Path) -> list[str]:
        """A verb and its arguments, with a checkpoint for ``CKPT``."""
        return [str(ckpt) if word == "CKPT" else word for word in words]

    def restore(self) -> None:
        """Puts back what attacks may rightly have changed."""
        (self.here / "series.csv").write_text(series())
        pictures(self.here / "pictures")

    def run(self, task: str) -> Path:
        """The folder of the run of a task."""
        return self.here / "lightning_logs" / task


def fit_of(task: str) -> list[str]:
    """What trains a small model of a task."""
    return ["fit", *DATA[task], *MODELS[task], *SMALL, *SHORT]


def pictures(folder: Path) -> None:
    """A few pictures of two classes."""
    for number in range(20):
        path = folder / str(number % 2) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn_digit(10 * number + number % 2, 8)).save(path)


def series() -> str:
    """Rows of a series of two columns."""
    return "time,load,heat\n" + "".join(f"{i},{i % 7},{i % 5 + i / 100}\n" for i in range(200))


def planted(folder: Path) -> None:
    """Leaves modules that show, by a file, that they were imported."""
    code = f"from pathlib import Path\nPath({str(folder / 'PLANTED')!r}).touch()\nclass Evil: pass\ndef go(*_): pass\n"
    (folder / "planted.py").write_text(code)


def sound(root: Path) -> Sound:
    """Trains a small model of each task, in a new folder that becomes the current one."""
    for verb in IMPORTED:
        importlib.import_module(f"seqlab.{verb}")
    here, good = root / "outer" / "inner", {}
    here.mkdir(parents=True)
    os.chdir(here)
    os.environ["XDG_CACHE_HOME"] = str(root / "cache")
    sys.path.insert(0, str(here))
    planted(here)
    (here / "series.csv").write_text(series())
    pictures(here / "pictures")
    for task in DATA:
        fault = outcome(Attack(task, [*fit_of(task), "--run", task]), here)
        assert fault is None, fault
        last = here / "lightning_logs" / task / "checkpoints" / "last.ckpt"
        good[task] = Path(shutil.copy(last, root / f"{task}.ckpt"))
    return Sound(here, good)

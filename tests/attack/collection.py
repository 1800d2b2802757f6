"""All attacks, by their kind."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from .checkpoints import damaged, mutated, planted, reconfigured
from .verdict import Attack

STORY = Path(__file__).parents[1] / "fixtures" / "story.txt"
SMALL = (
    *("--data", "text", "--data.path", str(STORY), "--data.num_steps", "16", "--data.batch_size", "8", "--bar", "none"),
    *("--model.hidden_size", "8", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"),
    *("--trainer.max_epochs", "2", "--trainer.limit_train_batches", "6", "--run", "story"),
)
RESUME = ["fit", "--ckpt_path", "CKPT", "--run", "again", "--trainer.max_epochs", "3", "--bar", "none"]
GENERATE = ["generate", "CKPT", "--num_tokens", "5"]


def sound(root: Path, fit: Callable[[list[str]], int]) -> tuple[Path, Path]:
    """The folder to attack in, which becomes the current one, and a sound checkpoint."""
    here = root / "outer" / "inner"
    here.mkdir(parents=True)
    os.chdir(here)
    sys.path.insert(0, str(here))
    planted(here)
    assert fit([*SMALL]) == 0
    return here, Path(shutil.copy(here / "lightning_logs" / "story" / "checkpoints" / "last.ckpt", root / "good.ckpt"))


def _special(good: Path, here: Path) -> Iterator[Attack]:
    pipe = here / "pipe"
    if not pipe.exists():
        os.mkfifo(pipe)
    for path in (str(pipe), "/dev/zero", "/dev/urandom", "/dev/full"):
        for words in (
            ["fit", "--data", "text", "--data.path", path],
            ["fit", "--data", "labelled", "--data.path", path],
            ["fit", "--data", "parallel", "--data.path", path],
            ["fit", *SMALL, "--model.vectors", path],
            ["fit", "--config", path],
            ["fit", "--ckpt_path", path],
            ["generate", path],
            ["evaluate", path],
            ["export", path],
            ["inspect", path],
            ["predict", str(good), "--input", path],
            ["corpus", "--data", "text", "--data.path", path],
            ["compare", path],
        ):
            yield Attack("special files", f"{words[0]} {path}", words)
    for words in (["export", str(good), "--output"], ["predict", str(good), "a", "--output"]):
        for path in ("/dev/full", str(pipe)):
            yield Attack("special files", f"{words[0]} to {path}", [*words, path])


def _yaml(good: Path, here: Path) -> Iterator[Attack]:
    levels = "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    texts = {
        "cycle": "&a {x: *a}",
        "bomb": f"a: &a [x]\n{levels}\n",
        "deep list": "[" * 5000,
        "deep dict": "{a: " * 5000,
        "long number": f"seed: {'9' * 5000}",
        "tag": "a: !!python/object/apply:os.system ['touch PLANTED']",
        "numbers for names": "1: 2\ntrainer: {3: 4}\n",
        "nothing": "",
        "list": "[1, 2]",
        "no text": "a: \0",
        "large": "a: b\n" * 10**6,
    }
    for name, text in texts.items():
        path = here / "config.yaml"
        words = ["fit", *SMALL, "--run", "again", "--config", str(path)]
        yield Attack("configurations", name, words, lambda text=text, path=path: path.write_text(text))


def _numbers(good: Path, here: Path) -> Iterator[Attack]:
    options = ("--trainer.val_check_interval", "--patience", "--trainer.num_sanity_val_steps", "--model.hidden_size")
    options += ("--model.num_layers", "--model.embedding_size", "--data.batch_size", "--data.num_steps", "--seed")
    for option in options:
        for value in ("-7", "1000000000000", "nan", "1e400", "''", "[[[1]]]", "null"):
            yield Attack("numbers", f"{option} {value}", ["fit", *SMALL, "--run", "again", option, value])
    for option in ("--num_tokens", "--num_samples", "--top_k", "--temperature", "--top_p", "--seed"):
        for value in ("-7", "1000000000000", "nan"):
            yield Attack("numbers", f"{option} {value}", ["generate", str(good), "--num_tokens", "3", option, value])


KINDS: dict[str, Callable[[Path, Path], Iterator[Attack]]] = {
    "a changed value in a checkpoint, used": lambda good, here: mutated(
        good, here, GENERATE, "used", lambda path: path[0] in ("state_dict", "hyper_parameters", "seqlab", "run")
    ),
    "a changed value in a checkpoint, gone on from": lambda good, here: mutated(
        good, here, RESUME, "gone on from", lambda path: path[:2] != ("seqlab", "codecs")
    ),
    "a changed option of the configuration in one": lambda good, here: reconfigured(good, here, RESUME),
    "a flipped bit or a cut in a checkpoint": lambda good, here: damaged(good, here, GENERATE, 500, 500),
    "a hostile configuration": _yaml,
    "a pipe or device in place of a file": _special,
    "a number out of range": _numbers,
}

"""Pipes, devices, folders, sockets and links in place of every kind of file that is read or written."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from .sound import DATA, MODELS, SHORT, SMALL, Sound
from .verdict import Attack


def _places(here: Path) -> list[str]:
    """Paths of what is no file."""
    pipe, name, loop, nowhere, folder = (here / one for one in ("pipe", "socket", "loop", "nowhere", "folder"))
    if not pipe.exists():
        os.mkfifo(pipe)
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(str(name))
        loop.symlink_to(loop)
        nowhere.symlink_to(here / "missing")
        folder.mkdir()
    named = ("x" * 5000, "a\udcffb", "missing", "~nobody", "~no_such_user/x", "series.csv/inside", "\n")
    return [*map(str, (pipe, name, loop, nowhere, folder)), *DEVICES, *named]


DEVICES = ("/dev/zero", "/dev/urandom", "/dev/full", "/dev/null", "/proc/self/mem", "/proc/kmsg", "/dev/tty")


def _readers(sound: Sound, path: str) -> Iterator[list[str]]:
    for task, known in DATA.items():
        if "--data.path" not in known:
            continue
        where = known.index("--data.path") + 1
        yield ["fit", *known[:where], path, *known[where + 1 :]]
        yield (
            ["fit", *known, "--data.val_path", path] if task != "forecasting" else ["fit", *known, "--data.root", path]
        )
    yield ["fit", "--data", "parallel", "--data.source_path", path, "--data.target_path", path]
    yield ["fit", *DATA["language"], *MODELS["language"], "--model.embedding_size", "8", "--model.vectors", path]
    yield ["fit", "--config", path]
    yield ["fit", "--ckpt_path", path]
    yield ["fit", "--data", "time_machine", "--data.root", path]
    for verb in ("generate", "evaluate", "export", "inspect", "translate", "predict"):
        yield [verb, path]
    for task in ("classification", "tagging", "forecasting", "translation"):
        yield ["predict", str(sound.good[task]), "--input", path]
    for task in ("images", "strings"):
        yield ["predict", str(sound.good[task]), path]
    yield ["translate", str(sound.good["translation"]), "--input", path]
    yield ["evaluate", str(sound.good["language"]), "--data", "text", "--data.path", path]
    yield ["evaluate", str(sound.good["classification"]), "--data", "labelled", "--data.path", path]
    yield ["corpus", "--data", "text", "--data.path", path]
    yield ["compare", path]


def read(sound: Sound) -> Iterator[Attack]:
    """Reading what is no file, for each kind of file."""
    quick = [*SMALL, *SHORT, "--run", "again", "--trainer.fast_dev_run", "1"]
    for path in _places(sound.here):
        for words in _readers(sound, path):
            shown = " ".join(words)[-90:]
            yield Attack(shown, [*words, *quick] if words[0] == "fit" else words)


def written(sound: Sound) -> Iterator[Attack]:
    """Writing to what is no file, for each verb that writes one."""
    tag, go = str(sound.good["tagging"]), str(sound.good["translation"])
    lines = str(sound.good["forecasting"])
    for path in _places(sound.here):
        for words in (
            ["export", str(sound.good["language"]), "--output", path],
            ["predict", tag, "a", "--output", path],
            ["translate", go, "go", "--output", path],
            ["translate", go, "go", "--attention", path],
            ["evaluate", str(sound.good["classification"]), "--items", path],
            ["evaluate", tag, "--errors", path],
            ["evaluate", lines, "--figure", path],
            ["predict", lines, "--input", "series.csv", "--figure", path],
            ["inspect", str(sound.good["language"]), "--output", path],
            ["corpus", "--data", "text", "--data.path", DATA["language"][3], "--output", path],
            ["fit", *DATA["language"], *SMALL, *SHORT, "--run", "again", "--trainer.default_root_dir", path],
        ):
            yield Attack(" ".join(words)[-90:], words)

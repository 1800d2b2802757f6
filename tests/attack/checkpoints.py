"""Checkpoints in which every key in turn is missing, of another kind, or out of all bounds; and damaged files."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import yaml

from .verdict import Attack

Path_ = tuple[Any, ...]
MISSING = object()


class Strange:
    """Stands for what no checkpoint may hold."""


VALUES: dict[str, Callable[[Any], Any]] = {
    "missing": lambda old: MISSING,
    "none": lambda old: None,
    "true": lambda old: True,
    "negative": lambda old: -7,
    "huge": lambda old: 10**9,
    "vast": lambda old: 2**70,
    "nan": lambda old: float("nan"),
    "text": lambda old: "../../../escaped",
    "empty text": lambda old: "",
    "class": lambda old: {"class_path": "planted.Evil"},
    "empty list": lambda old: [],
    "empty dict": lambda old: {},
    "listed": lambda old: [old],
    "keyed": lambda old: {"x": old},
    "tensor": lambda old: torch.zeros(3),
    "nan tensor": lambda old: torch.full_like(old, float("nan")) if _is_float(old) else torch.tensor(float("nan")),
    "whole tensor": lambda old: torch.zeros(2, 2, dtype=torch.int64),
    "seen from afar": lambda old: torch.zeros(1).expand(10**6, 10**6),
}


def _is_float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def paths(tree: Any, deepest: int = 9, before: Path_ = ()) -> Iterator[Path_]:
    """Every place in a tree of plain values; of a list the first and the last entry."""
    if before:
        yield before
    if len(before) >= deepest:
        return
    if isinstance(tree, dict):
        for key in tree:
            yield from paths(tree[key], deepest, (*before, key))
    elif isinstance(tree, list | tuple) and tree:
        for index in sorted({0, len(tree) - 1}):
            yield from paths(tree[index], deepest, (*before, index))


def changed(tree: Any, path: Path_, value: Any) -> Any:
    """A copy of a tree with another value at a place."""
    if not path:
        return value
    first, *rest = path
    inner = changed(tree[first], tuple(rest), value)
    if isinstance(tree, dict):
        return {key: one for key, one in {**tree, first: inner}.items() if one is not MISSING}
    parts = [one for one in [*tree[:first], inner, *tree[first + 1 :]] if one is not MISSING]
    return parts if isinstance(tree, list) else tuple(parts)


def at(tree: Any, path: Path_) -> Any:
    """What stands at a place."""
    for key in path:
        tree = tree[key]
    return tree


def mutated(good: Path, here: Path, words: list[str], kind: str, only: Callable[[Path_], bool]) -> Iterator[Attack]:
    """A verb on a checkpoint with one value changed, for each place and each strange value.

    Args:
        good: A sound checkpoint.
        here: Folder for the changed one.
        words: The verb and its arguments; ``CKPT`` stands for the changed one.
        kind: Of the attacks.
        only: Which places.
    """
    content = torch.load(good, weights_only=True)
    bad = here / "bad.ckpt"
    for path in filter(only, paths(content)):
        for name, value in VALUES.items():

            def prepare(path: Path_ = path, value: Callable[[Any], Any] = value) -> None:
                torch.save(changed(content, path, value(at(content, path))), bad)

            said = [str(bad) if word == "CKPT" else word for word in words]
            yield Attack(kind, f"{words[0]} {'.'.join(map(str, path))[:80]} {name}", said, prepare)


def reconfigured(good: Path, here: Path, words: list[str]) -> Iterator[Attack]:
    """Resuming with one option of the configuration in a checkpoint changed, for each option and strange value."""
    content = torch.load(good, weights_only=True)
    config = yaml.safe_load(content["run"]["config"])
    bad = here / "bad.ckpt"
    strange: dict[str, Any] = {
        "class": {"class_path": "planted.Evil"},
        "list of a class": [{"class_path": "planted.Evil"}],
        "path of a class": "planted.Evil",
        "path of a function": "planted.go",
        "Lightning's": {
            "class_path": "lightning.pytorch.callbacks.LambdaCallback",
            "init_args": {"on_fit_start": "planted.go"},
        },
        "by its name": "LambdaCallback",
        "folder": "../../../escaped",
        "absolute": str(here.parent / "escaped"),
        "huge": 10**12,
        "negative": -3,
        "nan": float("nan"),
        "none": None,
        "dict": {"a": {"b": 1}},
        "list": [1, [2, [3]]],
    }
    for path in paths(config):
        for name, value in strange.items():

            def prepare(path: Path_ = path, value: Any = value) -> None:
                run = {**content["run"], "config": yaml.safe_dump(changed(config, path, value))}
                torch.save({**content, "run": run}, bad)

            said = [str(bad) if word == "CKPT" else word for word in words]
            yield Attack("configuration in a checkpoint", f"{'.'.join(map(str, path))} {name}", said, prepare)


def damaged(good: Path, here: Path, words: list[str], flips: int, cuts: int, seed: int = 0) -> Iterator[Attack]:
    """A verb on a checkpoint with one bit flipped, or cut short."""
    generator, bad = random.Random(seed), here / "bad.ckpt"
    content = good.read_bytes()
    said = [str(bad) if word == "CKPT" else word for word in words]
    for _ in range(flips):
        place = generator.randrange(8 * len(content))

        def flip(place: int = place) -> None:
            changed = bytearray(content)
            changed[place // 8] ^= 1 << place % 8
            bad.write_bytes(changed)

        yield Attack("flipped bit", f"{words[0]} bit {place}", said, flip)
    for _ in range(cuts):
        length = generator.randrange(len(content))
        yield Attack(
            "cut short", f"{words[0]} {length} bytes", said, lambda length=length: bad.write_bytes(content[:length])
        )


def planted(folder: Path) -> None:
    """Leaves modules that show, by a file, that they were imported."""
    code = f"from pathlib import Path\nPath({str(folder / 'PLANTED')!r}).touch()\nclass Evil: pass\ndef go(*_): pass\n"
    (folder / "planted.py").write_text(code)

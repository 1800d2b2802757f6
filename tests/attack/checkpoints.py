"""Checkpoints in which every key in turn is missing, of another kind, or out of all bounds; and damaged files."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import torch
import yaml

from .sound import RESUMED, USED, Sound
from .verdict import Attack

Place = tuple[Any, ...]
MISSING = object()


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


def paths(tree: Any, deepest: int = 9, before: Place = ()) -> Iterator[Place]:
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


def changed(tree: Any, path: Place, value: Any) -> Any:
    """A copy of a tree with another value at a place."""
    if not path:
        return value
    first, *rest = path
    inner = changed(tree[first], tuple(rest), value)
    if isinstance(tree, dict):
        return {key: one for key, one in {**tree, first: inner}.items() if one is not MISSING}
    parts = [one for one in [*tree[:first], inner, *tree[first + 1 :]] if one is not MISSING]
    return parts if isinstance(tree, list) else tuple(parts)


def at(tree: Any, path: Place) -> Any:
    """What stands at a place."""
    for key in path:
        tree = tree[key]
    return tree


def used(sound: Sound) -> Iterator[Attack]:
    """What is asked of a model whose checkpoint has one value changed, for each place and each strange value."""
    for task, words in USED.items():
        asked = [words, ["evaluate", "CKPT"], ["export", "CKPT", "--output", "exported"], ["inspect", "CKPT"]]
        yield from _mutated(sound, task, asked, ("state_dict", "hyper_parameters", "seqlab", "run"))


def gone_on_from(sound: Sound) -> Iterator[Attack]:
    """Training that goes on from such a checkpoint."""
    for task, good in sound.good.items():
        yield from _mutated(sound, task, [RESUMED], (*torch.load(good, weights_only=True),))


def _mutated(sound: Sound, task: str, asked: list[list[str]], parts: tuple[str, ...]) -> Iterator[Attack]:
    content = torch.load(sound.good[task], weights_only=True)
    bad = sound.here / "bad.ckpt"
    places = (path for path in paths(content) if path[0] in parts)
    for number, path in enumerate(places):
        for name, value in VALUES.items():

            def prepare(path: Place = path, value: Callable[[Any], Any] = value, content: Any = content) -> None:
                torch.save(changed(content, path, value(at(content, path))), bad)

            words = sound.words(asked[(number + len(name)) % len(asked)], bad)
            yield Attack(f"{task}: {words[0]} with {'.'.join(map(str, path))[:80]} {name}", words, prepare)


STRANGE: dict[str, Any] = {
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
    "absolute": "/proc/self/cwd/../escaped",
    "huge": 10**12,
    "negative": -3,
    "nan": float("nan"),
    "none": None,
    "empty": "",
    "dict": {"a": {"b": 1}},
    "list": [1, [2, [3]]],
}
"""What no sound configuration says, or no stranger's may."""


def reconfigured(sound: Sound) -> Iterator[Attack]:
    """Going on with one option of the configuration in a checkpoint changed, for each option and strange value."""
    bad = sound.here / "bad.ckpt"
    for task, good in sound.good.items():
        content = torch.load(good, weights_only=True)
        config = yaml.safe_load(content["run"]["config"])
        for path in paths(config):
            for name, value in STRANGE.items():

                def prepare(
                    path: Place = path, value: Any = value, content: Any = content, config: Any = config
                ) -> None:
                    run = {**content["run"], "config": yaml.safe_dump(changed(config, path, value))}
                    torch.save({**content, "run": run}, bad)

                place = ".".join(map(str, path))
                yield Attack(f"{task}: {place} {name}", sound.words(RESUMED, bad), prepare)


def damaged(sound: Sound, flips: int = 100, cuts: int = 60, seed: int = 0) -> Iterator[Attack]:
    """A verb on a checkpoint with one bit flipped, which must be refused, or cut short."""
    generator, bad = random.Random(seed), sound.here / "bad.ckpt"
    for task, good in sound.good.items():
        content, words = good.read_bytes(), sound.words(USED[task], bad)
        for _ in range(flips):
            place = generator.randrange(8 * len(content))

            def flip(place: int = place, content: bytes = content) -> None:
                changed = bytearray(content)
                changed[place // 8] ^= 1 << place % 8
                bad.write_bytes(changed)

            yield Attack(f"{task}: bit {place}", words, flip)
        for _ in range(cuts):
            part = content[: generator.randrange(len(content))]
            yield Attack(f"{task}: {len(part)} bytes", words, lambda part=part: bad.write_bytes(part), refused=True)

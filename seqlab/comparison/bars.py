"""The bar of a comparison: what a counted model reaches on the same data, as one more row."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from seqlab.comparison.grid import Cell, checked, name_of, words_of

Read = Callable[[Cell], Mapping[str, Any]]
"""A run -> all options of ``fit`` that its command line stands for."""
Bars = Callable[[Mapping[str, Any]], str | None]
"""Those options -> the name of the model that theirs should beat; none if there is none."""

BATCHING = ("batch_size", "batch_tokens", "eval_streams", "sampling")
"""Options of the data that say how batches are made of it, which a counted model does not see."""


@dataclass
class _Bar:
    """One bar: its name, the options of its data, the runs that it is for, and those that are its own already."""

    name: str
    data: Mapping[str, Any]
    cells: list[Cell] = field(default_factory=list)
    own: list[Cell] = field(default_factory=list)


def with_bars(cells: Sequence[Cell], read: Read, bars: Bars) -> list[Cell]:
    """The runs and, behind them, one run of each bar that is not among them: for each task, data and fold, with seed 1.

    A bar's run has the options of the data of the runs that it is for, and none of their other options.

    Args:
        cells: Every run.
        read: Its options.
        bars: Their bar.

    Raises:
        UserError: An option is wrong, or two runs would have one name.
    """
    found: dict[tuple[str, str], _Bar] = {}
    for one in cells:
        options = read(one)
        if (name := bars(options)) is None:
            continue
        seen = {key: value for key, value in options["data"].items() if key not in BATCHING}
        bar = found.setdefault((name, repr(sorted(seen.items()))), _Bar(name, options["data"]))
        (bar.own if options["model"]["name"] == name else bar.cells).append(one)
    there = {one.name for bar in found.values() for one in bar.own}
    runs = [replace(one, bar=one.name in there) for one in cells]
    for bar in found.values():
        if not bar.own:
            runs.append(_run_of(bar, {one.name for one in runs}))
    return checked(runs)


def _run_of(bar: _Bar, taken: set[str]) -> Cell:
    """The run of a bar, named after what its data varies in."""
    first = bar.cells[0]
    of_data = [key for key in first.varied if key == "experiment" or key.partition(".")[0] == "data"]
    common = [key for key in of_data if len({one.varied.get(key) for one in bar.cells}) == 1]
    varied, name = _named(bar.name, common, first)
    if name in taken:
        varied, name = _named(bar.name, of_data, first)
    data = [f"--data.{key}={_spelt(value)}" for key, value in bar.data.items()]
    return Cell(name, varied, 1, [f"--model={bar.name}", *data, "--seed=1"], first.fold, bar=True)


def _named(model: str, keys: Sequence[str], first: Cell) -> tuple[dict[str, str], str]:
    varied = {key: first.varied[key] for key in keys if key == "experiment"} | {"model": model}
    varied |= {key: first.varied[key] for key in keys if key != "experiment"}
    return varied, name_of(words_of(varied), 1, first.fold)


def _spelt(value: object) -> str:
    """A plain value as a command line spells it."""
    return value if isinstance(value, str) else json.dumps(value)

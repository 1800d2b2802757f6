"""The bar of a comparison: a counted baseline on the same data, as one more row."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from seqlab.comparison.grid import Cell, checked, name_of, words_of

Read = Callable[[Cell], Mapping[str, Any]]
"""Function: a run -> all options of ``fit`` of its command line."""
Bars = Callable[[Mapping[str, Any]], str | None]
"""Function: these options -> the name of the baseline; None without one."""

BATCHING = ("batch_size", "batch_tokens", "eval_streams", "sampling")
"""Data options that only shape batches; they do not matter for a counted model."""


@dataclass
class _Bar:
    """One bar: its name, the options of its data, the runs that it is for, and its own existing runs."""

    name: str
    data: Mapping[str, Any]
    cells: list[Cell] = field(default_factory=list)
    own: list[Cell] = field(default_factory=list)


def with_bars(cells: Sequence[Cell], read: Read, bars: Bars) -> list[Cell]:
    """The runs, then one run of each missing bar: for each task, data and fold, with seed 1.

    A bar's run has the data options of the runs that it is for, and none of their other options.

    Args:
        cells: Every run.
        read: Gives the options of a run.
        bars: Gives the bar of these options.

    Raises:
        UserError: An option is wrong, or two runs would have the same name.
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
    """The run of a bar, named after its varied data options."""
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
    """A plain value as a word of a command line."""
    return value if isinstance(value, str) else json.dumps(value)
